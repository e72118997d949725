/*
 * A stream's life, its events and its waits.
 *
 * The descriptor is registered once, persistent and edge-triggered, so a command costs no call of
 * epoll_ctl. Edge-triggered means: the kernel tells news once, and `readable` remembers it until a
 * read found the socket empty. A read that returned less than asked for has found that too, which
 * saves the second read of every command; only when the peer has hung up (EV_CLOSED, EPOLLRDHUP) is
 * it not enough, since no further edge would tell of the end behind the data. A reset in the very
 * same turn as data is noticed by the reply, or by the look at the socket before a fiber waits for
 * more input. Interest in writing is registered when a write has blocked, which most connections
 * never see.
 *
 * A stream breaks once: `broken` and the cause stay, and every later call reports them. A regular
 * end of the input breaks nothing: replies to what came before the end are still sent.
 */
#include "net/stream_private.h"

#include "core/mem.h"
#include "net/proxy_header.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>

#define STREAM_TIMEOUT_DEFAULT (5 * 60 * USEC_SEC)

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct stream *s = arg;
    (void)fd;
    s->readable = true;
    if (what & EV_CLOSED)
        s->hangup = true;
    if (s->park == PARK_WAITING)
        stream_parked_input(s);
    else
        cond_broadcast(&s->readers);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
    struct stream *s = arg;
    (void)fd;
    (void)what;
    s->writable = true;
    if (s->park != PARK_NOT)
        stream_parked_output(s);
    else
        cond_broadcast(&s->writers);
}

void stream_watch_writable(struct stream *s)
{
    if (s->write_event)
        return;
    s->write_event = event_new(loop_events(s->hub->loop), stream_fd(s),
                               EV_WRITE | EV_ET | EV_PERSIST, on_writable, s);
    if (!s->write_event || event_add(s->write_event, NULL) < 0)
        abort(); /* out of memory, as in mem.h */
}

void stream_socket_options(int fd)
{
    int on = 1;
    int flags = fcntl(fd, F_GETFL);
    if (flags >= 0 && !(flags & O_NONBLOCK))
        fcntl(fd, F_SETFL, flags | O_NONBLOCK);
    /* Both fail harmlessly on Unix sockets. */
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
}

void stream_acknowledge(struct stream *s)
{
    int on = 1;
    setsockopt(stream_fd(s), IPPROTO_TCP, TCP_QUICKACK, &on, sizeof(on));
}

static void own_address(int fd, struct socket_address *a)
{
    a->length = sizeof(a->storage);
    if (getsockname(fd, (struct sockaddr *)&a->storage, &a->length) < 0)
        *a = (struct socket_address){.storage.ss_family = AF_UNIX};
}

struct stream *stream_take(struct loop *l, int fd, const struct socket_address *peer)
{
    char text[ADDRESS_TEXT_SIZE], host[ADDRESS_TEXT_SIZE];
    socket_address_text(peer, text);
    socket_address_host(peer, host);
    /* A client's Unix socket has no name: the server's path says more. */
    if (socket_address_is_unix(peer) && strcmp(text, "unix") == 0) {
        struct socket_address own;
        own_address(fd, &own);
        socket_address_text(&own, text);
    }
    size_t text_length = strlen(text), host_length = strlen(host);
    struct stream *s = mem_zero(sizeof(*s) + text_length + host_length + 2);
    memcpy(s->peer, text, text_length);
    memcpy(s->peer + text_length + 1, host, host_length);
    s->text_length = (uint8_t)text_length;
    s->loopback = socket_address_is_loopback(peer);
    s->unix_socket = socket_address_is_unix(peer);
    s->timeout = STREAM_TIMEOUT_DEFAULT;
    s->writable = true;
    s->hub = hub_ref(l);
    s->hub->stats.open++;
    short what = EV_READ | EV_CLOSED | EV_ET | EV_PERSIST;
    if (event_assign(&s->event, loop_events(l), fd, what, on_readable, s) < 0 ||
        event_add(&s->event, NULL) < 0)
        abort();
    return s;
}

struct stream *stream_take_proxied(struct loop *l, int fd, const struct proxy_header *h)
{
    char local[ADDRESS_TEXT_SIZE];
    struct stream *s = stream_take(l, fd, &h->client);
    socket_address_host(&h->local, local);
    s->local = mem_dup(local, strlen(local));
    return s;
}

struct stream *stream_new(struct loop *l, int fd)
{
    struct socket_address peer = {.length = sizeof(peer.storage)};
    if (getpeername(fd, (struct sockaddr *)&peer.storage, &peer.length) < 0)
        peer = (struct socket_address){.storage.ss_family = AF_UNIX};
    stream_socket_options(fd);
    return stream_take(l, fd, &peer);
}

/* Data that is still unread when a socket is closed makes the kernel send a reset, which may
 * overtake our last reply. */
static void drain(struct stream *s)
{
    for (int i = 0; i < 4 && s->readable && !s->ended; i++)
        if (stream_socket_read(s, s->hub->scratch, HUB_SCRATCH_SIZE) <= 0)
            return;
}

