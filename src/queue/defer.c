/*
 * A fiber, since what follows a deferral may be a report to the sender. For each recipient it is an
 * attempt like others, with its line in the log and its back-off, so that delay warnings and the
 * end of the lifetime come in time; only that no connection is made.
 */
#include "queue/defer.h"

#include "core/mem.h"
#include "queue/message.h"
#include "queue/result.h"
#include "queue/scheduler_internal.h"
#include "queue/settle.h"

#include <stdlib.h>

struct deferral {
    struct scheduler *scheduler;
    struct destination *destination;
};

/* Returns the number of recipients. */
SUSPENDS static size_t defer_item(struct scheduler *s, struct destination *d)
{
    struct queue_item *item = item_take(s, d);
    size_t count = item->count;
    struct queue_message *m = item->message;
    usec waited = clock_monotonic() - item->since;
    /* The destination may get other words meanwhile. */
    struct arena *texts = arena_new();
    const struct attempt a = {.status = TRANSPORT_DEFERRED,
                              .code = arena_str(texts, str_from_c(d->code)),
                              .text = arena_str(texts, str_from_c(d->words)),
                              .relay = STR(""),
                              .delays = {.waited = waited}};
    message_hold(m);
    for (size_t i = 0; i < item->count; i++)
        recipient_apply(m, &m->recipients[item->recipients[i]], &a);
    scheduler_return(item, 0);
    if (!m->deleted && !scheduler_is_under_way(m))
        message_settle(m);
    message_release(m);
    arena_free(texts);
    return count;
}

SUSPENDS static void run(void *arg)
{
    struct deferral *x = arg;
    struct scheduler *s = x->scheduler;
    struct destination *d = x->destination;
    size_t steps = 0;
    usec until;
    free(x);
    while (!s->stopping && destination_block(s, d, false, &until) == BLOCK_DEAD) {
        steps += 1 + defer_item(s, d);
        if (steps >= QUEUE_DEFERRALS_PER_TURN) {
            steps = 0;
            fiber_yield();
        }
    }
    d->deferring = false;
    s->deferring--;
    if (!s->stopping)
        destination_update(s, d);
    destination_release(s, d);
    cond_broadcast(&s->ended);
}

bool defer_ready(struct scheduler *s, struct destination *d)
{
    if (d->deferring || s->stopping || !s->started)
        return true;
    struct deferral *x = MEM_NEW(struct deferral);
    *x = (struct deferral){s, d};
    if (!fiber_start(s->queue->context.loop, "queue deferral", run, x)) {
        free(x);
        return false;
    }
    d->deferring = true;
    s->deferring++;
    return true;
}
