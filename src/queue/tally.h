#pragma once
/*
 * Counting what waits: how much there is for each destination, sender or reason, and how old it is.
 */
#include "queue/operate.h"

#define TALLY_AGES 10
/* Upper bounds of the ages in minutes; the last one has none. */
extern const unsigned tally_ages[TALLY_AGES - 1];

struct tally_row {
    struct str key;
    uint64_t count, bytes; /* bytes: of the messages */
    uint64_t ages[TALLY_AGES];
};

enum tally_by {
    TALLY_BY_DESTINATION, /* recipients, by their domains */
    TALLY_BY_ROUTE,       /* recipients, by the rule that they go by */
    TALLY_BY_REASON,      /* recipients that were tried; numbers and addresses made alike */
    TALLY_BY_SENDER,      /* messages */
    TALLY_BY_SENDER_DOMAIN,
    TALLY_BY_LOGIN,
};
/* "destination"; false when there is no such thing. */
bool tally_by_find(struct str name, enum tally_by *by);

struct tally;

/* f is borrowed. */
struct tally *tally_new(const struct queue_filter *f, enum tally_by by);
void tally_free(struct tally *t);
/* Looks at the whole queue. false: cancelled. */
SUSPENDS bool tally_run(struct tally *t, struct queue *q,
                        SUSPENDS bool (*breathe)(void *arg, uint64_t done, uint64_t of,
                                                 struct err *e),
                        void *arg, struct err *e);
/* Most first; in t. More keys than TALLY_KEYS_MAX are one row "(others)". */
void tally_rows(struct tally *t, struct tally_row **rows, size_t *count);
/* All of them together: its count is of what the others count. */
const struct tally_row *tally_total(const struct tally *t);

/* A server's words so that those of many recipients can be counted together: addresses become
 * <...>, numbers in them (but the codes at their beginning) #. Pure. */
void tally_reason(struct buf *out, struct str text);
