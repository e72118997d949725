/*
 * `mailctl check`: the server as a plugin of Nagios, Icinga and their like tells of it. One line
 * says what is the matter and has the measurements behind a "|"; further lines are what needs
 * attention. The exit status is the plugins': 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN.
 *
 * Two things make a verdict: measurements with thresholds of the caller (the table below), and the
 * warnings that the server itself has (ctl/ctl_warnings.c), but for those about something that is
 * measured here.
 */
#include "core/buf.h"
#include "core/clock.h"
#include "mailctl/clean_text.h"
#include "mailctl/mailctl.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum verdict { OK, WARNING, CRITICAL, UNKNOWN };

static const char *const verdict_names[] = {"OK", "WARNING", "CRITICAL", "UNKNOWN"};

struct threshold {
    bool has_warning, has_critical;
    int64_t warning, critical;
};

/* --- what is measured --- */

static bool find_queue(const json_t *status, int64_t *value)
{
    *value = number_of(json_object_get(status, "queue"), "messages");
    return true;
}

static bool find_oldest(const json_t *status, int64_t *value)
{
    int64_t arrival = number_of(json_object_get(status, "queue"), "oldest");
    *value = arrival > 0 ? (clock_wall() / USEC_SEC - arrival) / 60 : 0;
    return true;
}

static bool find_connections(const json_t *status, int64_t *value)
{
    const json_t *load = json_object_get(status, "load");
    int64_t most = number_of(load, "connections_max");
    *value = most > 0 ? number_of(load, "connections") * 100 / most : 0;
    return most > 0;
}

/* The least of all disks, in percent. */
static bool find_free(const json_t *status, const char *part, const char *whole, int64_t *value)
{
    const json_t *disk;
    size_t i;
    bool found = false;
    json_array_foreach(json_object_get(status, "disks"), i, disk)
    {
        int64_t all = number_of(disk, whole);
        int64_t percent = all > 0 ? number_of(disk, part) * 100 / all : 0;
        if (all == 0 || !json_is_true(json_object_get(disk, "known")))
            continue;
        *value = !found || percent < *value ? percent : *value;
        found = true;
    }
    return found;
}

static bool find_disk(const json_t *status, int64_t *value)
{
    return find_free(status, "bytes_free", "bytes", value);
}

static bool find_inodes(const json_t *status, int64_t *value)
{
    return find_free(status, "inodes_free", "inodes", value);
}

static bool find_certificate(const json_t *status, int64_t *value)
{
    const json_t *certificate;
    size_t i;
    bool found = false;
    json_array_foreach(json_object_get(status, "certificates"), i, certificate)
    {
        int64_t days = number_of(certificate, "days_left");
        *value = !found || days < *value ? days : *value;
        found = true;
    }
    return found;
}

/* What says itself when it is late, since that depends on its life. The thresholds are those of the
 * certificate that is worst off, and for whom they are shown; the verdict knows the hour. */
static enum verdict judge_certificates(const json_t *status, int64_t *days, struct threshold *t)
{
    const json_t *certificate;
    enum verdict worst = OK;
    size_t i;
    int64_t now = clock_wall() / USEC_SEC;
    json_array_foreach(json_object_get(status, "certificates"), i, certificate)
    {
        int64_t left = number_of(certificate, "days_left"), end = number_of(certificate, "expires"),
                late = number_of(certificate, "late_from"),
                urgent = number_of(certificate, "urgent_from");
        enum verdict verdict = now >= urgent ? CRITICAL : now >= late ? WARNING : OK;
        if (i > 0 && (verdict < worst || (verdict == worst && left >= *days)))
            continue;
        worst = verdict;
        *days = left;
        *t = (struct threshold){true, true, (end - late) / 86400, (end - urgent) / 86400};
    }
    return worst;
}

static const struct measure {
    const char *option, *otherwise; /* its thresholds when none are given; NULL: judge knows */
    bool less;                      /* is worse */
    const char *label, *unit;       /* in the measurements */
    const char *before, *after;     /* the value, for people */
    bool (*find)(const json_t *status, int64_t *value); /* false: there is none */
    const char *kind; /* of warnings of the server that are about the same; NULL: none */
    /* Instead of thresholds when none are given, or NULL. */
    enum verdict (*judge)(const json_t *status, int64_t *value, struct threshold *t);
} measures[] = {
    {"--queue", "10000,50000", false, "queue", "", "", " messages wait", find_queue, NULL, NULL},
    {"--oldest", "off", false, "oldest", "", "the oldest has waited for ", " minutes", find_oldest,
     NULL, NULL},
    {"--connections", "80,95", false, "connections", "%", "", " % of all connections are open",
     find_connections, NULL, NULL},
    {"--disk", "10,5", true, "disk_free", "%", "", " % of the disk are free", find_disk, "disk",
     NULL},
    {"--inodes", "10,5", true, "inodes_free", "%", "", " % of the inodes are free", find_inodes,
     "disk", NULL},
    {"--certificate", NULL, true, "certificate_days", "", "", " days until a certificate expires",
     find_certificate, "certificate", judge_certificates},
};
#define MEASURES (sizeof(measures) / sizeof(*measures))

