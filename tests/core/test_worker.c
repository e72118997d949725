/* Worker threads: results come back, the loop goes on meanwhile, order within a class. */
#include "core/helper.h"

#include "core/worker.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

static _Atomic int counter;

static void count(void *arg)
{
    *(int *)arg = atomic_fetch_add(&counter, 1) + 1;
    assert_null(loop_current());
    assert_null(fiber_self());
}

static int finished;

static void count_in_fiber(void *arg)
{
    int got = 0;
    for (int i = 0; i < 50; i++) {
        worker_run((enum worker_class)(uintptr_t)arg, count, &got);
        assert_true(got > 0);
    }
    finished++;
}

IN_FIBER(many_jobs)
{
    (void)arg;
    atomic_store(&counter, 0);
    finished = 0;
    for (int i = 0; i < 100; i++)
        fiber_start(loop_current(), "count", count_in_fiber,
                    (void *)(uintptr_t)(i % WORKER_CLASSES));
    struct err e;
    while (finished < 100)
        fiber_sleep(USEC_MSEC, &e);
    assert_int_equal(atomic_load(&counter), 5000);
    assert_int_equal(worker_backlog(WORKER_DISK), 0);
}

static _Atomic int gate;

static void wait_for_gate(void *arg)
{
    (void)arg;
    while (!atomic_load(&gate))
        usleep(100);
}

static void blocked(void *arg)
{
    worker_run(WORKER_DISK, wait_for_gate, NULL);
    *(bool *)arg = true;
}

IN_FIBER(loop_goes_on_while_a_worker_blocks)
{
    (void)arg;
    bool done = false;
    struct err e;
    atomic_store(&gate, 0);
    struct fiber *f = fiber_start(loop_current(), "blocked", blocked, &done);
    for (int i = 0; i < 5; i++)
        assert_true(fiber_sleep(USEC_MSEC, &e));
    fiber_cancel(f); /* changes nothing: the worker uses the fiber's memory */
    assert_true(fiber_sleep(USEC_MSEC, &e));
    assert_false(done);
    atomic_store(&gate, 1);
    while (!done)
        fiber_sleep(USEC_MSEC, &e);
}

static int sequence[64];
static _Atomic int length;

static void add(void *arg)
{
    sequence[atomic_fetch_add(&length, 1)] = (int)(intptr_t)arg;
}

static int reported;

static void report(void *arg)
{
    (void)arg;
    assert_non_null(loop_current());
    reported++;
}

IN_FIBER(order_and_reports)
{
    (void)arg;
    struct err e;
    for (int i = 0; i < 64; i++)
        worker_start(WORKER_JOURNAL, add, report, (void *)(intptr_t)i);
    while (reported < 64)
        fiber_sleep(USEC_MSEC, &e);
    for (int i = 0; i < 64; i++)
        assert_int_equal(sequence[i], i);
}

static void leave_behind(void *arg)
{
    (void)arg;
    reported = 0;
    for (int i = 0; i < 10; i++)
        worker_start(WORKER_CPU, add, report, NULL);
}

static void test_loop_free_waits_for_jobs(void **state)
{
    (void)state;
    atomic_store(&length, 0);
    run_in_fiber(leave_behind, NULL);
    assert_int_equal(atomic_load(&length), 10);
    assert_int_equal(reported, 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many_jobs),
        cmocka_unit_test(test_loop_goes_on_while_a_worker_blocks),
        cmocka_unit_test(test_order_and_reports),
        cmocka_unit_test(test_loop_free_waits_for_jobs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
