/*
 * Parked streams. Parking gives back the buffers and remembers whom to call. On news the stream is
 * read once on the loop, and its owner is called only if bytes of the application came, or the end:
 * with TLS a readable socket may mean no more than a handshake record or half of a record.
 *
 * Two queues hold streams that need no news from the kernel. `ready`: input is buffered already (a
 * client that pipelines) or the stream is over; the owner is told in this turn. `later`: the socket
 * may have more; it is read in the next turn, so a client that never stops sending cannot keep the
 * others waiting.
 */
#include "net/stream_private.h"

#include <assert.h>

#define STREAM_PARK_READ (16 * 1024) /* one read when a parked stream has news */

static void run_ready(void *arg);
static void run_later(void *arg);
static void timed_out(void *arg);

/* --- parking --- */

static void enqueue(struct stream *s, enum park_state state)
{
    struct hub *h = s->hub;
    s->park = state;
    TAILQ_INSERT_TAIL(state == PARK_READY ? &h->ready : &h->later, s, link);
    if (state == PARK_LATER && !timer_is_set(&h->later_timer))
        timer_set(&h->later_timer, clock_monotonic(), run_later, h);
    if (state == PARK_READY && !h->ready_scheduled) {
        h->ready_scheduled = true;
        loop_defer(h->loop, run_ready, hub_ref(h->loop));
    }
}

static void dequeue(struct stream *s)
{
    if (s->park == PARK_READY)
        TAILQ_REMOVE(&s->hub->ready, s, link);
    else if (s->park == PARK_LATER)
        TAILQ_REMOVE(&s->hub->later, s, link);
    s->park = PARK_WAITING;
}

void stream_park(struct stream *s, usec timeout, void (*fn)(void *arg, enum stream_event event),
                 void *arg)
{
    assert(s->park == PARK_NOT);
    assert(!cond_has_waiters(&s->readers) && !cond_has_waiters(&s->writers));
    s->park = PARK_WAITING;
    s->park_fn = fn;
    s->park_arg = arg;
    s->burst = 0;
    s->hub->stats.parked++;
    timer_set(&s->park_timer, deadline_in(timeout), timed_out, s);
    bool buffered = s->in_offset < s->in.n;
    if (!buffered)
        stream_drop_input(s);
    if (stream_unsent(s) > 0 && !s->broken) {
        stream_watch_writable(s);
    } else {
        buf_free(&s->out);
        s->out_offset = 0;
        if (s->write_event)
            event_free(s->write_event);
        s->write_event = NULL;
    }
    stream_deflate_park(s);
    if (buffered || s->broken || s->ended)
        enqueue(s, PARK_READY);
    else if (s->readable || (s->ssl && SSL_has_pending(s->ssl)) || stream_deflate_has_input(s))
        enqueue(s, PARK_LATER);
}

void stream_unpark(struct stream *s)
{
    if (s->park == PARK_NOT)
        return;
    dequeue(s);
    timer_clear(&s->park_timer);
    s->park = PARK_NOT;
    s->hub->stats.parked--;
}

static void tell(struct stream *s, enum stream_event event)
{
    stream_unpark(s);
    s->park_fn(s->park_arg, event); /* may close the stream */
}

void stream_parked_input(struct stream *s)
{
    switch (stream_receive_some(s, STREAM_PARK_READ)) {
    case IO_DONE:
        tell(s, STREAM_READABLE);
        break;
    case IO_ENDED:
    case IO_BROKEN:
        tell(s, STREAM_ENDED);
        break;
    case IO_WANT_WRITE: /* TLS has to answer first */
        stream_watch_writable(s);
        break;
    case IO_WANT_READ:
        break;
    }
}

void stream_parked_output(struct stream *s)
{
    enum io io = stream_send_some(s);
    if (io == IO_DONE) {
        buf_free(&s->out);
        stream_deflate_park(s);
        if (s->ssl && s->park == PARK_WAITING)
            stream_parked_input(s);
    } else if (io == IO_BROKEN && s->park == PARK_WAITING) {
        enqueue(s, PARK_READY);
    }
}

void stream_parked_abort(struct stream *s)
{
    dequeue(s);
    enqueue(s, PARK_READY);
}

/* --- what runs on the loop; each holds the hub, since a callback may close the last stream --- */

/* Streams that are queued while the queue runs wait for the next run. */
static size_t queue_length(const struct stream_queue *q)
{
    size_t n = 0;
    const struct stream *s;
    TAILQ_FOREACH(s, q, link)
    n++;
    return n;
}

static void run_ready(void *arg)
{
    struct hub *h = arg; /* held since enqueue */
    h->ready_scheduled = false;
    struct stream *s;
    for (size_t n = queue_length(&h->ready); n > 0 && (s = TAILQ_FIRST(&h->ready)); n--)
        tell(s, !s->broken && s->in_offset < s->in.n ? STREAM_READABLE : STREAM_ENDED);
    hub_unref(h);
}

static void run_later(void *arg)
{
    struct hub *h = hub_ref(((struct hub *)arg)->loop);
    struct stream *s;
    for (size_t n = queue_length(&h->later); n > 0 && (s = TAILQ_FIRST(&h->later)); n--) {
        dequeue(s);
        stream_parked_input(s);
    }
    hub_unref(h);
}

static void timed_out(void *arg)
{
    tell(arg, STREAM_TIMEOUT);
}
