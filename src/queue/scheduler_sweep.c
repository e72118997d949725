/*
 * What concerns all messages, or all destinations, is done a few at a time, between what else there
 * is to do: at start, and when the settings have changed. A change that comes while a sweep is
 * under way makes another one.
 */
#include "queue/scheduler_internal.h"
#include "queue/walk.h"

static bool has_old_keys(const struct scheduler *s, const struct queue_message *m)
{
    for (const struct queue_item *item = m->items; item; item = item->next)
        if (item->generation != s->generation && item->state != ITEM_SENDING)
            return true;
    return false;
}

SUSPENDS static void sweep_messages(struct scheduler *s)
{
    struct walk w;
    struct queue_message *m;
    for (walk_begin(&w, s->queue); !s->stopping && (m = walk_next(&w));) {
        scheduler_add_unscheduled(m);
        if (has_old_keys(s, m)) {
            scheduler_forget_message(m);
            scheduler_add_message(m);
        }
    }
    walk_end(&w);
}

SUSPENDS static void sweep_destinations(struct scheduler *s)
{
    struct link unswept;
    unsigned steps = 0;
    link_init(&unswept);
    link_append_all(&unswept, &s->destinations_list);
    while (!link_is_empty(&unswept)) {
        struct destination *d =
            (struct destination *)((char *)unswept.next - offsetof(struct destination, all));
        link_remove(&d->all);
        link_append(&s->destinations_list, &d->all);
        destination_set_limits(s, d);
        destination_update(s, d);
        if (++steps % QUEUE_MESSAGES_PER_TURN == 0)
            fiber_yield();
    }
}

SUSPENDS static void run(void *arg)
{
    struct scheduler *s = arg;
    while (!s->stopping && (s->sweep_destinations || s->sweep_messages)) {
        bool destinations = s->sweep_destinations, messages = s->sweep_messages;
        s->sweep_destinations = s->sweep_messages = false;
        if (destinations)
            sweep_destinations(s);
        if (messages)
            sweep_messages(s);
    }
    s->sweeping = false;
    cond_broadcast(&s->ended);
}

static void try_again(void *arg)
{
    scheduler_sweep(arg, false, false);
}

void scheduler_sweep(struct scheduler *s, bool messages, bool destinations)
{
    s->sweep_messages |= messages;
    s->sweep_destinations |= destinations;
    if (s->sweeping || s->stopping || !s->started)
        return;
    s->sweeping = fiber_start(s->queue->context.loop, "queue sweep", run, s) != NULL;
    if (!s->sweeping)
        timer_set(&s->sweep_timer, clock_monotonic() + START_RETRY, try_again, s);
}
