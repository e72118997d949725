#pragma once
/*
 * Items: what is scheduled.
 */
#include "queue/fair_list.h"

struct scheduler;
struct destination;

enum item_state {
    ITEM_WAITING, /* for its time, in the heap */
    ITEM_READY,   /* for a connection, in its destination's list */
    ITEM_SENDING,
};

/* Recipients of one message that go to the same destination, at most
 * QUEUE_TRANSACTION_RECIPIENTS; none: only the message's settling (reports, end) is due. There may
 * be a million of them. */
struct queue_item {
    struct queue_message *message;
    struct queue_item *next; /* of the message */
    struct destination *destination;
    union {
        struct {      /* while waiting */
            usec due; /* monotonic */
            size_t heap_index;
            struct link parked; /* in its destination's list, while that is dead */
        };
        struct {        /* from then on */
            usec since; /* when it became ready; monotonic */
            struct fair_entry ready;
        };
    };
    uint32_t generation; /* of the keys of destinations */
    uint16_t count;
    uint8_t state;         /* enum item_state */
    bool bulk : 1;         /* one of many of its sender */
    uint8_t again : 7;     /* put back unsent, since a connection failed while others worked */
    uint32_t recipients[]; /* indices */
};

/* In no list yet. */
struct queue_item *item_new(struct queue_message *m, struct str key, const uint32_t *recipients,
                            size_t count);
/* Already detached. */
void item_free(struct scheduler *s, struct queue_item *item);
/* How long until the first of its recipients is to be tried. */
usec item_delay(const struct queue_item *item);
/* The key of the destination that a recipient goes to (destination_key.h): its words, or in a. */
struct str item_destination(const struct queue_message *m, const struct queue_recipient *r,
                            struct arena *a);
/* Items for the recipients that wait and have none; put(item) is called with each. */
void item_make_all(struct queue_message *m, void (*put)(struct queue_item *item));

/* Into the heap, unless the delay is over: then it is ready. */
void item_wait(struct scheduler *s, struct queue_item *item, usec delay);
void item_make_ready(struct scheduler *s, struct queue_item *item);
/* The next one of a destination, which must have one, is being sent. */
struct queue_item *item_take(struct scheduler *s, struct destination *d);
/* Out of whatever list it is in. */
void item_detach(struct scheduler *s, struct queue_item *item);
struct queue_item *item_from_parked(struct link *l);