/* --- thresholds --- */

static bool parse_number(struct str text, bool *has, int64_t *value)
{
    *value = 0;
    *has = text.n > 0;
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] < '0' || text.p[i] > '9' || i >= 12)
            return false;
        *value = *value * 10 + (text.p[i] - '0');
    }
    return true;
}

/* "W,C", either may be missing; "off". */
static bool parse_threshold(const char *text, struct threshold *t)
{
    struct str s = str_from_c(text);
    ptrdiff_t comma = str_find_char(s, ',');
    *t = (struct threshold){.warning = 0};
    if (str_equal(s, STR("off")))
        return true;
    return comma >= 0 && parse_number(str_head(s, (size_t)comma), &t->has_warning, &t->warning) &&
           parse_number(str_skip(s, (size_t)comma + 1), &t->has_critical, &t->critical);
}

static bool is_beyond(const struct measure *m, int64_t value, int64_t limit)
{
    return m->less ? value < limit : value >= limit;
}

static enum verdict judge(const struct measure *m, const struct threshold *t, int64_t value)
{
    if (t->has_critical && is_beyond(m, value, t->critical))
        return CRITICAL;
    return t->has_warning && is_beyond(m, value, t->warning) ? WARNING : OK;
}

/* --- the verdict --- */

struct check {
    struct threshold thresholds[MEASURES];
    bool given[MEASURES];    /* by the caller */
    bool measured[MEASURES]; /* there is such a thing, and it has a threshold */
    enum verdict verdict;
    json_t *problems; /* texts, the reasons for the verdict first */
    struct buf numbers;
};

static void add_problem(struct check *k, enum verdict verdict, json_t *text)
{
    if (verdict > k->verdict)
        json_array_insert_new(k->problems, 0, text);
    else
        json_array_append_new(k->problems, text);
    k->verdict = verdict > k->verdict ? verdict : k->verdict;
}

/* 'label'=value[unit];[warn];[crit];[min];[max] of the plugins' guidelines. A range "10:" is left
 * below 10. A number alone is left above it, and these thresholds are met when they are reached. */
static void add_limit(struct buf *b, const struct measure *m, bool has, int64_t limit)
{
    if (has)
        buf_printf(b, m->less ? ";%lld:" : ";%lld",
                   (long long)(m->less || limit == 0 ? limit : limit - 1));
    else
        buf_add_char(b, ';');
}

static void measure(struct check *k, const json_t *status)
{
    for (size_t i = 0; i < MEASURES; i++) {
        const struct measure *m = &measures[i];
        struct threshold *t = &k->thresholds[i];
        int64_t value;
        if (!m->find(status, &value))
            continue;
        enum verdict verdict =
            !m->otherwise && !k->given[i] ? m->judge(status, &value, t) : judge(m, t, value);
        buf_printf(&k->numbers, " %s=%lld%s", m->label, (long long)value, m->unit);
        add_limit(&k->numbers, m, t->has_warning, t->warning);
        add_limit(&k->numbers, m, t->has_critical, t->critical);
        buf_add_c(&k->numbers, m->unit[0] ? ";0;100" : m->less ? ";;" : ";0;");
        k->measured[i] = t->has_warning || t->has_critical;
        if (verdict == OK)
            continue;
        struct buf text = BUF_EMPTY;
        buf_printf(&text, "%s%lld%s", m->before, (long long)value, m->after);
        add_problem(k, verdict, json_string(buf_c(&text)));
        buf_free(&text);
    }
}

/* Measured here, with thresholds of the caller. */
static bool is_measured(const struct check *k, const char *kind)
{
    for (size_t i = 0; i < MEASURES; i++)
        if (k->measured[i] && measures[i].kind && strcmp(measures[i].kind, kind) == 0)
            return true;
    return false;
}

static bool is_ignored(const struct arguments *a, const char *kind)
{
    json_t *list = option_list(a, "--ignore"), *item;
    size_t i;
    bool ignored = false;
    json_array_foreach(list, i, item)
    {
        ignored = ignored || strcmp(json_string_value(item), kind) == 0;
    }
    json_decref(list);
    return ignored;
}

static void take_warnings(struct check *k, const struct arguments *a, const json_t *status)
{
    json_t *warning;
    size_t i;
    json_array_foreach(json_object_get(status, "warnings"), i, warning)
    {
        bool critical = strcmp(text_of(warning, "level"), "critical") == 0;
        const char *kind = text_of(warning, "kind");
        if (!is_ignored(a, kind) && (critical || !is_measured(k, kind)))
            add_problem(k, critical ? CRITICAL : WARNING,
                        json_incref(json_object_get(warning, "text")));
    }
}

