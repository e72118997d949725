/*
 * The scheduler. A message's waiting recipients are grouped into items, one for each destination
 * (domain, relay host, or "here" for accounts and addresses that could not be served at first).
 * Items wait for their time in a heap with one timer for the first of them, then in the ready list
 * of their destination. Destinations that have ready items and room for another connection stand in
 * the list of runnable ones, which is served in turn, so a destination with much mail does not
 * hold up the others.
 *
 * Each start of a connection takes one item; the connection asks for more of the same destination
 * when it is done (scheduler_take).
 *
 * Times are monotonic here; the wall clock's only use is to turn the stored time of the next
 * attempt into a delay, which is never more than the longest back-off, whatever the clock says. A
 * message that its sender wants held (RFC 4865) is looked at as often, and waits on by the wall
 * clock.
 */
#include "queue/scheduler.h"

#include "core/log.h"
#include "core/mem.h"
#include "core/random.h"
#include "queue/delivery.h"
#include "queue/message.h"
#include "queue/pause.h"
#include "queue/scheduler_internal.h"

#include <assert.h>
#include <stdlib.h>

/* When no connection can be started for want of fibers. */
#define START_RETRY (5 * USEC_SEC)

/* --- items change their state --- */

static void timer_update(struct scheduler *s);

static void item_make_ready(struct scheduler *s, struct queue_item *item)
{
    item->state = ITEM_READY;
    item->due = clock_monotonic();
    item->message->active++;
    ready_list_add(&item->destination->ready, &item->ready, item->message->options.priority);
    destination_update(s, item->destination);
}

static void item_wait(struct scheduler *s, struct queue_item *item, usec delay)
{
    if (delay <= 0) {
        item_make_ready(s, item);
        return;
    }
    item->state = ITEM_WAITING;
    item->due = clock_monotonic() + delay;
    due_heap_add(&s->waiting, item);
    timer_update(s);
}

/* Out of whatever list it is in. */
static void item_detach(struct scheduler *s, struct queue_item *item)
{
    switch (item->state) {
    case ITEM_WAITING:
        due_heap_remove(&s->waiting, item);
        break;
    case ITEM_READY:
        link_remove(&item->ready);
        item->message->active--;
        destination_update(s, item->destination);
        break;
    case ITEM_SENDING:
        item->message->active--;
        s->sending--;
        break;
    }
}

/* --- messages --- */

static bool needs_settling(const struct queue_message *m)
{
    bool done = true;
    for (size_t i = 0; i < m->recipient_count; i++) {
        const struct queue_recipient *r = &m->recipients[i];
        if (recipient_is_unreported(r))
            return true;
        done = done && recipient_is_done(r);
    }
    return done;
}

static void item_begin(struct queue_item *item)
{
    item_wait(item->message->queue->scheduler, item, item_delay(item));
}

void scheduler_add_message(struct queue_message *m)
{
    item_make_all(m, item_begin);
    if (needs_settling(m))
        item_make_ready(m->queue->scheduler, item_new(m, STR(""), NULL, 0));
}

void scheduler_settle_later(struct queue_message *m)
{
    struct scheduler *s = m->queue->scheduler;
    struct queue_item *item = item_new(m, STR(""), NULL, 0);
    item_wait(s, item, scheduler_backoff(&m->queue->config->settings, 1));
}

void scheduler_forget_message(struct queue_message *m)
{
    struct scheduler *s = m->queue->scheduler;
    for (struct queue_item *item = m->items, *next; item; item = next) {
        next = item->next;
        if (item->state == ITEM_SENDING)
            continue;
        item_detach(s, item);
        item_free(s, item);
    }
    timer_update(s);
}

static bool item_matches(const struct queue_item *item,
                         bool (*match)(const void *arg, const struct queue_recipient *r),
                         const void *arg)
{
    for (size_t i = 0; i < item->count; i++)
        if (match(arg, &item->message->recipients[item->recipients[i]]))
            return true;
    return false;
}

bool scheduler_retry_matching(struct queue_message *m,
                              bool (*match)(const void *arg, const struct queue_recipient *r),
                              const void *arg)
{
    struct scheduler *s = m->queue->scheduler;
    bool found = false;
    if (message_is_held(m))
        return false;
    for (struct queue_item *item = m->items; item; item = item->next) {
        if (item->state != ITEM_WAITING || (match && !item_matches(item, match, arg)))
            continue;
        due_heap_remove(&s->waiting, item);
        item_make_ready(s, item);
        found = true;
    }
    timer_update(s);
    return found;
}

void scheduler_retry_message(struct queue_message *m)
{
    scheduler_retry_matching(m, NULL, NULL);
}

void scheduler_return(struct queue_item *item, usec postpone)
{
    struct queue_message *m = item->message;
    struct scheduler *s = m->queue->scheduler;
    size_t left = 0;
    item_detach(s, item);
    for (size_t i = 0; i < item->count; i++) {
        struct queue_recipient *r = &m->recipients[item->recipients[i]];
        if (r->state == RECIPIENT_SENDING)
            r->state = RECIPIENT_WAITING;
        if (r->state == RECIPIENT_WAITING)
            item->recipients[left++] = item->recipients[i];
    }
    bool was_settling = item->count == 0;
    item->count = left;
    if (m->deleted || (left == 0 ? !(was_settling && postpone) : m->on_hold) ||
        item->generation != s->generation) {
        item_free(s, item);
        if (!m->deleted && left > 0)
            scheduler_add_message(m);
        return;
    }
    item_wait(s, item, postpone ? postpone : item_delay(item));
}

