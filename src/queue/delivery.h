#pragma once
/*
 * One connection's life: items of one destination are sent (by the transport) or delivered here,
 * and what became of each recipient is written down.
 */
#include "queue/destination.h"
#include "queue/item.h"
#include "queue/scheduler.h"

struct connection;

/* Starts a fiber; ended(arg, connection) is called in it as its last act, after which the
 * connection is freed. NULL when there are no fibers left. */
struct connection *connection_start(struct queue *q, struct destination *d, struct queue_item *item,
                                    void (*ended)(void *arg, struct connection *c), void *arg);
void connection_cancel(struct connection *c);
/* For the scheduler's list. */
struct link *connection_link(struct connection *c);
struct connection *connection_from_link(struct link *l);
struct destination *connection_destination(const struct connection *c);
