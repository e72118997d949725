#pragma once
/*
 * What the files of the scheduler share.
 */
#include "queue/destination.h"
#include "queue/due_heap.h"
#include "queue/item.h"
#include "queue/scheduler.h"

struct scheduler {
    struct queue *queue;
    struct due_heap waiting;
    struct timer timer;
    void *destinations; /* tsearch tree of struct destination */
    struct link runnable;
    struct link connections;
    size_t connection_count, sending;
    uint64_t generation; /* grows with each reload */
    bool started, stopping, pump_pending;
    struct cond ended;
};

/* Connections are started at the end of the loop's turn. */
void scheduler_pump_soon(struct scheduler *s);
