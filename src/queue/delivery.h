#pragma once
/*
 * One connection's life: items of one destination are sent (by the transport) or delivered here,
 * and what became of each recipient is written down.
 */
#include "queue/scheduler_internal.h"

/* Starts a fiber. NULL when there are none left. */
struct slot *connection_start(struct queue *q, struct destination *d, struct queue_item *item);
void connection_cancel(struct slot *slot);
