/* Fibers: order, waiting, deadlines, cancellation, the pool of stacks. */
#include "core/helper.h"

#include "core/buf.h"

#include <event2/event.h>
#include <string.h>
#include <unistd.h>

static struct buf trace;

static void note(const char *what)
{
    buf_add_c(&trace, what);
}

static void assert_trace(const char *expected)
{
    assert_string_equal(buf_c(&trace), expected);
    buf_free(&trace);
}

/* A fiber's argument. */
#define TEXT(s) ((void *)(uintptr_t)(s))

static void say(void *arg)
{
    note(arg);
}

static void start(const char *name, void (*fn)(void *arg), void *arg)
{
    assert_non_null(fiber_start(loop_current(), name, fn, arg));
}

static void order(void *arg)
{
    (void)arg;
    start("a", say, TEXT("a"));
    loop_defer(loop_current(), say, TEXT("b"));
    start("c", say, TEXT("c"));
    note("0");
    fiber_yield();
    note("d");
}

static void test_runs_in_order_of_becoming_ready(void **state)
{
    (void)state;
    run_in_fiber(order, NULL);
    assert_trace("0abcd");
}

static struct cond cond;

static void wait_and_say(void *arg)
{
    cond_wait_certain(&cond);
    note(arg);
}

static void signals(void *arg)
{
    (void)arg;
    start("1", wait_and_say, TEXT("1"));
    start("2", wait_and_say, TEXT("2"));
    start("3", wait_and_say, TEXT("3"));
    fiber_yield();
    assert_true(cond_has_waiters(&cond));
    cond_signal(&cond);
    note("s");
    fiber_yield();
    cond_broadcast(&cond);
    cond_signal(&cond); /* nobody left */
    note("b");
    fiber_yield();
    assert_false(cond_has_waiters(&cond));
}

static void test_signal_wakes_first_come_first_served(void **state)
{
    (void)state;
    run_in_fiber(signals, NULL);
    assert_trace("s1b23");
}

static void deadlines(void *arg)
{
    (void)arg;
    struct err e;
    usec began = clock_monotonic();
    assert_false(cond_wait(&cond, deadline_in(20 * USEC_MSEC), &e));
    assert_int_equal(e.kind, ERR_TIMEOUT);
    assert_true(clock_monotonic() - began >= 20 * USEC_MSEC);
    assert_false(cond_has_waiters(&cond));
    assert_true(fiber_sleep(5 * USEC_MSEC, &e));
    assert_true(fiber_sleep(0, &e));
    assert_false(cond_wait(&cond, 1, &e)); /* long past */
    assert_int_equal(e.kind, ERR_TIMEOUT);
}

static void test_deadline_ends_the_wait(void **state)
{
    (void)state;
    run_in_fiber(deadlines, NULL);
}

static void signalled_at_deadline(void *arg)
{
    bool *signalled = arg;
    struct err e;
    *signalled = cond_wait(&cond, deadline_in(USEC_MSEC), &e);
    note("x");
}

static void both(void *arg)
{
    (void)arg;
    bool signalled = false;
    start("both", signalled_at_deadline, &signalled);
    fiber_yield();
    cond_signal(&cond); /* and the deadline passes before it runs */
    usec until = clock_monotonic() + 3 * USEC_MSEC;
    while (clock_monotonic() < until) {
    }
    fiber_yield();
    assert_true(signalled);
}

static void test_wait_ends_once(void **state)
{
    (void)state;
    run_in_fiber(both, NULL);
    assert_trace("x");
}

static void cancelled(void *arg)
{
    (void)arg;
    struct err e;
    assert_false(cond_wait(&cond, DEADLINE_NONE, &e));
    assert_int_equal(e.kind, ERR_CANCELLED);
    assert_true(fiber_is_cancelled(fiber_self()));
    assert_false(fiber_sleep(USEC_SEC, &e));
    assert_int_equal(e.kind, ERR_CANCELLED);
    assert_false(fiber_wait_fd(0, EV_READ, DEADLINE_NONE, &e));
    assert_int_equal(e.kind, ERR_CANCELLED);
    note("c");
    cond_wait_certain(&cond);
    note("d");
}

static void cancels(void *arg)
{
    (void)arg;
    struct fiber *f = fiber_start(loop_current(), "cancelled", cancelled, NULL);
    fiber_yield();
    fiber_cancel(f);
    fiber_cancel(f);
    fiber_yield();
    note("-");
    fiber_cancel(f); /* the certain wait stands */
    fiber_yield();
    cond_signal(&cond);
    fiber_yield();
}

