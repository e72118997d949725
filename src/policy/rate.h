#pragma once
/*
 * How often something happened within a period that slides along: a table of counters by key,
 * bounded, where the key that was silent for longest goes first. Nothing here suspends.
 */
#include "core/clock.h"
#include "core/str.h"

struct rate_table;

struct rate_table *rate_table_new(size_t keys_max);
/* NULL is allowed. */
void rate_table_free(struct rate_table *t);

/* Sum of what was added for the key within the last `period`, and up to a twelfth of it longer: the
 * limit that is held against it holds for every period. now: clock_monotonic. */
uint64_t rate_count(const struct rate_table *t, struct str key, usec period, usec now);
void rate_add(struct rate_table *t, struct str key, usec period, usec now, uint32_t amount);

/* The keys that have a count now, the latest first; fn returns false to stop. */
void rate_each(struct rate_table *t, usec period, usec now,
               bool (*fn)(void *arg, struct str key, uint64_t count), void *arg);
size_t rate_table_size(const struct rate_table *t);
uint64_t rate_table_evicted(const struct rate_table *t);
