/*
 * https://prometheus.io/docs/instrumenting/exposition_formats/: HELP and TYPE of each family once,
 * before its samples; in values of labels the backslash, the quote and the line feed are escaped.
 */
#include "core/metrics_text.h"

#include <stdio.h>

#define WHOLE_MAX 9e15 /* beyond it a double is not exact */

static const char *const type_names[] = {"counter", "gauge", "histogram"};

void metrics_family(struct metrics_text *t, const char *name, enum metric_type type,
                    const char *help)
{
    t->name = name;
    t->type = type;
    buf_printf(t->out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type_names[type]);
}

static void add_value(struct buf *out, struct str value)
{
    for (size_t i = 0; i < value.n; i++) {
        char c = value.p[i];
        if (c == '\n')
            buf_add_c(out, "\\n");
        else if (c == '"' || c == '\\')
            buf_printf(out, "\\%c", c);
        else
            buf_add_char(out, c);
    }
}

/* suffix: of the name; limit: of a bucket, "" : none. */
static void begin_sample(struct metrics_text *t, const char *suffix, const char *label,
                         struct str value, const char *limit)
{
    buf_printf(t->out, "%s%s", t->name, suffix);
    if (!label && !limit[0]) {
        buf_add_char(t->out, ' ');
        return;
    }
    buf_add_char(t->out, '{');
    if (label) {
        buf_printf(t->out, "%s=\"", label);
        add_value(t->out, value);
        buf_add_char(t->out, '"');
    }
    if (limit[0])
        buf_printf(t->out, "%sle=\"%s\"", label ? "," : "", limit);
    buf_add_c(t->out, "} ");
}

static void add_number(struct buf *out, double number)
{
    bool whole = number > -WHOLE_MAX && number < WHOLE_MAX && number == (double)(int64_t)number;
    if (whole)
        buf_printf(out, "%lld\n", (long long)number);
    else
        buf_printf(out, "%.9g\n", number);
}

void metrics_sample(struct metrics_text *t, const char *label, struct str value, double number)
{
    begin_sample(t, "", label, value, "");
    add_number(t->out, number);
}

void metrics_histogram(struct metrics_text *t, const char *label, struct str value,
                       const struct histogram *h)
{
    uint64_t below = 0;
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        char limit[32] = "+Inf";
        below += h->counts[i];
        if (histogram_limit(i) > 0)
            snprintf(limit, sizeof(limit), "%.9g", (double)histogram_limit(i) / USEC_SEC);
        begin_sample(t, "_bucket", label, value, limit);
        add_number(t->out, (double)below);
    }
    begin_sample(t, "_sum", label, value, "");
    add_number(t->out, (double)h->sum / USEC_SEC);
    begin_sample(t, "_count", label, value, "");
    add_number(t->out, (double)h->count);
}

void metrics_counter(struct metrics_text *t, const char *name, const char *help, uint64_t number)
{
    metrics_family(t, name, METRIC_COUNTER, help);
    metrics_sample(t, NULL, (struct str){0}, (double)number);
}

void metrics_gauge(struct metrics_text *t, const char *name, const char *help, double number)
{
    metrics_family(t, name, METRIC_GAUGE, help);
    metrics_sample(t, NULL, (struct str){0}, number);
}