/* Without thresholds, for graphs. */
static void add_counts(struct check *k, const json_t *status)
{
    const json_t *queue = json_object_get(status, "queue");
    const struct {
        const char *label;
        int64_t value;
        const char *unit;
    } counts[] = {
        {"sessions", number_of(json_object_get(status, "sessions"), "total"), ""},
        {"accepted", number_of(queue, "accepted"), "c"},
        {"delivered_local", number_of(queue, "delivered_local"), "c"},
        {"delivered_remote", number_of(queue, "delivered_remote"), "c"},
        {"deferred", number_of(queue, "deferred"), "c"},
        {"bounced", number_of(queue, "bounced"), "c"},
        {"logins", number_of(json_object_get(status, "logins"), "succeeded"), "c"},
        {"logins_failed", number_of(json_object_get(status, "logins"), "failed"), "c"},
    };
    for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++)
        buf_printf(&k->numbers, " %s=%lld%s", counts[i].label, (long long)counts[i].value,
                   counts[i].unit);
}

/* --- telling --- */

/* A "|" would begin the measurements, a line break another line. */
static void print_text(const char *text)
{
    struct buf b = BUF_EMPTY;
    clean_text_add(&b, str_from_c(text), "");
    for (size_t i = 0; i < b.n; i++)
        putchar(b.p[i] == '|' ? '/' : b.p[i]);
    buf_free(&b);
}

static void print_check(const struct check *k, const json_t *status)
{
    const json_t *problem;
    size_t i, count = json_array_size(k->problems);
    char text[COUNT_TEXT];
    printf("MAILD %s - ", verdict_names[k->verdict]);
    if (count == 0)
        printf("%s, %s",
               count_of(text, number_of(json_object_get(status, "sessions"), "total"), "session"),
               "all is well");
    else
        print_text(json_string_value(json_array_get(k->problems, 0)));
    if (count > 1)
        printf(" (and %zu more)", count - 1);
    printf("%s%.*s\n", k->numbers.n ? " |" : "", STR_ARG(buf_str(&k->numbers)));
    json_array_foreach(k->problems, i, problem)
    {
        if (i == 0)
            continue;
        print_text(json_string_value(problem));
        putchar('\n');
    }
}

static void print_check_json(const struct check *k)
{
    json_t *json = json_pack("{s:s, s:O, s:s}", "verdict", verdict_names[k->verdict], "problems",
                             k->problems, "measurements", k->numbers.n ? k->numbers.p + 1 : "");
    print_json(json);
    json_decref(json);
}

/* Nothing can be said but this. */
static int give_up(struct mailctl *m, enum verdict verdict, const char *text)
{
    struct check k = {.verdict = verdict, .problems = json_pack("[s]", text)};
    if (m->json)
        print_check_json(&k);
    else
        print_check(&k, NULL);
    json_decref(k.problems);
    return (int)verdict;
}

static void be_late(int number)
{
    static const char text[] = "MAILD CRITICAL - the server does not answer in time\n";
    (void)number;
    ssize_t ignored = write(STDOUT_FILENO, text, sizeof(text) - 1);
    (void)ignored;
    _exit(CRITICAL);
}

static bool take_options(struct check *k, const struct arguments *a)
{
    const char *timeout = option(a, "--timeout") ? option(a, "--timeout") : "10";
    bool has;
    int64_t seconds;
    for (size_t i = 0; i < MEASURES; i++) {
        const char *given = option(a, measures[i].option),
                   *text = given ? given : measures[i].otherwise;
        k->given[i] = given != NULL;
        if (!text || parse_threshold(text, &k->thresholds[i]))
            continue;
        fail_usage("%s: WARNING,CRITICAL is expected, or off: %s", measures[i].option, text);
        return false;
    }
    if (!parse_number(str_from_c(timeout), &has, &seconds) || seconds < 1 || seconds > 3600) {
        fail_usage("--timeout: 1 to 3600 seconds");
        return false;
    }
    signal(SIGALRM, be_late);
    alarm((unsigned)seconds);
    return true;
}

int command_check(struct mailctl *m, const struct arguments *a)
{
    struct err e;
    json_t *status = NULL;
    struct check k = {.verdict = OK};
    if (!take_options(&k, a))
        return UNKNOWN;
    struct client *c = client_open(m, &e);
    bool ok = c && client_call(c, "status", NULL, &status, &e);
    if (c)
        client_close(c);
    if (!ok)
        return give_up(m, e.kind == ERR_CLOSED || e.kind == ERR_TIMEOUT ? CRITICAL : UNKNOWN,
                       e.text);
    k.problems = json_array();
    measure(&k, status);
    take_warnings(&k, a, status);
    add_counts(&k, status);
    buf_c(&k.numbers);
    if (m->json)
        print_check_json(&k);
    else
        print_check(&k, status);
    json_decref(k.problems);
    buf_free(&k.numbers);
    json_decref(status);
    return (int)k.verdict;
}
