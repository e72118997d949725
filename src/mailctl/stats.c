/*
 * `mailctl stats`: what happens at this moment, again and again. On a terminal the screen is
 * painted anew with the last lines below their titles; elsewhere each line is printed once, for a
 * file or another program. A line is made of two answers of the server; with one of another
 * process, after a restart, counting begins anew.
 */
#include "core/clock.h"
#include "core/mem.h"
#include "mailctl/mailctl.h"
#include "mailctl/screen.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define INTERVAL_LEAST 0.1
#define INTERVAL_MOST  3600.0
#define TIME_WIDTH     8
#define HISTORY        500 /* lines */

enum kind {
    PER_SECOND,
    NOW,
    SHARE, /* of the time, in percent: microseconds per microsecond */
    MEAN,  /* milliseconds: microseconds in `member` per one in `of` */
};

/* The most important ones first: a narrow screen has not all of them. */
static const struct column {
    const char *title, *name; /* name: with --json */
    enum kind kind;
    const char *member, *of;
    int width;
} columns[] = {
    {"accept", "accepted", PER_SECOND, "accepted", NULL, 7},
    {"local", "delivered_local", PER_SECOND, "delivered_local", NULL, 7},
    {"sent", "delivered_remote", PER_SECOND, "delivered_remote", NULL, 7},
    {"defer", "deferred", PER_SECOND, "deferred", NULL, 6},
    {"bounce", "bounced", PER_SECOND, "bounced", NULL, 7},
    {"queue", "queue", NOW, "queue", NULL, 8},
    {"login", "logins", PER_SECOND, "logins", NULL, 6},
    {"fail", "logins_failed", PER_SECOND, "logins_failed", NULL, 5},
    {"sess", "sessions", NOW, "sessions", NULL, 7},
    {"imap", "imap_commands", PER_SECOND, "imap_commands", NULL, 7},
    {"cpu%", "processor_percent", SHARE, "processor_time", NULL, 5},
    {"conn", "connections_out", NOW, "connections_out", NULL, 6},
    {"sync", "journal_writes", PER_SECOND, "journal_writes", NULL, 6},
    {"ms", "journal_write_ms", MEAN, "journal_write_time", "journal_writes", 6},
    {"KB-in", "kilobytes_in", PER_SECOND, "bytes_in", NULL, 8},
    {"KB-out", "kilobytes_out", PER_SECOND, "bytes_out", NULL, 8},
};
#define COLUMNS (sizeof(columns) / sizeof(*columns))

static double difference(const json_t *before, const json_t *now, const char *member)
{
    return (double)(number_of(now, member) - number_of(before, member));
}

static double value_of(const struct column *c, const json_t *before, const json_t *now)
{
    double seconds = difference(before, now, "clock") / USEC_SEC;
    double value = difference(before, now, c->member);
    double of = c->of ? difference(before, now, c->of) : 0;
    switch (c->kind) {
    case NOW:
        return (double)number_of(now, c->member);
    case SHARE:
        return seconds > 0 ? value / seconds / USEC_SEC * 100 : 0;
    case MEAN:
        return of > 0 ? value / of / USEC_MSEC : 0;
    case PER_SECOND:
        break;
    }
    if (strncmp(c->member, "bytes", 5) == 0)
        value /= 1024;
    return seconds > 0 ? value / seconds : 0;
}

/* --- lines --- */

/* As many columns as the screen has room for. */
static size_t columns_shown(void)
{
    size_t n = 0, width = TIME_WIDTH, most = screen_is_terminal() ? screen_columns() : SIZE_MAX;
    while (n < COLUMNS && width + (size_t)columns[n].width <= most)
        width += (size_t)columns[n++].width;
    return n;
}

static void print_titles(size_t shown)
{
    printf("%s%-*s", shade_begin(SHADE_BOLD), TIME_WIDTH, "time");
    for (size_t i = 0; i < shown; i++)
        printf("%*s", columns[i].width, columns[i].title);
    printf("%s", shade_end());
}

static void add_line(struct buf *b, const double values[COLUMNS])
{
    char text[16];
    time_t t = (time_t)(clock_wall() / USEC_SEC);
    struct tm local;
    if (!localtime_r(&t, &local) || strftime(text, sizeof(text), "%H:%M:%S", &local) == 0)
        text[0] = '\0';
    buf_printf(b, "%-*s", TIME_WIDTH, text);
    for (size_t i = 0, shown = columns_shown(); i < shown; i++) {
        bool fine = columns[i].kind == MEAN || (columns[i].kind == PER_SECOND && values[i] < 10);
        buf_printf(b, "%*.*f", columns[i].width, fine && values[i] > 0 ? 1 : 0, values[i]);
    }
}

