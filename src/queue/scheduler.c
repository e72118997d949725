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

/* Attempts to reach servers which have not answered: fresh ones as many as connections may carry
 * mail, but so many at least; with the stale ones several times as many. */
#define ATTEMPTS_LEAST 10
#define STALE_SHARE    5
#define STALE_LEAST    100

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

void scheduler_add_unscheduled(struct queue_message *m)
{
    if (!m->unscheduled)
        return;
    m->unscheduled = false;
    if (!m->items)
        scheduler_add_message(m);
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
    scheduler_set_timer(s);
}

bool scheduler_retry_items(struct queue_message *m,
                           bool (*match)(const void *arg, const struct queue_item *item),
                           const void *arg)
{
    struct scheduler *s = m->queue->scheduler;
    bool found = false;
    scheduler_add_unscheduled(m);
    for (struct queue_item *item = m->items; item; item = item->next) {
        if (item->state != ITEM_WAITING || !match(arg, item))
            continue;
        item_detach(s, item);
        destination_forgive(item->destination);
        item_make_ready(s, item);
        found = true;
    }
    scheduler_set_timer(s);
    return found;
}

struct recipient_match {
    bool (*match)(const void *arg, const struct queue_recipient *r); /* NULL: all */
    const void *arg;
};

static bool any_recipient_matches(const void *arg, const struct queue_item *item)
{
    const struct recipient_match *m = arg;
    if (!m->match)
        return true;
    for (size_t i = 0; i < item->count; i++)
        if (m->match(m->arg, &item->message->recipients[item->recipients[i]]))
            return true;
    return false;
}

bool scheduler_retry_matching(struct queue_message *m,
                              bool (*match)(const void *arg, const struct queue_recipient *r),
                              const void *arg)
{
    struct recipient_match recipients = {match, arg};
    return !message_is_held(m) && scheduler_retry_items(m, any_recipient_matches, &recipients);
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
    item->count = (uint16_t)left;
    item->again = 0;
    if (m->deleted || (left == 0 ? !(was_settling && postpone) : m->on_hold) ||
        item->generation != s->generation) {
        item_free(s, item);
        if (!m->deleted && left > 0)
            scheduler_add_message(m);
        return;
    }
    item_wait(s, item, postpone ? postpone : item_delay(item));
    if (item->state == ITEM_WAITING && destination_is_dead(item->destination))
        link_append(&item->destination->parked, &item->parked);
}

bool scheduler_is_under_way(const struct queue_message *m)
{
    const struct pause *pause = m->queue->pause;
    if (m->active == 0 || !pause_is_any(pause))
        return m->active > 0;
    for (const struct queue_item *item = m->items; item; item = item->next)
        if (item->state == ITEM_SENDING ||
            (item->state == ITEM_READY && !pause_covers(pause, item->destination->key)))
            return true;
    return false;
}

struct queue_item *scheduler_take(struct scheduler *s, struct destination *d)
{
    struct queue_item *item = item_take(s, d);
    destination_update(s, d);
    return item;
}

