/*
 * Connecting. The descriptor becomes a stream at once, so the wait for the connection is the
 * stream's ordinary wait: it can be aborted, cancelled and timed out like any other.
 */
#include "net/stream_private.h"

#include <errno.h>
#include <netinet/in.h>
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
    /* The port is chosen by connect, so that one address has its ports once for each server. */
    int on = 1;
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
    if (bind(fd, (struct sockaddr *)&own.storage, own.length) < 0)
        return err_set(e, ERR_TEMP, "source address %s: %s", source, strerror(errno));
    return true;
}

int stream_connect_begin(const char *address, uint16_t port, const char *source,
                         struct socket_address *target, bool *connected, struct err *e)
{
    char text[ADDRESS_TEXT_SIZE];
    if (!socket_address_parse(target, str_from_c(address), port, e))
        return -1;
    socket_address_text(target, text);
    int fd = socket(target->storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        failed(e, text, errno);
        return -1;
    }
    if (!socket_address_is_unix(target))
        stream_socket_options(fd);
    if (source && !bind_source(fd, source, target, e)) {
        close(fd);
        return -1;
    }
    *connected = connect(fd, (struct sockaddr *)&target->storage, target->length) == 0;
    if (!*connected && errno != EINPROGRESS) {
        failed(e, text, errno);
        close(fd);
        return -1;
    }
    return fd;
}

bool stream_connect_end(int fd, const struct socket_address *target, struct err *e)
{
    char text[ADDRESS_TEXT_SIZE];
    int cause = 0;
    socklen_t n = sizeof(cause);
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &cause, &n) < 0)
        cause = errno;
    if (cause == 0)
        return true;
    socket_address_text(target, text);
    return failed(e, text, cause);
}

/* The outcome of a connect that was under way. */
static bool finish(struct stream *s, const struct socket_address *target, usec deadline,
                   struct err *e)
{
    s->writable = false;
    if (!stream_wait(s, IO_WANT_WRITE, deadline, e))
        return err_prefix(e, "connect");
    return stream_connect_end(stream_fd(s), target, e);
}

struct stream *stream_connect(struct loop *l, const char *address, uint16_t port,
                              const char *source_address, usec deadline, struct err *e)
{
    struct socket_address target;
    bool connected;
    int fd = stream_connect_begin(address, port, source_address, &target, &connected, e);
    if (fd < 0)
        return NULL;
    struct stream *s = stream_take(l, fd, &target);
    if (!connected && !finish(s, &target, deadline, e)) {
        stream_abort(s);
        stream_close(s);
        return NULL;
    }
    return s;
}
