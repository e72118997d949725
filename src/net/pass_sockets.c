/*
 * SCM_RIGHTS (unix(7)). The descriptors travel with the first byte of the line, so who receives the
 * line has them.
 */
#include "net/pass_sockets.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#define TEXT_MAX 4096

union control {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(PASS_SOCKETS_MAX * sizeof(int))];
};

bool stream_pass_sockets(struct stream *s, struct str line, const int *fds, size_t count,
                         struct err *e)
{
    union control control = {{0}};
    struct iovec parts[] = {{(char *)(uintptr_t)line.p, line.n}, {(char *)(uintptr_t) "\n", 1}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    if (count > PASS_SOCKETS_MAX)
        return err_set(e, ERR_LIMIT, "%zu sockets are too many to be handed over (%d)", count,
                       PASS_SOCKETS_MAX);
    if (count > 0) {
        message.msg_control = control.bytes;
        message.msg_controllen = CMSG_SPACE(count * sizeof(int));
        control.header.cmsg_level = SOL_SOCKET;
        control.header.cmsg_type = SCM_RIGHTS;
        control.header.cmsg_len = CMSG_LEN(count * sizeof(int));
        memcpy(CMSG_DATA(&control.header), fds, count * sizeof(int));
    }
    ssize_t sent = sendmsg(stream_fd(s), &message, MSG_NOSIGNAL);
    return sent == (ssize_t)line.n + 1 ||
           err_set_errno(e, sent < 0 ? errno : EAGAIN, "sockets cannot be handed over");
}

static void take(const struct msghdr *message, int fds[PASS_SOCKETS_MAX], size_t *count)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c;
         c = CMSG_NXTHDR((struct msghdr *)(uintptr_t)message, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        if (n > PASS_SOCKETS_MAX - *count)
            n = PASS_SOCKETS_MAX - *count;
        memcpy(fds + *count, CMSG_DATA(c), n * sizeof(int));
        *count += n;
    }
}

bool receive_sockets(int fd, struct buf *text, int fds[PASS_SOCKETS_MAX], size_t *count,
                     struct err *e)
{
    union control control = {{0}};
    struct iovec part = {buf_reserve(text, TEXT_MAX), TEXT_MAX};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof(control.bytes)};
    *count = 0;
    ssize_t got = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
    if (got < 0)
        return err_set_errno(e, errno, "sockets cannot be taken over");
    if (got == 0)
        return err_set(e, ERR_CLOSED, "maild closed the connection");
    text->n += (size_t)got;
    take(&message, fds, count);
    return true;
}