struct queue_item *scheduler_take(struct scheduler *s, struct destination *d)
{
    struct link *first = ready_list_first(&d->ready);
    if (s->stopping || !first || pause_covers(s->queue->pause, d->key))
        return NULL;
    struct queue_item *item = item_from_ready(first);
    link_remove(&item->ready);
    item->state = ITEM_SENDING;
    s->sending++;
    for (size_t i = 0; i < item->count; i++)
        item->message->recipients[item->recipients[i]].state = RECIPIENT_SENDING;
    destination_update(s, d);
    return item;
}

usec scheduler_backoff(const struct queue_settings *s, uint32_t attempts)
{
    usec delay = s->retry_first;
    for (uint32_t i = 1; i < attempts && delay < s->retry_max; i++)
        delay *= 2;
    if (delay > s->retry_max)
        delay = s->retry_max;
    /* A quarter more or less, so that what failed together does not come back together. */
    return delay * 3 / 4 + (usec)random_below((uint64_t)delay / 2 + 1);
}

/* --- running --- */

static void connection_ended(void *arg, struct connection *c)
{
    struct scheduler *s = arg;
    struct destination *d = connection_destination(c);
    link_remove(connection_link(c));
    s->connection_count--;
    d->connections--;
    if (!s->stopping)
        destination_update(s, d);
    destination_release(s, d);
    if (!link_is_empty(&s->runnable))
        scheduler_pump_soon(s);
    cond_broadcast(&s->ended);
}

static bool start_one(struct scheduler *s, struct destination *d)
{
    struct queue_item *item = scheduler_take(s, d);
    struct connection *c = connection_start(s->queue, d, item, connection_ended, s);
    if (!c) {
        scheduler_return(item, START_RETRY);
        return false;
    }
    link_append(&s->connections, connection_link(c));
    s->connection_count++;
    d->connections++;
    destination_update(s, d);
    return true;
}

static void pump(void *arg)
{
    struct scheduler *s = arg;
    s->pump_pending = false;
    size_t limit = (size_t)s->queue->config->settings.connections_max;
    while (!s->stopping && s->connection_count < limit && !link_is_empty(&s->runnable)) {
        struct destination *d = (struct destination *)((char *)s->runnable.next -
                                                       offsetof(struct destination, runnable));
        link_remove(&d->runnable); /* start_one puts it at the end if it has more */
        if (!start_one(s, d))
            return;
    }
}

void scheduler_pump_soon(struct scheduler *s)
{
    if (s->pump_pending || !s->started || s->stopping)
        return;
    s->pump_pending = true;
    loop_defer(s->queue->context.loop, pump, s);
}

static void timer_fired(void *arg)
{
    struct scheduler *s = arg;
    usec now = clock_monotonic();
    while (s->waiting.count > 0 && due_heap_first(&s->waiting)->due <= now) {
        struct queue_item *item = due_heap_first(&s->waiting);
        due_heap_remove(&s->waiting, item);
        /* Its wait was cut short, see item_delay. */
        item_wait(s, item, message_is_held(item->message) ? item_delay(item) : 0);
    }
    timer_update(s);
}

static void timer_update(struct scheduler *s)
{
    if (s->waiting.count == 0 || !s->started || s->stopping)
        timer_clear(&s->timer);
    else
        timer_set(&s->timer, due_heap_first(&s->waiting)->due, timer_fired, s);
}

/* --- life --- */

struct scheduler *scheduler_new(struct queue *q)
{
    struct scheduler *s = MEM_NEW(struct scheduler);
    s->queue = q;
    link_init(&s->runnable);
    link_init(&s->connections);
    return s;
}

void scheduler_free(struct scheduler *s)
{
    assert(s->connection_count == 0 && s->waiting.count == 0 && !s->destinations &&
           !s->pump_pending);
    timer_clear(&s->timer);
    due_heap_free(&s->waiting);
    free(s);
}

void scheduler_start(struct scheduler *s)
{
    s->started = true;
    for (struct queue_message *m = s->queue->first; m; m = m->next)
        scheduler_add_message(m);
    timer_update(s);
    if (!link_is_empty(&s->runnable))
        scheduler_pump_soon(s);
}

SUSPENDS void scheduler_stop(struct scheduler *s, usec deadline)
{
    struct err e;
    s->stopping = true;
    timer_clear(&s->timer);
    while (s->connection_count > 0 && cond_wait(&s->ended, deadline, &e)) {
    }
    for (struct link *l = s->connections.next; l != &s->connections; l = l->next)
        connection_cancel(connection_from_link(l));
    while (s->connection_count > 0)
        cond_wait_certain(&s->ended);
    while (s->pump_pending)
        fiber_yield();
}

static void regroup_all(struct scheduler *s)
{
    s->generation++;
    for (struct queue_message *m = s->queue->first; m; m = m->next) {
        scheduler_forget_message(m);
        scheduler_add_message(m);
    }
}

void scheduler_reload(struct scheduler *s, bool regroup)
{
    if (regroup)
        regroup_all(s);
    destination_update_all(s);
}

size_t scheduler_connections(const struct scheduler *s)
{
    return s->connection_count;
}

size_t scheduler_sending(const struct scheduler *s)
{
    return s->sending;
}