void stream_close(struct stream *s)
{
    assert(!cond_has_waiters(&s->readers) && !cond_has_waiters(&s->writers));
    struct hub *h = s->hub;
    stream_unpark(s);
    if (!s->broken)
        stream_send_some(s);
    if (!s->broken && stream_unsent(s) == 0)
        stream_tls_goodbye(s);
    if (!s->broken)
        drain(s);
    if (s->handshaken)
        h->stats.tls--;
    stream_tls_free(s);
    stream_deflate_free(s);
    int fd = stream_fd(s);
    event_del(&s->event);
    if (s->write_event)
        event_free(s->write_event);
    close(fd);
    stream_drop_input(s);
    buf_free(&s->out);
    free(s->local);
    free(s);
    h->stats.open--;
    hub_unref(h);
}

void stream_abort(struct stream *s)
{
    if (!s->broken) {
        s->broken = ERR_CLOSED;
        s->socket_error = 0;
        shutdown(stream_fd(s), SHUT_RDWR);
    }
    /* Also when a write broke it before: who waits to read does not know. */
    cond_broadcast(&s->readers);
    cond_broadcast(&s->writers);
    if (s->park != PARK_NOT)
        stream_parked_abort(s);
}

void stream_set_timeout(struct stream *s, usec timeout)
{
    s->timeout = timeout;
}

bool stream_report(struct stream *s, struct err *e)
{
    if (s->broken == ERR_TLS) {
        const char *reason = ERR_reason_error_string(s->tls_error);
        return err_set(e, ERR_TLS, "%s: TLS: %s", s->peer, reason ? reason : "protocol error");
    }
    if (s->broken && s->socket_error)
        return err_set(e, s->broken, "%s: %s", s->peer, strerror(s->socket_error));
    if (s->broken)
        return err_set(e, s->broken, "%s: connection ended by the server", s->peer);
    return err_set(e, ERR_CLOSED, "%s: connection closed by the other side", s->peer);
}

/* A reset that came in one turn with data has left no further edge. Parked streams need not ask:
 * they have just sent a reply, which fails after a reset. */
static void look_for_reset(struct stream *s)
{
    struct pollfd p = {.fd = stream_fd(s), .events = POLLIN | POLLRDHUP};
    if (s->readable || poll(&p, 1, 0) <= 0)
        return;
    s->readable = true;
    s->hangup |= (p.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

bool stream_wait(struct stream *s, enum io want, usec deadline, struct err *e)
{
    bool *news = want == IO_WANT_WRITE ? &s->writable : &s->readable;
    struct cond *c = want == IO_WANT_WRITE ? &s->writers : &s->readers;
    if (want == IO_WANT_WRITE)
        stream_watch_writable(s);
    else
        look_for_reset(s);
    s->burst = 0;
    while (!*news && !s->broken)
        if (!cond_wait(c, deadline, e))
            return err_prefix(e, "%s", s->peer);
    return s->broken ? stream_report(s, e) : true;
}

ssize_t stream_socket_read(struct stream *s, void *p, size_t n)
{
    if (!s->readable) {
        errno = EAGAIN;
        return -1;
    }
    ssize_t got;
    do
        got = recv(stream_fd(s), p, n, 0);
    while (got < 0 && errno == EINTR);
    if (got > 0)
        s->hub->stats.bytes_in += (uint64_t)got;
    if ((got < 0 && errno == EAGAIN) || (got > 0 && (size_t)got < n && !s->hangup))
        s->readable = false;
    return got;
}

ssize_t stream_socket_write(struct stream *s, const void *p, size_t n)
{
    ssize_t sent;
    int flags = MSG_NOSIGNAL | (s->more ? MSG_MORE : 0);
    do
        sent = send(stream_fd(s), p, n, flags);
    while (sent < 0 && errno == EINTR);
    if (sent > 0)
        s->hub->stats.bytes_out += (uint64_t)sent;
    if (sent < 0 && errno == EAGAIN)
        s->writable = false;
    return sent;
}

bool stream_is_parked(const struct stream *s)
{
    return s->park != PARK_NOT;
}

const char *stream_peer(const struct stream *s)
{
    return s->peer + s->text_length + 1;
}

const char *stream_peer_text(const struct stream *s)
{
    return s->peer;
}

const char *stream_local(const struct stream *s)
{
    if (!s->local) {
        struct socket_address a;
        char text[ADDRESS_TEXT_SIZE];
        own_address(stream_fd(s), &a);
        socket_address_host(&a, text);
        ((struct stream *)s)->local = mem_dup(text, strlen(text));
    }
    return s->local;
}

bool stream_peer_is_loopback(const struct stream *s)
{
    return s->loopback;
}

bool stream_peer_credentials(const struct stream *s, uid_t *uid, gid_t *gid, pid_t *pid)
{
    struct ucred c;
    socklen_t n = sizeof(c);
    if (!s->unix_socket || getsockopt(stream_fd(s), SOL_SOCKET, SO_PEERCRED, &c, &n) < 0)
        return false;
    *uid = c.uid;
    *gid = c.gid;
    *pid = c.pid;
    return true;
}

int stream_fd(const struct stream *s)
{
    return event_get_fd(&s->event);
}
