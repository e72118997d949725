/* The loop: timers, deferred calls, signals, and the watchdog. */
#include "core/helper.h"

#include "core/log.h"
#include "core/worker.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

static struct loop *loop_for_test(void)
{
    struct err e;
    struct loop *l = loop_new(&e);
    assert_non_null(l);
    return l;
}

struct tick {
    struct timer timer;
    int number;
};

static int fired[1000];
static int fired_count;

static void tick(void *arg)
{
    struct tick *t = arg;
    assert_false(timer_is_set(&t->timer));
    fired[fired_count++] = t->number;
}

static void stop(void *arg)
{
    loop_stop(arg);
}

static void test_timers_fire_in_order(void **state)
{
    (void)state;
    static struct tick ticks[1000];
    struct loop *l = loop_for_test();
    struct timer end = {0};
    usec start = clock_monotonic();
    fired_count = 0;
    /* 0..999 in a scattered order, some set twice, every third cleared. */
    for (int i = 0; i < 1000; i++) {
        int k = i * 617 % 1000;
        ticks[k] = (struct tick){.number = k};
        if (k % 5 == 0)
            timer_set(&ticks[k].timer, start + (k % 7) * 12345, tick, &ticks[k]);
        timer_set(&ticks[k].timer, start + k * 50, tick, &ticks[k]);
    }
    for (int i = 0; i < 1000; i += 3)
        timer_clear(&ticks[i].timer);
    timer_clear(&ticks[0].timer);
    timer_set(&end, start + 60 * USEC_MSEC, stop, l);
    loop_run(l);
    assert_true(clock_monotonic() - start >= 60 * USEC_MSEC);
    assert_int_equal(fired_count, 666);
    for (int i = 1; i < fired_count; i++)
        assert_true(fired[i] > fired[i - 1]);
    timer_set(&end, DEADLINE_NONE, stop, l);
    assert_false(timer_is_set(&end));
    loop_free(l);
}

static usec offset;

static usec shifted(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (usec)t.tv_sec * USEC_SEC + t.tv_nsec / 1000 + offset;
}

static void jump(void *arg)
{
    (void)arg;
    offset = 3600 * USEC_SEC;
}

/* A far timer fires when the clock has reached it, though libevent was told a later time. */
static void test_earlier_timer_and_moved_clock(void **state)
{
    (void)state;
    struct loop *l = loop_for_test();
    struct timer far = {0}, near = {0};
    clock_replace(shifted, NULL);
    timer_set(&far, deadline_in(3600 * USEC_SEC), stop, l);
    timer_set(&near, deadline_in(5 * USEC_MSEC), jump, NULL);
    loop_run(l);
    assert_false(timer_is_set(&far));
    clock_replace(NULL, NULL);
    offset = 0;
    loop_free(l);
}

static char trace[16];

static void deferred(void *arg)
{
    strncat(trace, arg, 1);
    if (strcmp(trace, "a") == 0)
        loop_defer(loop_current(), deferred, (void *)(uintptr_t) "c");
}

static void test_deferred_calls_run_before_the_loop_waits(void **state)
{
    (void)state;
    struct loop *l = loop_for_test();
    loop_defer(l, deferred, (void *)(uintptr_t) "a");
    loop_defer(l, deferred, (void *)(uintptr_t) "b");
    loop_stop(l); /* before the run: one turn */
    loop_run(l);
    loop_defer(l, stop, l);
    loop_run(l);
    assert_string_equal(trace, "abc");
    loop_free(l);
}

static int signal_seen;

static void signalled(void *arg, int number)
{
    signal_seen = number;
    loop_stop(arg);
}

static void send_signal(void *arg)
{
    (void)arg;
    kill(getpid(), SIGUSR1);
}

static void test_signals(void **state)
{
    (void)state;
    struct loop *l = loop_for_test();
    loop_on_signal(l, SIGUSR1, signalled, l);
    loop_defer(l, send_signal, NULL);
    loop_run(l);
    assert_int_equal(signal_seen, SIGUSR1);
    loop_free(l);
}

static void hold(void *arg)
{
    (void)arg;
    usec until = clock_monotonic() + 15 * USEC_MSEC;
    while (clock_monotonic() < until) {
    }
}

static void hold_and_stop(void *arg)
{
    fiber_start(loop_current(), "slow work", hold, NULL);
    fiber_yield();
    fiber_yield();
    loop_stop(arg);
}

static void test_watchdog_names_what_held_the_loop(void **state)
{
    (void)state;
    struct err e;
    struct buf b = BUF_EMPTY;
    char *dir = make_directory(), *path = path_in(dir, "log");
    struct loop *l = loop_for_test();
    assert_true(log_open(path, LOG_LEVEL_INFO, &e));
    fiber_start(l, "other", hold_and_stop, l);
    loop_run(l);
    loop_free(l);
    log_flush();
    assert_true(log_open(NULL, LOG_LEVEL_INFO, &e));
    assert_true(disk_read_file(path, 10000, &b, &e));
    assert_non_null(strstr(buf_c(&b), "longest slow work with "));
    buf_free(&b);
    free(path);
    remove_directory(dir);
}

static void work(void *arg)
{
    *(bool *)arg = true;
}

static void live_through_days(void *arg)
{
    struct err e;
    usec day = 86400 * USEC_SEC, wall = clock_wall();
    bool worked = false;
    (void)arg;
    for (int i = 0; i < 100; i++)
        assert_true(fiber_sleep(day, &e));
    assert_true(clock_wall() - wall == 100 * day);
    usec before = clock_monotonic();
    worker_run(WORKER_DISK, work, &worked);
    assert_true(worked && clock_monotonic() == before);
    struct cond never = {0};
    assert_false(cond_wait(&never, deadline_in(day), &e));
    assert_int_equal(e.kind, ERR_TIMEOUT);
    assert_true(clock_monotonic() == before + day);
}

static void test_simulated_time_jumps_to_deadlines(void **state)
{
    (void)state;
    usec begin = (usec)1800000000 * USEC_SEC;
    clock_simulate(begin);
    assert_true(clock_wall() == begin && clock_is_simulated());
    run_in_fiber(live_through_days, NULL);
    clock_simulate(0);
    assert_false(clock_is_simulated());
    assert_true(clock_wall() != begin);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_timers_fire_in_order),
        cmocka_unit_test(test_earlier_timer_and_moved_clock),
        cmocka_unit_test(test_deferred_calls_run_before_the_loop_waits),
        cmocka_unit_test(test_signals),
        cmocka_unit_test(test_watchdog_names_what_held_the_loop),
        cmocka_unit_test(test_simulated_time_jumps_to_deadlines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
