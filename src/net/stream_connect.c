/*
 * Connecting. The descriptor becomes a stream at once, so the wait for the connection is the
 * stream's ordinary wait: it can be aborted, cancelled and timed out like any other.
 */
#include "net/stream_private.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

static bool failed(struct err *e, const char *text, int cause)
{
    enum err_kind kind = cause == ECONNREFUSED || cause == ECONNRESET || cause == ENOENT
                             ? ERR_CLOSED
                         : cause == ETIMEDOUT ? ERR_TIMEOUT
                                              : ERR_TEMP;
    return err_set(e, kind, "connect to %s: %s", text, strerror(cause));
}

static bool bind_source(int fd, const char *source, const struct socket_address *target,
                        struct err *e)
{
    struct socket_address own;
    if (!socket_address_parse(&own, str_from_c(source), 0, e))
        return err_prefix(e, "source address");
    if (own.storage.ss_family != target->storage.ss_family)
        return err_set(e, ERR_PERM, "source address %s: not of the target's family", source);
    if (bind(fd, (struct sockaddr *)&own.storage, own.length) < 0)
        return err_set(e, ERR_TEMP, "source address %s: %s", source, strerror(errno));
    return true;
}

/* The outcome of a connect that was under way. */
static bool finish(struct stream *s, usec deadline, struct err *e)
{
    s->writable = false;
    if (!stream_wait(s, IO_WANT_WRITE, deadline, e))
        return err_prefix(e, "connect");
    int cause = 0;
    socklen_t n = sizeof(cause);
    if (getsockopt(stream_fd(s), SOL_SOCKET, SO_ERROR, &cause, &n) < 0)
        cause = errno;
    return cause == 0 || failed(e, stream_peer_text(s), cause);
}

struct stream *stream_connect(struct loop *l, const char *address, uint16_t port,
                              const char *source_address, usec deadline, struct err *e)
{
    struct socket_address target;
    char text[ADDRESS_TEXT_SIZE];
    if (!socket_address_parse(&target, str_from_c(address), port, e))
        return NULL;
    socket_address_text(&target, text);
    int fd = socket(target.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        failed(e, text, errno);
        return NULL;
    }
    stream_socket_options(fd);
    if (source_address && !bind_source(fd, source_address, &target, e)) {
        close(fd);
        return NULL;
    }
    bool connected = connect(fd, (struct sockaddr *)&target.storage, target.length) == 0;
    if (!connected && errno != EINPROGRESS) {
        failed(e, text, errno);
        close(fd);
        return NULL;
    }
    struct stream *s = stream_take(l, fd, &target);
    if (!connected && !finish(s, deadline, e)) {
        stream_abort(s);
        stream_close(s);
        return NULL;
    }
    return s;
}
