#pragma once
/*
 * Counters of failed logins under names that strangers choose: so many and no more. Private to
 * auth; nothing suspends.
 */
#include "core/clock.h"
#include "core/str.h"

/* Wrong passwords of one name that are recognized when they come again. */
#define PENALTY_SECRETS 4

struct penalty_entry {
    unsigned char id[16];              /* what it is found by: a keyed hash of the name */
    struct str name;                   /* p == NULL: the place is free; of the table */
    double level;                      /* failures at `updated`; they are forgotten steadily */
    usec updated;                      /* clock_monotonic */
    usec locked_until;                 /* 0: not locked */
    uint64_t secrets[PENALTY_SECRETS]; /* hashes of wrong passwords, 0: none */
    unsigned next_secret;
};

struct penalty_table;

/* limit failures are forgotten in `memory`. */
struct penalty_table *penalty_table_new(void);
/* NULL is allowed. */
void penalty_table_free(struct penalty_table *t);
void penalty_table_set_leak(struct penalty_table *t, double limit, usec memory);

/* The entry with its level of this moment, or NULL. Valid until the next penalty_table_add. */
struct penalty_entry *penalty_table_find(struct penalty_table *t, struct str name);
/* The same; one that is not there is made, if need be in the place of the one that matters least.
 */
struct penalty_entry *penalty_table_add(struct penalty_table *t, struct str name);
void penalty_table_remove(struct penalty_table *t, struct penalty_entry *entry);
/* All entries, in no order; fn may remove the one it is called with. */
void penalty_table_each(struct penalty_table *t,
                        void (*fn)(void *arg, struct penalty_table *t, struct penalty_entry *entry),
                        void *arg);
/* Never 0. */
uint64_t penalty_table_hash(const struct penalty_table *t, struct str a, struct str b);
