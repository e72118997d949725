/*
 * Connections are counted by what is known of their destination.
 *
 * - Carrying: to servers that answer. They are what connections_max limits.
 * - Attempts: to servers of which that is not known. They have a limit of their own, of the same
 *   size, so that no number of dead destinations takes connections from those that work. An attempt
 *   that has waited for some seconds is stale: most likely nobody will ever answer. It goes on, but
 *   leaves its place to the next one, so that living destinations do not stand in line behind
 *   the time-outs of dead ones; a number of stale ones is the last limit. When a server answers,
 * the attempt becomes a carrying connection.
 * - Destinations that are slow (a message took long) get at most half of the carrying connections
 *   together.
 *
 * A connection that has nothing to do lingers, if its destination gets mail often: the next message
 * takes it. It ends after the time of the settings, or when somebody else needs it. One that
 * carries much mail while others wait gives way after some messages.
 */
#include "queue/slot.h"

#include "queue/item.h"
#include "queue/scheduler_internal.h"

/* After this an attempt is stale. */
#define PATIENCE (2 * USEC_SEC)
/* A message that takes longer makes its destination a slow one. */
#define SLOW (10 * USEC_SEC)
/* Messages that a connection carries while others wait for one. */
#define BURST 10

/* Makes room for another of the kind that it was. */
static void set_kind(struct slot *slot, enum slot_kind kind)
{
    slot->scheduler->counts[slot->kind]--;
    slot->kind = kind;
    slot->scheduler->counts[kind]++;
    scheduler_pump_soon(slot->scheduler);
}

static void set_slow(struct scheduler *s, struct destination *d, bool slow)
{
    if (d->slow == slow)
        return;
    d->slow = slow;
    s->slow_connections += slow ? d->connections : -d->connections;
}

static void timer_fired(void *arg)
{
    struct slot *slot = arg;
    if (slot->kind == SLOT_ATTEMPT) {
        set_kind(slot, SLOT_STALE);
    } else if (slot->kind == SLOT_CARRYING) {
        set_slow(slot->scheduler, slot->destination, true);
    }
}

void slot_begin(struct slot *slot, struct scheduler *s, struct destination *d)
{
    slot->scheduler = s;
    slot->destination = d;
    slot->generation = s->generation;
    bool proven = window_is_proven(&d->window, clock_monotonic());
    slot->kind = destination_is_local(d) ? SLOT_LOCAL : proven ? SLOT_CARRYING : SLOT_ATTEMPT;
    link_init(&slot->lingering);
    link_init(&slot->idle);
    link_append(&s->slots, &slot->link);
    s->counts[slot->kind]++;
    d->connections++;
    s->slow_connections += d->slow;
    if (d->route)
        d->route->connections++;
    slot->route = d->route;
    slot_sends(slot);
}

void slot_end(struct slot *slot)
{
    struct scheduler *s = slot->scheduler;
    struct destination *d = slot->destination;
    struct lane *route = slot->route;
    link_remove(&slot->link);
    timer_clear(&slot->timer);
    s->counts[slot->kind]--;
    d->connections--;
    s->slow_connections -= d->slow;
    if (route)
        route->connections--;
    if (!s->stopping)
        destination_update(s, d);
    destination_release(s, d);
    if (route && !s->stopping && !lane_is_full(route) && !link_is_empty(&route->crowd))
        destination_update(s, destination_from_runnable(route->crowd.next));
    scheduler_pump_soon(s);
    cond_broadcast(&s->ended);
}

void slot_sends(struct slot *slot)
{
    slot->messages++;
    usec limit = slot->kind == SLOT_ATTEMPT ? PATIENCE : SLOW;
    timer_set(&slot->timer, clock_monotonic() + limit, timer_fired, slot);
}

void slot_connected(struct slot *slot)
{
    if (slot->kind == SLOT_ATTEMPT || slot->kind == SLOT_STALE) {
        set_kind(slot, SLOT_CARRYING);
        timer_set(&slot->timer, clock_monotonic() + SLOW, timer_fired, slot);
    }
    if (slot->kind == SLOT_CARRYING)
        destination_connected(slot->scheduler, slot->destination);
}