static void test_cancel_ends_all_but_certain_waits(void **state)
{
    (void)state;
    run_in_fiber(cancels, NULL);
    assert_trace("c-d");
}

static void reads(void *arg)
{
    int fd = *(int *)arg;
    struct err e;
    assert_true(fiber_wait_fd(fd, EV_READ, deadline_in(5 * USEC_SEC), &e));
    char c;
    assert_int_equal(read(fd, &c, 1), 1);
    note("r");
    assert_false(fiber_wait_fd(fd, EV_READ, deadline_in(USEC_MSEC), &e));
    assert_int_equal(e.kind, ERR_TIMEOUT);
    note("t");
}

static void descriptors(void *arg)
{
    (void)arg;
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    start("reader", reads, &fds[0]);
    fiber_yield();
    note("w");
    assert_int_equal(write(fds[1], "x", 1), 1);
    struct err e;
    assert_true(fiber_wait_fd(fds[1], EV_WRITE, DEADLINE_NONE, &e));
    assert_true(fiber_sleep(20 * USEC_MSEC, &e));
    close(fds[0]);
    close(fds[1]);
}

static void test_waits_for_descriptors(void **state)
{
    (void)state;
    run_in_fiber(descriptors, NULL);
    assert_trace("wrt");
}

/* Uses some of the stack, so that a mix-up of stacks would be seen. */
static unsigned checksum(unsigned seed, int depth)
{
    volatile unsigned char mine[512];
    for (size_t i = 0; i < sizeof mine; i++)
        mine[i] = (unsigned char)(seed + i);
    unsigned below = depth > 0 ? checksum(seed, depth - 1) : 0;
    if (depth % 4 == 0)
        fiber_yield();
    unsigned sum = below;
    for (size_t i = 0; i < sizeof mine; i++)
        sum = sum * 31 + mine[i];
    return sum;
}

static unsigned expected[300], got[300];

static void deep(void *arg)
{
    unsigned i = (unsigned)(uintptr_t)arg;
    got[i] = checksum(i, 16);
    expected[i] = got[i];
}

IN_FIBER(stacks_are_pooled_and_trimmed)
{
    (void)arg;
    struct fiber_stats s;
    for (int round = 0; round < 3; round++) {
        for (unsigned i = 0; i < 300; i++)
            start("deep", deep, (void *)(uintptr_t)i);
        fiber_get_stats(loop_current(), &s);
        assert_int_equal(s.live, 301);
        do {
            fiber_yield();
            fiber_get_stats(loop_current(), &s);
        } while (s.live > 1);
        assert_int_equal(s.pooled, 300);
    }
    assert_int_equal(s.live_high, 301);
    for (unsigned i = 1; i < 300; i++)
        assert_int_not_equal(got[i], got[i - 1]);
    /* What stays unused is unmapped after two intervals of a second. */
    struct err e;
    usec end = clock_monotonic() + 10 * USEC_SEC;
    while (s.pooled > 64 && clock_monotonic() < end) {
        fiber_sleep(50 * USEC_MSEC, &e);
        fiber_get_stats(loop_current(), &s);
    }
    assert_int_equal(s.pooled, 64);
    assert_true(s.stack_deepest >= 16 * 512);
    start("again", deep, (void *)(uintptr_t)7);
    for (int i = 0; i < 10; i++)
        fiber_yield();
    assert_int_equal(expected[7], got[7]);
}

static void wait_released(void *arg)
{
    (void)arg;
    cond_wait_certain(&cond);
}

static void too_many(void *arg)
{
    (void)arg;
    struct loop *l = loop_current();
    size_t n = 1;
    while (fiber_start(l, "waiting", wait_released, NULL))
        n++;
    assert_int_equal(n, FIBER_MAX);
    fiber_yield();
    cond_broadcast(&cond);
    fiber_yield();
    assert_non_null(fiber_start(l, "one more", say, TEXT("")));
    fiber_yield();
}

__attribute__((unused)) static void test_limit_of_fibers(void **state)
{
    (void)state;
    run_in_fiber(too_many, NULL);
    buf_free(&trace);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_runs_in_order_of_becoming_ready),
        cmocka_unit_test(test_signal_wakes_first_come_first_served),
        cmocka_unit_test(test_deadline_ends_the_wait),
        cmocka_unit_test(test_wait_ends_once),
        cmocka_unit_test(test_cancel_ends_all_but_certain_waits),
        cmocka_unit_test(test_waits_for_descriptors),
        cmocka_unit_test(test_stacks_are_pooled_and_trimmed),
#ifndef __SANITIZE_THREAD__ /* which knows fewer fibers */
        cmocka_unit_test(test_limit_of_fibers),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
