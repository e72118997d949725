/*
 * Listeners. One may hold two sockets: "*:25" is a socket per address family, since an IPv6 socket
 * that also takes IPv4 (IPV6_V6ONLY off) shows peers in the mapped form and depends on a system
 * setting.
 *
 * Accepting goes in batches, so that a storm of connections does not hold up the sessions that are
 * there. When descriptors or kernel memory run out, accept would fail and report the socket as
 * readable again at once: the listener pauses instead, logs it once a minute, and the backlog
 * holds the callers.
 *
 * A Unix socket outlives its server as a file. Nobody answers on a stale one (ECONNREFUSED), and
 * only then is it replaced; at close the file is removed if it still is the one that was bound.
 */
#include "net/listener.h"

#include "core/disk.h"
#include "core/log.h"
#include "core/mem.h"
#include "net/proxy.h"
#include "net/service_manager.h"
#include "net/stream_private.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>

#define LISTENER_BACKLOG    1024
#define LISTENER_BATCH      64
#define LISTENER_PAUSE      (100 * USEC_MSEC)
#define LISTENER_LOG_PAUSE  (60 * USEC_SEC)
#define LISTENER_PORT_TRIES 16 /* for a free port that both families have */

struct listener_socket {
    struct listener *listener;
    struct event *event;
    int fd;
};

struct listener {
    struct hub *hub;
    struct service_manager *manager; /* NULL: none */
    struct listener_socket sockets[LISTENER_SOCKETS];
    size_t count;
    void (*accept)(void *arg, struct stream *s);
    void *arg;
    bool accepting; /* inside `accept`'s caller: closing waits for its end */
    bool closed;
    struct timer pause;
    usec logged;             /* when the last complaint was logged */
    struct proxy_gate *gate; /* NULL: nobody comes through a proxy */
    char *unix_path;
    dev_t unix_dev;
    ino_t unix_ino;
    char text[ADDRESS_TEXT_SIZE];
};

/* --- accepting --- */

static void resume(void *arg)
{
    struct listener *l = arg;
    for (size_t i = 0; i < l->count; i++)
        event_add(l->sockets[i].event, NULL);
}

static void take_a_break(struct listener *l, int cause)
{
    usec now = clock_monotonic();
    if (l->logged == 0 || now - l->logged >= LISTENER_LOG_PAUSE) {
        l->logged = now;
        log_warning("maild", NULL, "listener=%s cannot accept connections: %s; trying on", l->text,
                    strerror(cause));
    }
    for (size_t i = 0; i < l->count; i++)
        event_del(l->sockets[i].event);
    timer_set(&l->pause, now + LISTENER_PAUSE, resume, l);
}

static void release(struct listener *l)
{
    proxy_gate_free(l->gate);
    hub_unref(l->hub);
    free(l->unix_path);
    free(l);
}

static void on_connections(evutil_socket_t fd, short what, void *arg)
{
    struct listener_socket *socket = arg;
    struct listener *l = socket->listener;
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

/* --- opening --- */

static bool failed(struct err *e, const char *address, int cause)
{
    if (cause == EADDRINUSE)
        return err_set(e, ERR_PERM, "listen on %s: address already in use", address);
    if (cause == EACCES && !str_starts_with(str_from_c(address), STR("unix:")))
        return err_set(e, ERR_PERM, "listen on %s: not permitted (ports below 1024 need root)",
                       address);
    return err_set(e, ERR_PERM, "listen on %s: %s", address, strerror(cause));
}

/* Somebody accepts connections on this path. */
static bool is_answered(const struct socket_address *a)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return true; /* not known: nothing is removed */
    bool answered =
        connect(fd, (const struct sockaddr *)&a->storage, a->length) == 0 || errno != ECONNREFUSED;
    close(fd);
    return answered;
}

