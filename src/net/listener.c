/*
 * Listeners: accepting on the sockets of an address (listen_sockets.h).
 *
 * Accepting goes in batches, so that a storm of connections does not hold up the sessions that are
 * there. When descriptors or kernel memory run out, accept would fail and report the socket as
 * readable again at once: the listener pauses instead, logs it once a minute, and the backlog
 * holds the callers.
 */
#include "net/listener.h"

#include "core/log.h"
#include "core/mem.h"
#include "net/listen_sockets.h"
#include "net/proxy.h"
#include "net/stream_private.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define LISTENER_BATCH     64
#define LISTENER_PAUSE     (100 * USEC_MSEC)
#define LISTENER_LOG_PAUSE (60 * USEC_SEC)

struct listener {
    struct hub *hub;
    struct listen_sockets sockets;
    struct event *events[LISTENER_SOCKETS];
    void (*accept)(void *arg, struct stream *s);
    void *arg;
    bool accepting; /* inside `accept`'s caller: closing waits for its end */
    bool closed;
    struct timer pause;
    usec logged;             /* when the last complaint was logged */
    struct proxy_gate *gate; /* NULL: nobody comes through a proxy */
};

/* --- accepting --- */

static void resume(void *arg)
{
    struct listener *l = arg;
    for (size_t i = 0; i < l->sockets.count; i++)
        event_add(l->events[i], NULL);
}

static void take_a_break(struct listener *l, int cause)
{
    usec now = clock_monotonic();
    if (l->logged == 0 || now - l->logged >= LISTENER_LOG_PAUSE) {
        l->logged = now;
        log_warning("maild", NULL, "cannot accept connections listener=%s reason=\"%s\": trying on",
                    l->sockets.text, strerror(cause));
    }
    for (size_t i = 0; i < l->sockets.count; i++)
        event_del(l->events[i]);
    timer_set(&l->pause, now + LISTENER_PAUSE, resume, l);
}

static void release(struct listener *l)
{
    proxy_gate_free(l->gate);
    hub_unref(l->hub);
    free(l);
}

static void on_connections(evutil_socket_t fd, short what, void *arg)
{
    struct listener *l = arg;
    (void)what;
    if (mem_is_short()) {
        take_a_break(l, ENOMEM);
        return;
    }
    l->accepting = true;
    for (int i = 0; i < LISTENER_BATCH && !l->closed; i++) {
        struct socket_address peer = {.length = sizeof(peer.storage)};
        int accepted = accept4(fd, (struct sockaddr *)&peer.storage, &peer.length,
                               SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (accepted >= 0) {
            if (!l->gate || !proxy_gate_take(l->gate, accepted, &peer))
                l->accept(l->arg, stream_take(l->hub->loop, accepted, &peer));
        } else if (errno == EAGAIN) {
            break;
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            take_a_break(l, errno);
            break;
        } /* else this one connection is gone already (ECONNABORTED, EPROTO, network errors) */
    }
    l->accepting = false;
    if (l->closed)
        release(l);
}

/* --- opening and closing --- */

struct listener *listener_prepare(struct loop *loop, const char *address, mode_t unix_mode,
                                  struct service_manager *manager,
                                  const struct listen_sockets_others *others,
                                  void (*accept)(void *arg, struct stream *s), void *arg,
                                  struct err *e)
{
    struct listener *l = MEM_NEW(struct listener);
    l->hub = hub_ref(loop);
    l->accept = accept;
    l->arg = arg;
    if (!listen_sockets_open_beside(&l->sockets, address, unix_mode, manager, others, e)) {
        release(l);
        return NULL;
    }
    for (size_t i = 0; i < l->sockets.count; i++) {
        l->events[i] = event_new(loop_events(loop), l->sockets.fds[i], EV_READ | EV_PERSIST,
                                 on_connections, l);
        if (!l->events[i])
            abort();
    }
    return l;
}

void listener_begin(struct listener *l)
{
    listen_sockets_keep(&l->sockets);
    for (size_t i = 0; i < l->sockets.count; i++)
        if (event_add(l->events[i], NULL) < 0)
            abort();
}

struct listener *listener_open(struct loop *loop, const char *address, mode_t unix_mode,
                               struct service_manager *manager,
                               void (*accept)(void *arg, struct stream *s), void *arg,
                               struct err *e)
{
    struct listener *l = listener_prepare(loop, address, unix_mode, manager, NULL, accept, arg, e);
    if (l)
        listener_begin(l);
    return l;
}

void listener_set_proxies(struct listener *l, const struct string_list *hosts)
{
    if (!l->gate && hosts->count == 0)
        return;
    if (!l->gate)
        l->gate = proxy_gate_new(l->hub->loop, l->sockets.text, l->accept, l->arg);
    proxy_gate_set_hosts(l->gate, hosts);
}

static void end_accepting(struct listener *l)
{
    timer_clear(&l->pause);
    for (size_t i = 0; i < l->sockets.count; i++)
        event_free(l->events[i]);
    l->closed = true;
}

static void release_unless_accepting(struct listener *l)
{
    if (!l->accepting)
        release(l);
}

void listener_leave(struct listener *l)
{
    end_accepting(l);
    listen_sockets_leave(&l->sockets);
    release_unless_accepting(l);
}

bool listener_give(struct listener *l, uid_t uid, gid_t gid, struct err *e)
{
    return listen_sockets_give(&l->sockets, uid, gid, e);
}

size_t listener_sockets(const struct listener *l, int fds[LISTENER_SOCKETS])
{
    for (size_t i = 0; i < l->sockets.count; i++)
        fds[i] = l->sockets.fds[i];
    return l->sockets.count;
}

void listener_close(struct listener *l)
{
    end_accepting(l);
    listen_sockets_close(&l->sockets);
    release_unless_accepting(l);
}

struct listen_sockets *listener_all_sockets(struct listener *l)
{
    return &l->sockets;
}

/* As many as there can be: the queue of a socket that others share is not ours to empty. */
void listener_finish(struct listener *l)
{
    for (size_t i = 0; i < l->sockets.count; i++)
        for (int n = 0; n <= LISTEN_BACKLOG / LISTENER_BATCH; n++)
            on_connections(l->sockets.fds[i], EV_READ, l);
    listener_close(l);
}

const char *listener_address(const struct listener *l)
{
    return l->sockets.text;
}
