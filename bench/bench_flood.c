/*
 * A flood for an SMTP server: many connections, from many addresses, that keep it busy with
 * nothing. Those that the server closes are opened again.
 *
 *   bench_flood PORT CONNECTIONS silent   they send nothing
 *   bench_flood PORT CONNECTIONS slow     a byte a second each: half of them of a command, half of
 *                                         a message's data
 *
 * Prints "ready" when all have been opened, and goes on until standard input ends; then how many
 * had to be opened again.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ADDRESSES 20000
#define TICKS     50 /* of a second: the bytes are spread */

static const char envelope[] = "EHLO slow.test\r\nMAIL FROM:<slow@elsewhere.test>\r\n"
                               "RCPT TO:<user0@example.test>\r\nDATA\r\n";

static int port, poller;
static long opened;
static bool slow;

static void fail(const char *what)
{
    fprintf(stderr, "bench_flood: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* From 127.2.0.1 on. */
static int open_one(int index)
{
    long n = opened++ % ADDRESSES;
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in from = {.sin_family = AF_INET};
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    from.sin_addr.s_addr = htonl(0x7f020001 + (uint32_t)(n / 250 << 8) + (uint32_t)(n % 250));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
    if (fd < 0 || bind(fd, (struct sockaddr *)&from, sizeof(from)) < 0 ||
        connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
        fail("connect");
    fcntl(fd, F_SETFL, O_NONBLOCK);
    if (slow && index % 2)
        (void)!send(fd, envelope, sizeof(envelope) - 1, MSG_NOSIGNAL);
    struct epoll_event e = {.events = EPOLLIN | EPOLLRDHUP, .data.u32 = (uint32_t)index};
    if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &e) < 0)
        fail("epoll_ctl");
    return fd;
}

/* Reads what was said, for `ms` milliseconds; what is closed is opened again. */
static void listen_in(int *fds, int ms)
{
    struct epoll_event events[256];
    char ignored[1024];
    int n = epoll_wait(poller, events, 256, ms);
    for (int i = 0; i < n; i++) {
        int index = (int)events[i].data.u32;
        ssize_t got;
        while ((got = recv(fds[index], ignored, sizeof(ignored), 0)) > 0)
            ;
        if (got == 0 || errno != EAGAIN) {
            close(fds[index]);
            fds[index] = open_one(index);
        }
    }
}

static void drip(const int *fds, int from, int to)
{
    for (int i = from; i < to; i++)
        (void)!send(fds[i], "x", 1, MSG_NOSIGNAL);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static bool told_to_end(void)
{
    struct pollfd in = {.fd = 0, .events = POLLIN};
    return poll(&in, 1, 0) > 0;
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: bench_flood PORT CONNECTIONS silent|slow\n");
        return 2;
    }
    port = atoi(argv[1]);
    int count = atoi(argv[2]);
    slow = strcmp(argv[3], "slow") == 0;
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    poller = epoll_create1(EPOLL_CLOEXEC);
    int *fds = calloc((size_t)count, sizeof(*fds));
    for (int i = 0; i < count; i++) {
        fds[i] = open_one(i);
        if (i % 100 == 99)
            usleep(1000); /* the backlog is not what is measured */
    }
    puts("ready");
    fflush(stdout);
    double next = now();
    for (int tick = 0; !told_to_end(); tick = (tick + 1) % TICKS) {
        if (slow)
            drip(fds, count * tick / TICKS, count * (tick + 1) / TICKS);
        next += 1.0 / TICKS;
        for (double rest; (rest = next - now()) > 0;)
            listen_in(fds, (int)(rest * 1000) + 1);
    }
    printf("%ld\n", opened - count);
    return 0;
}
