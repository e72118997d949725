#pragma once
/*
 * How many connections are open at a time, by key (an address, a network). As large as the number
 * of connections, which has a limit of its own. Nothing here suspends.
 */
#include "core/str.h"

struct connection_counts;
struct connection_count;

struct connection_counts *connection_counts_new(void);
/* All have been given back. NULL is allowed. */
void connection_counts_free(struct connection_counts *t);

/* One more; what is to be given back. */
struct connection_count *connection_count_take(struct connection_counts *t, struct str key);
void connection_count_give(struct connection_counts *t, struct connection_count *c);
uint64_t connection_count_value(const struct connection_count *c);
/* 0 for a key that is not there. */
uint64_t connection_count_of(const struct connection_counts *t, struct str key);
void connection_counts_each(struct connection_counts *t,
                            bool (*fn)(void *arg, struct str key, uint64_t count), void *arg);
