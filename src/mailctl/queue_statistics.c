/*
 * What the queue is made of now, and how it was over time, as small charts of text: one line for
 * each number, a column for several minutes, hours or days.
 */
#include "mailctl/chart.h"
#include "mailctl/queue.h"

#include <stdio.h>
#include <string.h>

#define COLUMNS 72

/* --- queue top --- */

static void add_row(struct table *t, const json_t *row)
{
    json_t *age;
    size_t i;
    table_add(t, text_of(row, "name"));
    table_printf(t, "%lld", (long long)number_of(row, "count"));
    json_array_foreach(json_object_get(row, "ages"), i, age)
    {
        table_printf(t, "%lld", (long long)json_integer_value(age));
    }
}

static void add_item(void *arg, const json_t *item)
{
    add_row(arg, item);
}

static struct table *ages_table(const char *what)
{
    /* tally_ages of the server, in minutes. */
    static const char *titles[] = {"",     ">total", ">5",   ">10",   ">20",    ">40", ">80",
                                   ">160", ">320",   ">640", ">1280", ">1280+", NULL};
    titles[0] = what;
    return table_new(titles);
}

static json_t *top_args(const struct arguments *a, const char *by, const char *limit)
{
    json_t *args = queue_select(a, 0, SELECT_ANYTHING);
    if (!args)
        return NULL;
    json_object_set_new(args, "by", json_string(by));
    json_object_set_new(args, "limit", json_integer(strtoll(limit, NULL, 10)));
    return args;
}

int command_queue_top(struct mailctl *m, const struct arguments *a)
{
    const char *by = option(a, "--by") ? option(a, "--by") : "destination";
    const char *limit = option(a, "--limit") ? option(a, "--limit") : m->json ? "0" : "20";
    json_t *args = top_args(a, by, limit), *result = NULL;
    if (!args)
        return EXIT_USAGE;
    struct table *t = ages_table(by);
    int status = ask_items(m, "queue top", args, add_item, t, &result);
    bool print = status == EXIT_OK && !m->json;
    if (print)
        add_row(t, json_object_get(result, "total"));
    int64_t rows = number_of(result, "rows"), shown = strtoll(limit, NULL, 10);
    table_end(t, print, NULL);
    if (print)
        printf("\nages in minutes; the last line is the sum%s\n",
               shown && rows > shown ? " with those that are not shown" : "");
    if (print && shown && rows > shown)
        printf("%lld more: --limit N, 0 for all\n", (long long)(rows - shown));
    json_decref(result);
    return status;
}

/* --- queue stats: now --- */

static void ignore_item(void *arg, const json_t *item)
{
    (void)arg;
    (void)item;
}

static int print_now(struct mailctl *m)
{
    bool as_json = m->json;
    json_t *result = NULL, *status = NULL;
    const struct arguments none = {.count = 0};
    struct buf b = BUF_EMPTY;
    m->json = false; /* one object, made here */
    int code =
        ask_items(m, "queue top", top_args(&none, "destination", "1"), ignore_item, NULL, &result);
    if (code == EXIT_OK)
        code = ask(m, "status", NULL, &status);
    m->json = as_json;
    if (code == EXIT_OK) {
        json_t *queue = json_object_get(status, "queue");
        json_object_set(result, "queue", queue);
        if (m->json) {
            print_json(result);
        } else {
            buf_printf(&b, "%lld messages, ", (long long)number_of(queue, "messages"));
            add_size(&b, number_of(queue, "bytes"));
            printf("%s, %lld recipients, %lld being sent\n\n", buf_c(&b),
                   (long long)number_of(json_object_get(result, "total"), "count"),
                   (long long)number_of(queue, "sending"));
            struct table *t = ages_table("age in minutes");
            json_object_set_new(json_object_get(result, "total"), "name",
                                json_string("recipients"));
            add_row(t, json_object_get(result, "total"));
            table_print(t);
        }
    }
    buf_free(&b);
    json_decref(status);
    json_decref(result);
    return code;
}