void slot_delivered(struct slot *slot)
{
    slot_connected(slot);
    if (slot->kind == SLOT_LOCAL)
        return;
    if (timer_is_set(&slot->timer))
        set_slow(slot->scheduler, slot->destination, false);
    timer_clear(&slot->timer);
    destination_delivered(slot->scheduler, slot->destination);
}

bool slot_failed(struct slot *slot, struct str code, struct str words)
{
    timer_clear(&slot->timer);
    return slot->kind == SLOT_LOCAL ||
           destination_failed(slot->scheduler, slot->destination, code, words);
}

/* --- more to do --- */

struct slot *slot_from_link(struct link *l)
{
    return (struct slot *)((char *)l - offsetof(struct slot, link));
}

struct slot *slot_from_lingering(struct link *l)
{
    return (struct slot *)((char *)l - offsetof(struct slot, lingering));
}

static struct slot *from_idle(struct link *l)
{
    return (struct slot *)((char *)l - offsetof(struct slot, idle));
}

static void wake(struct slot *slot)
{
    link_remove(&slot->lingering);
    link_remove(&slot->idle);
    cond_signal(&slot->wake);
}

void slot_hand_over(struct scheduler *s, struct slot *slot)
{
    wake(slot);
    slot->handed = item_take(s, slot->destination);
}

void slots_give_up_one(struct scheduler *s, const struct lane *lane)
{
    for (struct link *l = s->lingering.next; l != &s->lingering; l = l->next) {
        struct slot *slot = from_idle(l);
        if (lane && slot->route != lane)
            continue;
        slot->give_up = true;
        wake(slot);
        return;
    }
}

void slots_give_up_all(struct scheduler *s)
{
    while (!link_is_empty(&s->lingering))
        slots_give_up_one(s, NULL);
}

/* Somebody else waits for a connection that is not to be had. */
static bool is_needed(const struct slot *slot)
{
    const struct scheduler *s = slot->scheduler;
    if (slot->kind == SLOT_LOCAL)
        return false;
    return (slot->route && lane_is_full(slot->route) && !link_is_empty(&slot->route->crowd)) ||
           scheduler_is_crowded(s);
}

SUSPENDS static struct queue_item *linger(struct slot *slot)
{
    struct scheduler *s = slot->scheduler;
    struct err e;
    usec time = s->queue->config->settings.connection_linger;
    if (slot->kind != SLOT_CARRYING || time == 0 || s->stopping || is_needed(slot) ||
        !slot->destination->window.proven || !slot->destination->frequent)
        return NULL;
    slot->give_up = false;
    link_append(&slot->destination->lingering, &slot->lingering);
    link_append(&s->lingering, &slot->idle);
    usec deadline = deadline_in(time);
    while (!slot->handed && !slot->give_up && cond_wait(&slot->wake, deadline, &e)) {
    }
    link_remove(&slot->lingering);
    link_remove(&slot->idle);
    struct queue_item *item = slot->handed;
    slot->handed = NULL;
    return item;
}

SUSPENDS struct queue_item *slot_next_item(struct slot *slot)
{
    struct scheduler *s = slot->scheduler;
    struct destination *d = slot->destination;
    usec until;
    if (s->stopping || slot->generation != s->generation ||
        slot->messages >= QUEUE_CONNECTION_MESSAGES ||
        (slot->messages % BURST == 0 && is_needed(slot)))
        return NULL;
    switch (destination_block(s, d, true, &until)) {
    case BLOCK_NOTHING:
        return scheduler_take(s, d);
    case BLOCK_EMPTY:
    case BLOCK_RATE:
    case BLOCK_ROUTE_RATE:
    case BLOCK_SOURCE_RATE:
        return linger(slot);
    default:
        return NULL;
    }
}
