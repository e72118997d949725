/*
 * The addresses are asked in the order of the list, each a quarter of a second (or what the caller
 * wants) after the one before, and at once when all that were asked have failed. The first
 * connection that stands is taken, the others are closed. So an address that swallows packets
 * costs a moment instead of its time-out, and one that answers is never disturbed by the others.
 *
 * All attempts belong to the calling fiber: libevent says which descriptor has news, the fiber
 * looks. The order of the list is the caller's business; addresses for which there is no route fail
 * in the call of connect and cost nothing (rule 1 of RFC 6724).
 */
#include "net/stream_race.h"

#include "core/loop.h"
#include "core/mem.h"
#include "net/stream_private.h"

#include <stdlib.h>
#include <unistd.h>

struct runner {
    struct racing *racing;
    struct stream_target *target;
    struct socket_address address;
    struct event *event; /* NULL: nothing is under way */
    int fd;
    usec deadline;
    bool news;
};

struct racing {
    struct loop *loop;
    const struct stream_race *rules;
    struct runner *runners;
    size_t count, started, running;
    usec next_start;
    struct cond news;
    const struct err *last;
};

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
    struct runner *r = arg;
    (void)fd;
    (void)what;
    r->news = true;
    cond_signal(&r->racing->news);
}

static void stop(struct runner *r, bool close_it)
{
    event_free(r->event);
    r->event = NULL;
    r->racing->running--;
    if (close_it)
        close(r->fd);
}

static void failed(struct runner *r)
{
    struct racing *x = r->racing;
    x->last = &r->target->error;
    if (x->running == 0)
        x->next_start = 0;
}

/* True: it is connected already, as Unix sockets are. */
static bool start(struct runner *r)
{
    struct racing *x = r->racing;
    struct stream_target *t = r->target;
    bool connected = false;
    x->next_start = clock_monotonic() + x->rules->stagger;
    t->error.kind = ERR_NONE;
    r->fd =
        stream_connect_begin(t->address, t->port, t->source, &r->address, &connected, &t->error);
    if (r->fd < 0) {
        failed(r);
        return false;
    }
    if (connected)
        return true;
    r->deadline = deadline_in(x->rules->timeout);
    r->event = event_new(loop_events(x->loop), r->fd, EV_WRITE, on_writable, r);
    if (!r->event || event_add(r->event, NULL) < 0)
        abort(); /* out of memory, as in mem.h */
    x->running++;
    return false;
}

/* The ones that are due. Returns the one that is connected at once, or NULL. */
static struct runner *start_due(struct racing *x)
{
    while (x->started < x->count && (x->running == 0 || clock_monotonic() >= x->next_start)) {
        struct runner *r = &x->runners[x->started++];
        if (start(r))
            return r;
    }
    return NULL;
}

static void time_out(struct runner *r)
{
    char text[ADDRESS_TEXT_SIZE];
    socket_address_text(&r->address, text);
    err_set(&r->target->error, ERR_TIMEOUT, "connect to %s: timed out", text);
    stop(r, true);
    failed(r);
}

/* Looks at all that are under way. Returns the winner, or NULL. */
static struct runner *look(struct racing *x)
{
    usec now = clock_monotonic();
    for (size_t i = 0; i < x->started; i++) {
        struct runner *r = &x->runners[i];
        if (r->event && r->news) {
            bool connected = stream_connect_end(r->fd, &r->address, &r->target->error);
            stop(r, !connected);
            if (connected)
                return r;
            failed(r);
        } else if (r->event && now >= r->deadline) {
            time_out(r);
        }
    }
    return NULL;
}

static usec next_event(const struct racing *x)
{
    usec when = x->started < x->count ? x->next_start : DEADLINE_NONE;
    for (size_t i = 0; i < x->started; i++)
        if (x->runners[i].event && x->runners[i].deadline < when)
            when = x->runners[i].deadline;
    return when;
}

SUSPENDS static struct runner *run(struct racing *x, struct err *e)
{
    for (;;) {
        struct runner *r = start_due(x);
        if (r)
            return r;
        if (x->running == 0) {
            if (e && x->last)
                *e = *x->last;
            return NULL;
        }
        struct err wait;
        if (!cond_wait(&x->news, next_event(x), &wait) && wait.kind != ERR_TIMEOUT) {
            if (e)
                *e = wait;
            return NULL;
        }
        if ((r = look(x)))
            return r;
    }
}

SUSPENDS struct stream *stream_connect_race(struct loop *l, struct stream_target *targets,
                                            size_t count, const struct stream_race *race,
                                            size_t *winner, struct err *e)
{
    struct racing x = {.loop = l, .rules = race, .count = count};
    struct stream *s = NULL;
    err_set(e, ERR_PERM, "connect: no address");
    x.runners = mem_array(count, sizeof(*x.runners));
    for (size_t i = 0; i < count; i++) {
        targets[i].error.kind = ERR_NONE;
        x.runners[i].racing = &x;
        x.runners[i].target = &targets[i];
    }
    struct runner *r = run(&x, e);
    if (r) {
        *winner = (size_t)(r - x.runners);
        s = stream_take(l, r->fd, &r->address);
    }
    for (size_t i = 0; i < x.started; i++)
        if (x.runners[i].event)
            stop(&x.runners[i], true);
    free(x.runners);
    return s;
}
