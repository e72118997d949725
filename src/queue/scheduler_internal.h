#pragma once
/*
 * What the files of the scheduler share.
 */
#include "queue/destination.h"
#include "queue/due_heap.h"
#include "queue/item.h"
#include "queue/scheduler.h"
#include "queue/senders.h"
#include "queue/slot.h"

/* When nothing can be started for want of fibers. */
#define START_RETRY (5 * USEC_SEC)
/* Connections' fibers for what stays here. */
#define LOCAL_CONNECTIONS 10

/* Destinations that may have a connection, by what limits its number. */
enum run_class {
    RUN_LOCAL,
    RUN_KNOWN,   /* their servers answer */
    RUN_SLOW,    /* that, but slowly */
    RUN_UNKNOWN, /* nobody knows whether they do */
};
#define RUN_CLASSES 4

struct run_queue {
    struct link lists[2]; /* [1]: that have only bulk */
    bool bulk_next;
};

struct scheduler {
    struct queue *queue;
    struct due_heap waiting;
    struct timer timer;
    void *destinations;            /* tsearch tree of struct destination */
    struct link destinations_list; /* the same */
    struct link idle;              /* of them, those that are kept only; longest unused first */
    size_t idle_count;
    struct lanes lanes;
    struct senders senders;
    struct run_queue runs[RUN_CLASSES];
    struct link slots;
    struct link lingering; /* slots, longest first */
    size_t counts[SLOT_KINDS];
    size_t slow_connections;
    size_t sending;
    size_t deferring;    /* fibers that defer what is ready for a dead destination */
    struct link revived; /* items whose destination lives again */
    struct timer revive_timer;
    uint32_t generation; /* of the keys of destinations: grows with each reload */
    bool sweep_messages, sweep_destinations, sweeping;
    struct timer sweep_timer;
    bool started, stopping, pump_pending;
    struct cond ended;
};

/* --- scheduler.c --- */

/* Connections are started at the end of the loop's turn. */
void scheduler_pump_soon(struct scheduler *s);
/* The list for a destination that may have another connection. */
struct link *scheduler_list_for(struct scheduler *s, const struct destination *d);
/* Destinations whose servers answer wait for others' connections to end. */
bool scheduler_is_crowded(const struct scheduler *s);
/* For the first of the waiting items. */
void scheduler_set_timer(struct scheduler *s);
/* Items for a message that is here from before the start, unless it had its turn. */
void scheduler_add_unscheduled(struct queue_message *m);
/* What waits since the destination was dead is ready, a part at a time. */
void scheduler_revive(struct scheduler *s, struct destination *d);

/* --- scheduler_sweep.c --- */

/* A fiber looks at all messages that have no items or some with old keys, and at all
 * destinations. */
void scheduler_sweep(struct scheduler *s, bool messages, bool destinations);
