/*
 * The header is looked at while it stays in the socket (MSG_PEEK) and taken out when it is whole:
 * so not a byte behind it is touched, which may be the first of a TLS handshake. The descriptor is
 * watched edge-triggered; an edge tells that more has come.
 *
 * A balancer that says that its client is on the loopback speaks of its own. Unless it runs on this
 * machine, such a client is the balancer: from outside nobody may look like a local program.
 */
#include "net/proxy.h"

#include "core/log.h"
#include "core/mem.h"
#include "net/host_list.h"
#include "net/proxy_header.h"
#include "net/stream_private.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static_assert(PROXY_HEADER_MAX <= HUB_SCRATCH_SIZE, "a header is looked at in one piece");

struct proxy_wait {
    LIST_ENTRY(proxy_wait) link;
    struct proxy_gate *gate;
    struct event event;
    struct timer deadline;
    struct socket_address peer;
};

struct proxy_gate {
    struct hub *hub;
    const char *name;
    void (*accept)(void *arg, struct stream *s);
    void *arg;
    struct host_set *hosts; /* NULL: none */
    LIST_HEAD(, proxy_wait) waiting;
    size_t count;
};

/* Returns the descriptor. */
static int wait_free(struct proxy_wait *w)
{
    int fd = event_get_fd(&w->event);
    event_del(&w->event);
    timer_clear(&w->deadline);
    LIST_REMOVE(w, link);
    w->gate->count--;
    free(w);
    return fd;
}

static void turn_away(struct proxy_wait *w, const char *why)
{
    char peer[ADDRESS_TEXT_SIZE];
    socket_address_text(&w->peer, peer);
    log_warning("maild", NULL,
                "refused listener=%s peer=%s reason=\"must send a PROXY header, but %s\"",
                w->gate->name, peer, why);
    close(wait_free(w));
}

/* Balancers try whether we are there. */
static void closed_by_peer(struct proxy_wait *w)
{
    char peer[ADDRESS_TEXT_SIZE];
    socket_address_text(&w->peer, peer);
    log_debug("maild", NULL, "closed before its PROXY header listener=%s peer=%s", w->gate->name,
              peer);
    close(wait_free(w));
}

static void timed_out(void *arg)
{
    turn_away(arg, "did not in time");
}

static void let_in(struct proxy_wait *w, const struct proxy_header *h)
{
    struct proxy_gate *g = w->gate;
    struct socket_address peer = w->peer;
    int fd = wait_free(w);
    bool local = socket_address_is_loopback(&peer);
    bool speaks_for_itself = !h->proxied || (socket_address_is_loopback(&h->client) && !local);
    struct stream *s = speaks_for_itself ? stream_take(g->hub->loop, fd, &peer)
                                         : stream_take_proxied(g->hub->loop, fd, h);
    if (log_enabled(LOG_LEVEL_DEBUG)) {
        char text[ADDRESS_TEXT_SIZE];
        socket_address_text(&peer, text);
        log_debug("maild", NULL, "proxied listener=%s proxy=%s peer=%s", g->name, text,
                  stream_peer_text(s));
    }
    g->accept(g->arg, s); /* may close the listener, and the gate */
}

static void on_bytes(evutil_socket_t fd, short what, void *arg)
{
    struct proxy_wait *w = arg;
    struct proxy_header h;
    const char *wrong;
    char *scratch = w->gate->hub->scratch;
    ssize_t got = recv((int)fd, scratch, PROXY_HEADER_MAX, MSG_PEEK);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0) {
        closed_by_peer(w);
        return;
    }
    switch (proxy_header_parse(&h, str_from(scratch, (size_t)got), &wrong)) {
    case PROXY_MALFORMED:
        turn_away(w, wrong);
        return;
    case PROXY_INCOMPLETE:
        if (what & EV_CLOSED)
            turn_away(w, "ended in the middle of it");
        return;
    case PROXY_COMPLETE:
        break;
    }
    /* It is there, so this is all of it. */
    if (recv((int)fd, scratch, h.length, 0) == (ssize_t)h.length)
        let_in(w, &h);
    else
        turn_away(w, "the connection broke");
}

static bool is_listed(const struct proxy_gate *g, const struct socket_address *peer)
{
    char text[ADDRESS_TEXT_SIZE];
    socket_address_host(peer, text);
    return g->hosts && host_set_has(g->hosts, text);
}

bool proxy_gate_take(struct proxy_gate *g, int fd, const struct socket_address *peer)
{
    if (!is_listed(g, peer))
        return false;
    struct proxy_wait *w = MEM_NEW(struct proxy_wait);
    w->gate = g;
    w->peer = *peer;
    LIST_INSERT_HEAD(&g->waiting, w, link);
    g->count++;
    short what = EV_READ | EV_CLOSED | EV_ET | EV_PERSIST;
    if (event_assign(&w->event, loop_events(g->hub->loop), fd, what, on_bytes, w) < 0 ||
        event_add(&w->event, NULL) < 0)
        abort(); /* out of memory, as in mem.h */
    timer_set(&w->deadline, deadline_in(PROXY_TIMEOUT), timed_out, w);
    if (g->count > PROXY_WAITING_MAX)
        turn_away(w, "too many others are waited for");
    return true;
}

void proxy_gate_set_hosts(struct proxy_gate *g, const struct string_list *hosts)
{
    host_set_free(g->hosts);
    g->hosts = hosts->count > 0 ? host_set_new(hosts, NULL) : NULL;
}

struct proxy_gate *proxy_gate_new(struct loop *l, const char *name,
                                  void (*accept)(void *arg, struct stream *s), void *arg)
{
    struct proxy_gate *g = MEM_NEW(struct proxy_gate);
    *g = (struct proxy_gate){.hub = hub_ref(l), .name = name, .accept = accept, .arg = arg};
    LIST_INIT(&g->waiting);
    return g;
}

void proxy_gate_free(struct proxy_gate *g)
{
    if (!g)
        return;
    while (!LIST_EMPTY(&g->waiting))
        close(wait_free(LIST_FIRST(&g->waiting)));
    host_set_free(g->hosts);
    hub_unref(g->hub);
    free(g);
}
