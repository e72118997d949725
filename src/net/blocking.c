/*
 * A plain loop of poll over the addresses of a host. Each gets its share of the time that is left,
 * so that one which swallows packets does not take that of the others.
 */
#include "net/blocking.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/mem.h"

/* For poll: rounded up, so that a deadline has passed when it returns. */
static int msec_left(usec deadline)
{
    if (deadline == DEADLINE_NONE)
        return -1;
    usec left = deadline - clock_monotonic();
    if (left <= 0)
        return 0;
    return left > 3600 * USEC_SEC ? 3600 * 1000 : (int)((left + USEC_MSEC - 1) / USEC_MSEC);
}

bool blocking_wait(int fd, short events, int stop, usec deadline, struct err *e)
{
    struct pollfd fds[] = {{.fd = fd, .events = events}, {.fd = stop, .events = POLLIN}};
    for (;;) {
        int n = poll(fds, 2, msec_left(deadline));
        if (n < 0 && errno != EINTR)
            return err_set_errno(e, errno, "poll");
        if (n > 0 && fds[1].revents)
            return err_set(e, ERR_CANCELLED, "ended");
        if (n > 0)
            return true;
        if (n == 0 && clock_monotonic() >= deadline)
            return err_set(e, ERR_TIMEOUT, "no answer in time");
    }
}

static int connect_to(int family, const struct sockaddr *address, socklen_t length, int stop,
                      usec deadline, struct err *e)
{
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        err_set_errno(e, errno, "socket");
        return -1;
    }
    int error = connect(fd, address, length) == 0 ? 0 : errno;
    if (error == EINPROGRESS || error == EINTR) {
        socklen_t size = sizeof(error);
        if (!blocking_wait(fd, POLLOUT, stop, deadline, e)) {
            close(fd);
            return -1;
        }
        if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
            error = errno;
    }
    if (error == 0)
        return fd;
    close(fd);
    err_set(e, ERR_CLOSED, "%s", strerror(error));
    return -1;
}

static void set_option(int fd, int level, int option, int value)
{
    setsockopt(fd, level, option, &value, sizeof(value));
}

static void set_tcp_options(int fd, usec keepalive)
{
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    if (keepalive <= 0)
        return;
    set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, (int)((keepalive + USEC_SEC - 1) / USEC_SEC));
    set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, 10);
    set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, 3);
}

int blocking_connect(struct str host, uint16_t port, usec keepalive, int stop, usec deadline,
                     struct err *e)
{
    char service[8];
    snprintf(service, sizeof(service), "%u", port);
    char *name = mem_dup(host.p, host.n);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV}, *list;
    int error = getaddrinfo(name, service, &hints, &list);
    free(name);
    if (error) {
        err_set(e, ERR_TEMP, "its name has no address: %s", gai_strerror(error));
        return -1;
    }
    int fd = -1;
    size_t left = 0;
    for (struct addrinfo *a = list; a; a = a->ai_next)
        left++;
    for (struct addrinfo *a = list; a && fd < 0; a = a->ai_next, left--) {
        usec now = clock_monotonic();
        usec share = left > 1 && deadline > now ? now + (deadline - now) / 2 : deadline;
        fd = connect_to(a->ai_family, a->ai_addr, a->ai_addrlen, stop, share, e);
        if (fd < 0 && e && e->kind == ERR_CANCELLED)
            break;
    }
    freeaddrinfo(list);
    if (fd >= 0)
        set_tcp_options(fd, keepalive);
    return fd;
}

int blocking_connect_unix(struct str path, int stop, usec deadline, struct err *e)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (path.n == 0 || path.n >= sizeof(address.sun_path)) {
        err_set(e, ERR_PERM, "the path of a socket has 1 to %zu bytes",
                sizeof(address.sun_path) - 1);
        return -1;
    }
    memcpy(address.sun_path, path.p, path.n);
    return connect_to(AF_UNIX, (struct sockaddr *)&address, sizeof(address), stop, deadline, e);
}
