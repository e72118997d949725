#pragma once
/*
 * The scheduler's side of a connection (delivery.h): what it counts as, and how it waits for more
 * to do.
 */
#include "queue/queue_internal.h"

struct scheduler;
struct destination;
struct lane;
struct queue_item;

enum slot_kind {
    SLOT_LOCAL,    /* for what stays here; limited by itself */
    SLOT_ATTEMPT,  /* to a destination of which nobody knows whether its servers answer */
    SLOT_STALE,    /* an attempt that has waited so long that it will hardly succeed */
    SLOT_CARRYING, /* to one whose servers answer */
};
#define SLOT_KINDS 4

struct slot {
    struct link link;      /* of the scheduler */
    struct link lingering; /* of the destination */
    struct link idle;      /* of the scheduler: those that linger */
    struct scheduler *scheduler;
    struct destination *destination;
    struct lane *route;
    enum slot_kind kind;
    struct timer timer;
    uint32_t generation; /* of the keys of destinations, when it began */
    unsigned messages;
    struct cond wake; /* while lingering */
    struct queue_item *handed;
    bool give_up;
};

/* A new connection; counted from now on. */
void slot_begin(struct slot *slot, struct scheduler *s, struct destination *d);
void slot_end(struct slot *slot);

/* A message is being sent over it, until slot_delivered or slot_failed. */
void slot_sends(struct slot *slot);
/* A server is ready for mail. */
void slot_connected(struct slot *slot);
/* The message was dealt with. */
void slot_delivered(struct slot *slot);
/* No server could be had. False: the destination is dead now. */
bool slot_failed(struct slot *slot, struct str code, struct str words);

/* The next item for its destination, now being sent, waiting a while for one if nobody else needs
 * the connection. NULL: it is to end. */
SUSPENDS struct queue_item *slot_next_item(struct slot *slot);

/* For destinations: the slot gets the next item. */
void slot_hand_over(struct scheduler *s, struct slot *slot);
struct slot *slot_from_link(struct link *l);
struct slot *slot_from_lingering(struct link *l);
/* One that lingers, on this lane (NULL: any), ends, since others need it. */
void slots_give_up_one(struct scheduler *s, const struct lane *lane);
void slots_give_up_all(struct scheduler *s);