struct stats {
    bool json;
    char *lines[HISTORY]; /* a ring */
    size_t count;         /* that there were */
};

static void paint(const struct stats *s)
{
    size_t rows = screen_rows(), most = rows > 2 ? rows - 2 : 1;
    size_t kept = s->count < HISTORY ? s->count : HISTORY;
    if (most > kept)
        most = kept;
    printf("\033[H");
    print_titles(columns_shown());
    for (size_t i = s->count - most; i < s->count; i++)
        printf("\033[K\n%s", s->lines[i % HISTORY]);
    printf("\033[K\n\033[J");
}

static void show_line(struct stats *s, const double values[COLUMNS])
{
    struct buf b = BUF_EMPTY;
    add_line(&b, values);
    buf_c(&b);
    if (screen_is_terminal()) {
        free(s->lines[s->count % HISTORY]);
        s->lines[s->count++ % HISTORY] = b.p;
        paint(s);
        return;
    }
    if (s->count++ == 0) {
        print_titles(COLUMNS);
        putchar('\n');
    }
    puts(b.p);
    buf_free(&b);
}

static void show_json(const double values[COLUMNS])
{
    json_t *json = json_pack("{s:I}", "time", (json_int_t)(clock_wall() / USEC_SEC));
    for (size_t i = 0; i < COLUMNS; i++)
        json_object_set_new(json, columns[i].name,
                            columns[i].kind == NOW
                                ? json_integer((json_int_t)values[i])
                                : json_real((double)(int64_t)(values[i] * 100 + 0.5) / 100));
    json_dumpf(json, stdout, JSON_COMPACT | JSON_REAL_PRECISION(9));
    putchar('\n');
    json_told();
    json_decref(json);
}

static void show(struct stats *s, const json_t *before, const json_t *now)
{
    double values[COLUMNS];
    for (size_t i = 0; i < COLUMNS; i++)
        values[i] = value_of(&columns[i], before, now);
    if (s->json)
        show_json(values);
    else
        show_line(s, values);
    fflush(stdout);
}

/* --- again and again --- */

static void sleep_until(usec due)
{
    usec left = due - clock_monotonic();
    if (left <= 0)
        return;
    struct timespec t = {.tv_sec = left / USEC_SEC, .tv_nsec = left % USEC_SEC * 1000};
    nanosleep(&t, NULL);
}

static json_t *ask_counters(struct mailctl *m, struct err *e)
{
    json_t *result = NULL;
    struct client *c = client_open(m, e);
    if (!c)
        return NULL;
    client_call(c, "counters", NULL, &result, e);
    client_close(c);
    return result;
}

/* count 0: until it is interrupted. */
static int watch(struct mailctl *m, struct stats *s, usec interval, int64_t count)
{
    struct err e;
    json_t *before = ask_counters(m, &e), *now = NULL;
    usec due = clock_monotonic();
    if (before && screen_is_terminal() && !s->json)
        printf("\033[2J");
    for (int64_t done = 0; before && (count == 0 || done < count);) {
        due += interval;
        sleep_until(due);
        if (!(now = ask_counters(m, &e)))
            break;
        if (number_of(now, "pid") == number_of(before, "pid")) {
            show(s, before, now);
            done++;
        }
        json_decref(before);
        before = now;
    }
    bool ok = before && now;
    json_decref(before);
    return ok ? EXIT_OK : fail_error(&e);
}

int command_stats(struct mailctl *m, const struct arguments *a)
{
    struct stats s = {.json = m->json};
    const char *interval_text = option(a, "--interval") ? option(a, "--interval") : "1";
    const char *count_text = option(a, "--count") ? option(a, "--count") : "0";
    char *end, *count_end;
    double interval = strtod(interval_text, &end);
    long long count = strtoll(count_text, &count_end, 10);
    if (end == interval_text || *end || !(interval >= INTERVAL_LEAST && interval <= INTERVAL_MOST))
        return fail_usage("--interval: %g to %g seconds", INTERVAL_LEAST, INTERVAL_MOST);
    if (count_end == count_text || *count_end || count < 0)
        return fail_usage("--count: a number of lines, 0 for no end");
    int status = watch(m, &s, (usec)(interval * USEC_SEC), count);
    for (size_t i = 0; i < HISTORY; i++)
        free(s.lines[i]);
    return status;
}
