#pragma once
/* What the tests of net share: a loop with one fiber, connected pairs, a certificate. */
#include "core/clock.h"
#include "core/disk.h"
#include "core/fiber.h"
#include "core/loop.h"
#include "core/mem.h"
#include "net/stream.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

static struct loop *loop;
static struct fiber *test_fiber;

static inline void test_body(void *arg)
{
    void (*fn)(void) = *(void (**)(void))arg;
    fn();
    loop_stop(loop);
}

/* Runs fn in a fiber of a new loop until it returns; every stream must be closed by then. */
static inline void in_loop(void (*fn)(void))
{
    struct err e = {0};
    signal(SIGPIPE, SIG_IGN);
    loop = loop_new(&e);
    assert_non_null(loop);
    test_fiber = fiber_start(loop, "test", test_body, &fn);
    loop_run(loop);
    struct stream_stats stats;
    stream_get_stats(loop, &stats);
    assert_int_equal(stats.open, 0);
    assert_int_equal(stats.parked, 0);
    loop_free(loop);
}

/* Lets everything that is ready run, and events be seen. */
static inline void let_run(void)
{
    for (int i = 0; i < 5; i++)
        fiber_yield();
}

/* A connected TCP pair over loopback. */
static inline void tcp_pair(int fds[2])
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof(in);
    int l = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(l, (struct sockaddr *)&in, sizeof(in)), 0);
    assert_int_equal(listen(l, 1), 0);
    assert_int_equal(getsockname(l, (struct sockaddr *)&in, &n), 0);
    fds[0] = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fds[0], (struct sockaddr *)&in, sizeof(in)), 0);
    fds[1] = accept(l, NULL, NULL);
    assert_true(fds[1] >= 0);
    close(l);
}

static inline void stream_pair(struct stream *s[2])
{
    int fds[2];
    tcp_pair(fds);
    s[0] = stream_new(loop, fds[0]);
    s[1] = stream_new(loop, fds[1]);
}

/* One stream, and the other end as a plain descriptor. */
static inline struct stream *stream_and_fd(int *fd)
{
    int fds[2];
    tcp_pair(fds);
    *fd = fds[0];
    return stream_new(loop, fds[1]);
}

static inline void send_c(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

#define assert_ok(call)                                                                            \
    do {                                                                                           \
        struct err e_ = {0};                                                                       \
        struct err *e = &e_;                                                                       \
        if (!(call))                                                                               \
            fail_msg("%s: %s (%s)", #call, e_.text, err_kind_name(e_.kind));                       \
    } while (0)

#define assert_err(call, expected)                                                                 \
    do {                                                                                           \
        struct err e_ = {0};                                                                       \
        struct err *e = &e_;                                                                       \
        if (call)                                                                                  \
            fail_msg("%s succeeded", #call);                                                       \
        if (e_.kind != (expected))                                                                 \
            fail_msg("%s: %s (%s)", #call, e_.text, err_kind_name(e_.kind));                       \
    } while (0)

#define assert_str(s, literal)                                                                     \
    do {                                                                                           \
        struct str s_ = (s);                                                                       \
        if (!str_equal(s_, str_from_c(literal)))                                                   \
            fail_msg("\"%.*s\" is not \"%s\"", STR_ARG(s_), literal);                              \
    } while (0)
