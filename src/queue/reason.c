/*
 * Why something is not being sent at this moment, in words for operators.
 */
#include "queue/scheduler_internal.h"

static void write_duration(struct buf *out, usec duration)
{
    int64_t seconds = (duration + USEC_SEC - 1) / USEC_SEC;
    if (seconds < 120)
        buf_printf(out, "%lld s", (long long)(seconds > 0 ? seconds : 0));
    else if (seconds < 2 * 3600)
        buf_printf(out, "%lld min", (long long)(seconds / 60));
    else
        buf_printf(out, "%lld h", (long long)(seconds / 3600));
}

static void write_words(struct buf *out, const struct destination *d)
{
    if (d->words)
        buf_printf(out, ": %s", d->words);
}

static void explain_waiting(const struct queue_item *item, struct buf *out)
{
    const struct destination *d = item->destination;
    usec now = clock_monotonic();
    if (item->count == 0) {
        buf_add_c(out, "a report could not be made; the next attempt is in ");
        write_duration(out, item->due - now);
        return;
    }
    buf_add_c(out, "the next attempt is in ");
    write_duration(out, item->due - now);
    if (!window_is_dead(&d->window, now))
        return;
    buf_add_c(out, ", or as soon as a server of the destination can be reached again");
    write_words(out, d);
}

static void explain_rate(struct buf *out, const char *whose, usec wait)
{
    buf_printf(out, "the rate of %s is used up, the next message may go in ", whose);
    write_duration(out, wait);
}

static void explain_ready(const struct queue_item *item, struct buf *out)
{
    const struct destination *d = item->destination;
    const struct scheduler *s = d->scheduler;
    usec until, now = clock_monotonic();
    switch (destination_block(s, d, false, &until)) {
    case BLOCK_NOTHING:
    case BLOCK_EMPTY:
        buf_add_c(out, scheduler_is_crowded(s) ? "all connections are in use (connections_max)"
                                               : "its turn has not come");
        return;
    case BLOCK_PAUSED:
        buf_add_c(out, "an operator has paused the destination");
        return;
    case BLOCK_DEAD:
        buf_add_c(out, "no server of the destination can be reached");
        write_words(out, d);
        return;
    case BLOCK_PROBE:
        buf_add_c(out, "one connection finds out whether a server of the destination answers");
        return;
    case BLOCK_WINDOW:
        buf_printf(out, "its turn has not come: %zu connections to the destination are in use",
                   d->connections);
        return;
    case BLOCK_ROUTE_CONNECTIONS:
        buf_printf(out, "the %zu connections of %s are in use", d->route->connections_max,
                   d->route->name);
        return;
    case BLOCK_RATE:
        explain_rate(out, "the destination", until - now);
        return;
    case BLOCK_ROUTE_RATE:
        explain_rate(out, d->route->name, until - now);
        return;
    case BLOCK_SOURCE_RATE:
        explain_rate(out, "the address that it leaves from", until - now);
        return;
    }
}

void scheduler_reason(const struct queue_item *item, struct buf *out)
{
    switch ((enum item_state)item->state) {
    case ITEM_WAITING:
        explain_waiting(item, out);
        return;
    case ITEM_READY:
        explain_ready(item, out);
        return;
    case ITEM_SENDING:
        buf_add_c(out, "it is being sent");
        return;
    }
}
