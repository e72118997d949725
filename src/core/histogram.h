#pragma once
/*
 * How long things took, or how large they were: counts in buckets whose limits double, from a tenth
 * of a millisecond to about two hours. Counting is a few comparisons and an addition.
 */
#include "core/clock.h"

#define HISTOGRAM_BUCKETS 27 /* the last one: longer than all limits */
#define HISTOGRAM_FIRST   ((usec)100)

struct histogram {
    uint64_t counts[HISTOGRAM_BUCKETS]; /* each of its own bucket only */
    uint64_t count;
    usec sum;
};

/* duration < 0 (a clock that was set back) counts as 0. */
void histogram_add(struct histogram *h, usec duration);
/* Upper limit of a bucket; the last has none: 0. */
usec histogram_limit(size_t bucket);
/* The limit below which so many per thousand are; 0: there are none, or beyond all limits. */
usec histogram_quantile(const struct histogram *h, unsigned per_thousand);