static bool remove_stale(const struct socket_address *a, const char *path, struct err *e)
{
    struct stat st;
    if (lstat(path, &st) < 0 && errno == ENOENT)
        return true;
    if (!S_ISSOCK(st.st_mode))
        return err_set(e, ERR_PERM, "listen on unix:%s: exists and is not a socket", path);
    if (is_answered(a))
        return err_set(e, ERR_PERM, "listen on unix:%s: another program answers there", path);
    return disk_unlink(path, e);
}

static const char *unix_path_of(const struct socket_address *a)
{
    return ((const struct sockaddr_un *)&a->storage)->sun_path;
}

static void own_path(struct listener *l, const char *path, const struct stat *st)
{
    l->unix_path = mem_dup(path, strlen(path));
    l->unix_dev = st->st_dev;
    l->unix_ino = st->st_ino;
}

/* fchmod before bind decides the permissions the file is born with; umask may have taken some. */
static bool bind_unix(struct listener *l, int fd, const struct socket_address *a, mode_t mode,
                      struct err *e)
{
    const char *path = unix_path_of(a);
    struct stat st;
    if (!remove_stale(a, path, e))
        return false;
    if (fchmod(fd, mode) < 0 || bind(fd, (const struct sockaddr *)&a->storage, a->length) < 0 ||
        chmod(path, mode) < 0 || lstat(path, &st) < 0)
        return failed(e, l->text, errno);
    own_path(l, path, &st);
    return true;
}

