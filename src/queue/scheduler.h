#pragma once
/*
 * When and where the waiting recipients are tried: the one place that decides it. Messages come in
 * with scheduler_add_message; the scheduler starts a fiber per connection (delivery.h) with an
 * item, which gives it back with scheduler_return.
 */
#include "queue/queue_internal.h"

struct queue_item;
struct destination;

struct scheduler *scheduler_new(struct queue *q);
void scheduler_free(struct scheduler *s);
/* From now on things are sent. */
void scheduler_start(struct scheduler *s);
/* Starts nothing new and waits for the connections to end; cancels them at the deadline. */
SUSPENDS void scheduler_stop(struct scheduler *s, usec deadline);
/* New settings. regroup: the relay host has changed, waiting items are sorted anew. */
void scheduler_reload(struct scheduler *s, bool regroup);

/* Makes items of the recipients that wait and have none yet. */
void scheduler_add_message(struct queue_message *m);
/* Frees the items that are not being sent. */
void scheduler_forget_message(struct queue_message *m);
/* Its waiting items are due now, unless its sender wants it to wait. */
void scheduler_retry_message(struct queue_message *m);
/* The same for those that have a recipient that matches. Returns whether there are any. */
bool scheduler_retry_matching(struct queue_message *m,
                              bool (*match)(const void *arg, const struct queue_recipient *r),
                              const void *arg);
/* Those of its waiting items that match are due now. Returns whether there are any. */
bool scheduler_retry_items(struct queue_message *m,
                           bool (*match)(const void *arg, const struct queue_item *item),
                           const void *arg);
/* Settling failed for now: once more after a while. */
void scheduler_settle_later(struct queue_message *m);

/* The item has been tried, or was not (postpone: another time, after that duration): recipients
 * that are done leave it; it waits for the first of the others, or is freed. */
void scheduler_return(struct queue_item *item, usec postpone);
/* Something of it is being sent or soon will be, so that reports to the sender are better made
 * together afterwards. */
bool scheduler_is_under_way(const struct queue_message *m);
/* The item was not tried: it is ready again. */
void scheduler_put_back(struct queue_item *item);
/* The next ready item of a destination, now being sent; there is one, and it may be sent. */
struct queue_item *scheduler_take(struct scheduler *s, struct destination *d);
/* Why the item is not being sent at this moment, for operators: "the next attempt is in 5 min",
 * "rate of route x, next in 3 s". */
void scheduler_reason(const struct queue_item *item, struct buf *out);

/* When a recipient is tried again after its attempts so far: a duration with jitter. */
usec scheduler_backoff(const struct queue_settings *s, uint32_t attempts);

size_t scheduler_connections(const struct scheduler *s);
/* Items that are being sent. */
size_t scheduler_sending(const struct scheduler *s);