void scheduler_put_back(struct queue_item *item)
{
    struct scheduler *s = item->message->queue->scheduler;
    unsigned again = item->again + 1U;
    item_detach(s, item);
    for (size_t i = 0; i < item->count; i++)
        item->message->recipients[item->recipients[i]].state = RECIPIENT_WAITING;
    item_make_ready(s, item);
    item->again = again & 127;
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

struct link *scheduler_list_for(struct scheduler *s, const struct destination *d)
{
    enum run_class class = destination_is_local(d)                            ? RUN_LOCAL
                           : !window_is_proven(&d->window, clock_monotonic()) ? RUN_UNKNOWN
                           : d->slow                                          ? RUN_SLOW
                                                                              : RUN_KNOWN;
    return &s->runs[class].lists[d->ready.small == 0];
}

static bool run_is_empty(const struct run_queue *r)
{
    return link_is_empty(&r->lists[0]) && link_is_empty(&r->lists[1]);
}

/* In turn one that has small mail and one that has only bulk. */
static struct destination *run_next(struct run_queue *r)
{
    bool bulk = !link_is_empty(&r->lists[1]) && (r->bulk_next || link_is_empty(&r->lists[0]));
    r->bulk_next = !bulk;
    return destination_from_runnable(r->lists[bulk].next);
}

static size_t connections_max(const struct scheduler *s)
{
    return (size_t)s->queue->config->settings.connections_max;
}

static bool may_start(const struct scheduler *s, enum run_class class)
{
    size_t most = connections_max(s), attempts = s->counts[SLOT_ATTEMPT];
    size_t fresh = most > ATTEMPTS_LEAST ? most : ATTEMPTS_LEAST;
    size_t all = most * STALE_SHARE > STALE_LEAST ? most * STALE_SHARE : STALE_LEAST;
    switch (class) {
    case RUN_LOCAL:
        return true;
    case RUN_KNOWN:
        return s->counts[SLOT_CARRYING] < most;
    case RUN_SLOW:
        return s->counts[SLOT_CARRYING] < most && s->slow_connections < (most + 1) / 2;
    case RUN_UNKNOWN:
        return attempts < fresh && attempts + s->counts[SLOT_STALE] < all;
    }
    return false;
}

bool scheduler_is_crowded(const struct scheduler *s)
{
    return !may_start(s, RUN_KNOWN) && !run_is_empty(&s->runs[RUN_KNOWN]);
}

static bool start_one(struct scheduler *s, struct destination *d)
{
    usec until;
    destination_move(d, NULL);
    /* A rate may have been used up by others since it was put into the list. */
    if (destination_block(s, d, false, &until) != BLOCK_NOTHING) {
        destination_update(s, d);
        return true;
    }
    struct queue_item *item = item_take(s, d);
    if (!connection_start(s->queue, d, item)) {
        scheduler_return(item, START_RETRY);
        return false;
    }
    destination_update(s, d);
    return true;
}

static void pump(void *arg)
{
    struct scheduler *s = arg;
    bool started = true;
    s->pump_pending = false;
    while (started && !s->stopping) {
        started = false;
        for (enum run_class class = 0; class < RUN_CLASSES; class ++)
            if (!run_is_empty(&s->runs[class]) && may_start(s, class)) {
                if (!start_one(s, run_next(&s->runs[class])))
                    return;
                started = true;
            }
    }
    if (scheduler_is_crowded(s))
        slots_give_up_one(s, NULL);
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
    for (unsigned steps = 0; steps < QUEUE_MESSAGES_PER_TURN; steps++) {
        struct queue_item *item = due_heap_first(&s->waiting);
        if (!item || item->due > now)
            break;
        item_detach(s, item);
        /* Its wait was cut short, see item_delay. */
        item_wait(s, item, message_is_held(item->message) ? item_delay(item) : 0);
    }
    scheduler_set_timer(s);
}

void scheduler_set_timer(struct scheduler *s)
{
    const struct queue_item *first = due_heap_first(&s->waiting);
    if (!first || !s->started || s->stopping)
        timer_clear(&s->timer);
    else
        timer_set(&s->timer, first->due, timer_fired, s);
}

static void revive_some(void *arg)
{
    struct scheduler *s = arg;
    for (unsigned steps = 0; steps < QUEUE_MESSAGES_PER_TURN && !link_is_empty(&s->revived);
         steps++) {
        struct queue_item *item = item_from_parked(s->revived.next);
        item_detach(s, item);
        item_make_ready(s, item);
    }
    if (!link_is_empty(&s->revived))
        timer_set(&s->revive_timer, clock_monotonic(), revive_some, s);
}

void scheduler_revive(struct scheduler *s, struct destination *d)
{
    link_append_all(&s->revived, &d->parked);
    if (!timer_is_set(&s->revive_timer) && !s->stopping)
        timer_set(&s->revive_timer, clock_monotonic(), revive_some, s);
}

/* --- life --- */

struct scheduler *scheduler_new(struct queue *q)
{
    struct scheduler *s = MEM_NEW(struct scheduler);
    struct link *lists[] = {&s->destinations_list, &s->idle, &s->slots, &s->lingering, &s->revived};
    s->queue = q;
    for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++)
        link_init(lists[i]);
    for (size_t i = 0; i < RUN_CLASSES; i++) {
        link_init(&s->runs[i].lists[0]);
        link_init(&s->runs[i].lists[1]);
    }
    return s;
}

void scheduler_free(struct scheduler *s)
{
    destination_forget_idle(s);
    assert(link_is_empty(&s->slots) && s->waiting.count == 0 && !s->destinations &&
           !s->pump_pending && !s->deferring && !s->sweeping);
    timer_clear(&s->timer);
    timer_clear(&s->revive_timer);
    timer_clear(&s->sweep_timer);
    due_heap_free(&s->waiting);
    lanes_free(&s->lanes);
    free(s);
}

void scheduler_start(struct scheduler *s)
{
    s->started = true;
    scheduler_sweep(s, true, false);
}

static bool is_busy(const struct scheduler *s)
{
    return !link_is_empty(&s->slots) || s->deferring > 0 || s->sweeping;
}

/* Those that carry nothing need no time to finish. */
static void cancel_slots(struct scheduler *s, bool attempts_only)
{
    for (struct link *l = s->slots.next; l != &s->slots; l = l->next) {
        struct slot *slot = slot_from_link(l);
        bool attempt = slot->kind == SLOT_ATTEMPT || slot->kind == SLOT_STALE;
        if (attempt || !attempts_only)
            connection_cancel(slot);
    }
}

SUSPENDS void scheduler_stop(struct scheduler *s, usec deadline)
{
    struct err e;
    s->stopping = true;
    timer_clear(&s->timer);
    timer_clear(&s->revive_timer);
    timer_clear(&s->sweep_timer);
    slots_give_up_all(s);
    cancel_slots(s, true);
    while (is_busy(s) && cond_wait(&s->ended, deadline, &e)) {
    }
    cancel_slots(s, false);
    while (is_busy(s))
        cond_wait_certain(&s->ended);
    while (s->pump_pending)
        fiber_yield();
}

void scheduler_reload(struct scheduler *s, bool regroup)
{
    s->generation += regroup;
    if (regroup) /* they lead where mail went before */
        slots_give_up_all(s);
    scheduler_sweep(s, regroup, true);
}

size_t scheduler_connections(const struct scheduler *s)
{
    size_t count = 0;
    for (size_t i = 0; i < SLOT_KINDS; i++)
        count += s->counts[i];
    return count;
}

size_t scheduler_sending(const struct scheduler *s)
{
    return s->sending;
}
