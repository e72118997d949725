#pragma once
/*
 * Measurements as Prometheus reads them: its text format 0.0.4, which OpenMetrics readers take as
 * well. A family is begun with its name, then has one sample or one for each set of labels.
 */
#include "core/buf.h"
#include "core/histogram.h"

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

struct metrics_text {
    struct buf *out;
    const char *name; /* of the family that was begun */
    enum metric_type type;
};

/* name: "maild_queue_messages"; of a counter it ends in _total, of a duration in _seconds. help:
 * one sentence. */
void metrics_family(struct metrics_text *t, const char *name, enum metric_type type,
                    const char *help);
/* A sample of a counter or gauge. label NULL: none; value of it in any letters. */
void metrics_sample(struct metrics_text *t, const char *label, struct str value, double number);
void metrics_histogram(struct metrics_text *t, const char *label, struct str value,
                       const struct histogram *h);

/* A family with one sample. */
void metrics_counter(struct metrics_text *t, const char *name, const char *help, uint64_t number);
void metrics_gauge(struct metrics_text *t, const char *name, const char *help, double number);