static bool bind_inet(int fd, const struct socket_address *a, struct err *e)
{
    int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (a->storage.ss_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
    if (bind(fd, (const struct sockaddr *)&a->storage, a->length) < 0) {
        char text[ADDRESS_TEXT_SIZE];
        socket_address_text(a, text);
        return failed(e, text, errno);
    }
    return true;
}

/* -1: *e */
static int open_socket(struct listener *l, const struct socket_address *a, mode_t unix_mode,
                       struct err *e)
{
    int fd = socket(a->storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        failed(e, l->text, errno);
        return -1;
    }
    bool bound =
        socket_address_is_unix(a) ? bind_unix(l, fd, a, unix_mode, e) : bind_inet(fd, a, e);
    stream_socket_options(fd); /* what is accepted inherits them */
    if (bound && listen(fd, LISTENER_BACKLOG) < 0)
        bound = failed(e, l->text, errno);
    if (bound)
        return fd;
    close(fd);
    return -1;
}

/* One that was there before this process: bound, and its backlog may hold callers. */
static int take_socket(struct listener *l, const struct socket_address *a, mode_t unix_mode)
{
    struct stat st;
    int fd = service_manager_take(l->manager, a);
    if (fd < 0)
        return -1;
    stream_socket_options(fd);
    if (!socket_address_is_unix(a))
        return fd;
    const char *path = unix_path_of(a);
    if (chmod(path, unix_mode) < 0 || lstat(path, &st) < 0 || !S_ISSOCK(st.st_mode)) {
        close(fd); /* nobody finds it any more */
        return -1;
    }
    own_path(l, path, &st);
    return fd;
}

static bool add_socket(struct listener *l, const struct socket_address *a, mode_t unix_mode,
                       struct err *e)
{
    int fd = take_socket(l, a, unix_mode);
    if (fd < 0)
        fd = open_socket(l, a, unix_mode, e);
    if (fd < 0)
        return false;
    service_manager_keep(l->manager, fd);
    struct listener_socket *s = &l->sockets[l->count++];
    s->listener = l;
    s->fd = fd;
    s->event = event_new(loop_events(l->hub->loop), fd, EV_READ | EV_PERSIST, on_connections, s);
    if (!s->event || event_add(s->event, NULL) < 0)
        abort();
    return true;
}

static uint16_t bound_port(const struct listener_socket *s)
{
    struct sockaddr_in6 in6 = {0}; /* the port stands at the same place as in sockaddr_in */
    socklen_t n = sizeof(in6);
    getsockname(s->fd, (struct sockaddr *)&in6, &n);
    return ntohs(in6.sin6_port);
}

static void remove_sockets(struct listener *l)
{
    for (size_t i = 0; i < l->count; i++) {
        event_free(l->sockets[i].event);
        close(l->sockets[i].fd);
    }
    l->count = 0;
}

/* Whether the machine has this address at all (IPv6 may be absent or switched off). */
static bool can_bind(const struct socket_address *a)
{
    int fd = socket(a->storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool can = fd >= 0 && bind(fd, (const struct sockaddr *)&a->storage, a->length) == 0;
    if (fd >= 0)
        close(fd);
    return can;
}

/* Both families on one port. Port 0: a port that is free in both. A machine without IPv6 listens on
 * IPv4 alone. */
static bool open_both(struct listener *l, const char *v4, const char *v6, uint16_t port,
                      struct err *e)
{
    struct socket_address a;
    bool ipv6 = socket_address_parse(&a, str_from_c(v6), 0, e) && can_bind(&a);
    for (int i = 0; i < LISTENER_PORT_TRIES; i++) {
        if (!socket_address_parse(&a, str_from_c(v4), port, e) || !add_socket(l, &a, 0, e))
            return false;
        if (!ipv6)
            return true;
        if (socket_address_parse(&a, str_from_c(v6), bound_port(&l->sockets[0]), e) &&
            add_socket(l, &a, 0, e))
            return true;
        if (port != 0)
            return false;
        remove_sockets(l);
    }
    return false;
}

static bool open_sockets(struct listener *l, struct str address, mode_t unix_mode, struct err *e)
{
    struct str host;
    uint16_t port = 0;
    struct socket_address a;
    if (str_starts_with(address, STR("unix:")))
        return socket_address_parse(&a, address, 0, e) && add_socket(l, &a, unix_mode, e);
    if (!socket_address_split(address, &host, &port, e))
        return false;
    if (str_equal(host, STR("*")))
        return open_both(l, "0.0.0.0", "::", port, e);
    if (str_equal_nocase(host, STR("localhost")))
        return open_both(l, "127.0.0.1", "::1", port, e);
    return socket_address_parse(&a, host, port, e) && add_socket(l, &a, 0, e);
}

struct listener *listener_open(struct loop *loop, const char *address, mode_t unix_mode,
                               struct service_manager *manager,
                               void (*accept)(void *arg, struct stream *s), void *arg,
                               struct err *e)
{
    struct listener *l = MEM_NEW(struct listener);
    l->hub = hub_ref(loop);
    l->manager = manager;
    l->accept = accept;
    l->arg = arg;
    snprintf(l->text, sizeof(l->text), "%s", address);
    if (!open_sockets(l, str_from_c(address), unix_mode, e)) {
        listener_close(l);
        return NULL;
    }
    struct socket_address own = {.length = sizeof(own.storage)};
    getsockname(l->sockets[0].fd, (struct sockaddr *)&own.storage, &own.length);
    socket_address_text(&own, l->text);
    return l;
}

void listener_set_proxies(struct listener *l, const struct string_list *hosts)
{
    if (!l->gate && hosts->count == 0)
        return;
    if (!l->gate)
        l->gate = proxy_gate_new(l->hub->loop, l->text, l->accept, l->arg);
    proxy_gate_set_hosts(l->gate, hosts);
}

void listener_leave(struct listener *l)
{
    timer_clear(&l->pause);
    remove_sockets(l);
    l->closed = true;
    if (!l->accepting)
        release(l);
}

size_t listener_sockets(const struct listener *l, int fds[LISTENER_SOCKETS])
{
    for (size_t i = 0; i < l->count; i++)
        fds[i] = l->sockets[i].fd;
    return l->count;
}

void listener_close(struct listener *l)
{
    struct stat st;
    for (size_t i = 0; i < l->count; i++)
        service_manager_forget(l->manager, l->sockets[i].fd);
    if (l->unix_path && lstat(l->unix_path, &st) == 0 && st.st_dev == l->unix_dev &&
        st.st_ino == l->unix_ino)
        disk_unlink(l->unix_path, NULL);
    listener_leave(l);
}

const char *listener_address(const struct listener *l)
{
    return l->text;
}
