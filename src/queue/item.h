#pragma once
/*
 * Items: what is scheduled.
 */
#include "queue/queue_internal.h"

struct scheduler;
struct destination;

enum item_state {
    ITEM_WAITING, /* for its time, in the heap */
    ITEM_READY,   /* for a connection, in its destination's list */
    ITEM_SENDING,
};

/* Recipients of one message that go to the same destination, at most
 * QUEUE_TRANSACTION_RECIPIENTS; none: only the message's settling (reports, end) is due. */
struct queue_item {
    struct queue_message *message;
    struct queue_item *next; /* of the message */
    struct destination *destination;
    struct link ready;
    enum item_state state;
    uint32_t *recipients; /* indices */
    size_t count;
    usec due;          /* monotonic; while ready or being sent: since when */
    size_t heap_index; /* while waiting */
    uint64_t generation;
};

/* In no list yet. */
struct queue_item *item_new(struct queue_message *m, struct str key, const uint32_t *recipients,
                            size_t count);
/* Already detached. */
void item_free(struct scheduler *s, struct queue_item *item);
/* How long until the first of its recipients is to be tried. */
usec item_delay(const struct queue_item *item);
/* Items for the recipients that wait and have none; put(item) is called with each. */
void item_make_all(struct queue_message *m, void (*put)(struct queue_item *item));
struct queue_item *item_from_ready(struct link *l);