/* --- queue stats: over time --- */

struct chart {
    json_t *samples;
    int64_t step, begin; /* begin: of the first column */
    size_t steps;        /* in a column */
};

static void keep_item(void *arg, const json_t *item)
{
    json_array_append(arg, (json_t *)item);
}

/* The columns of one number: sums, or the largest of sizes; -1: nothing is known. */
static int64_t fill_columns(const struct chart *c, const char *name, bool largest,
                            int64_t columns[COLUMNS])
{
    json_t *sample;
    size_t i;
    int64_t most = 0;
    for (i = 0; i < COLUMNS; i++)
        columns[i] = -1;
    json_array_foreach(c->samples, i, sample)
    {
        int64_t at = (number_of(sample, "time") - c->begin) / (c->step * (int64_t)c->steps);
        int64_t value = number_of(sample, name);
        if (at < 0 || at >= COLUMNS)
            continue;
        int64_t before = columns[at] < 0 ? 0 : columns[at];
        columns[at] = largest ? (value > before ? value : before) : before + value;
        most = columns[at] > most ? columns[at] : most;
    }
    return most;
}

static void print_series(const struct chart *c, const char *title, const char *name, bool largest,
                         void (*add_value)(struct buf *b, int64_t value))
{
    int64_t columns[COLUMNS], most = fill_columns(c, name, largest, columns), total = 0;
    struct buf b = BUF_EMPTY;
    for (size_t i = 0; i < COLUMNS; i++) {
        chart_add(&b, columns[i], most);
        total += columns[i] > 0 ? columns[i] : 0;
    }
    buf_add_c(&b, largest ? "  at most " : "  ");
    add_value(&b, largest ? most : total);
    printf("%-10s %s\n", title, buf_c(&b));
    buf_free(&b);
}

static void add_plain(struct buf *b, int64_t value)
{
    buf_printf(b, "%lld", (long long)value);
}

static void print_chart(const struct chart *c, const char *span)
{
    struct buf b = BUF_EMPTY;
    int64_t column = c->step * (int64_t)c->steps;
    add_time(&b, c->begin);
    buf_add_c(&b, " to ");
    add_time(&b, c->begin + column * COLUMNS);
    buf_add_c(&b, ", each column ");
    add_duration(&b, column);
    printf("%s: %s\n\n", span, buf_c(&b));
    buf_free(&b);
    print_series(c, "messages", "messages_max", true, add_plain);
    print_series(c, "size", "bytes_max", true, add_size);
    print_series(c, "accepted", "accepted", false, add_plain);
    print_series(c, "delivered", "delivered", false, add_plain);
    print_series(c, "deferred", "deferred", false, add_plain);
    print_series(c, "bounced", "bounced", false, add_plain);
}

static int print_span(struct mailctl *m, const char *span)
{
    json_t *result = NULL;
    struct chart c = {.samples = json_array()};
    int status = ask_items(m, "queue stats", args_of("span", span, NULL, NULL), keep_item,
                           c.samples, &result);
    if (status == EXIT_OK && !m->json) {
        int64_t steps = number_of(result, "steps"), now = number_of(result, "now");
        c.step = number_of(result, "step");
        c.steps = (size_t)(steps + COLUMNS - 1) / COLUMNS;
        int64_t column = c.step * (int64_t)c.steps;
        c.begin = now - now % column + column - column * COLUMNS;
        print_chart(&c, span);
    }
    json_decref(c.samples);
    json_decref(result);
    return status;
}

int command_queue_stats(struct mailctl *m, const struct arguments *a)
{
    static const char *const spans[] = {"--day", "--week", "--year"};
    const char *chosen = NULL;
    for (size_t i = 0; i < 3; i++) {
        if (chosen && option(a, spans[i]))
            return fail_usage("%s or %s, not both", chosen, spans[i]);
        chosen = option(a, spans[i]) ? spans[i] : chosen;
    }
    return chosen ? print_span(m, chosen + 2) : print_now(m);
}
