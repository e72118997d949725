/* Windows of destinations, and rates. */
#include "queue/rate.h"
#include "queue/window.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
/* After the above. */
#include <cmocka.h>

static const struct window_limits limits = {.first = 5, .most = 20, .dead_time = 225 * USEC_SEC};

static void test_one_connection_tries_first(void **state)
{
    (void)state;
    struct window w = {0};
    usec now = USEC_SEC;
    assert_int_equal(window_room(&w, &limits, now), 1);
    assert_true(window_connected(&w, &limits, now));
    assert_int_equal(window_room(&w, &limits, now), 5);
    assert_false(window_connected(&w, &limits, now));
}

static void test_it_grows_by_a_round_and_only_when_used(void **state)
{
    (void)state;
    struct window w = {0};
    usec now = USEC_SEC;
    window_connected(&w, &limits, now);
    unsigned delivered = 0;
    while (window_room(&w, &limits, now) < 10) {
        window_delivered(&w, &limits, window_room(&w, &limits, now), now);
        delivered++;
    }
    /* Rounds of 5, 6, 7, 8 and 9. */
    assert_in_range(delivered, 5 + 6 + 7 + 8 + 9, 5 + 6 + 7 + 8 + 9 + 5);
    for (int i = 0; i < 1000; i++)
        window_delivered(&w, &limits, 20, now);
    assert_int_equal(window_room(&w, &limits, now), 20);

    struct window unused = {0};
    window_connected(&unused, &limits, now);
    for (int i = 0; i < 1000; i++)
        window_delivered(&unused, &limits, 1, now);
    assert_int_equal(window_room(&unused, &limits, now), 6);
}

/* A server with a limit of its own: the window stays near it, and few connections are refused. */
static void test_it_stays_near_a_servers_limit(void **state)
{
    (void)state;
    struct window w = {0};
    usec now = USEC_SEC;
    unsigned refused = 0, good = 0, highest = 0;
    window_connected(&w, &limits, now);
    for (int round = 0; round < 1000; round++) {
        size_t room = window_room(&w, &limits, now);
        highest = room > highest ? (unsigned)room : highest;
        for (size_t i = 0; i < room; i++) {
            if (i < 10) {
                window_delivered(&w, &limits, room, now);
                good++;
            } else {
                assert_false(window_failed(&w, &limits, now));
                refused++;
            }
        }
        now += USEC_SEC;
    }
    assert_true(window_room(&w, &limits, now) >= 9);
    assert_true(highest <= 20);
    assert_true(refused < (good + refused) / 20);
}

static void test_death_and_probe(void **state)
{
    (void)state;
    struct window w = {0};
    usec now = USEC_SEC;
    /* Nobody knows it: one failure is enough. */
    assert_true(window_failed(&w, &limits, now));
    assert_true(window_is_dead(&w, now));
    assert_int_equal(window_room(&w, &limits, now), 0);
    now += limits.dead_time;
    assert_false(window_is_dead(&w, now));
    assert_int_equal(window_room(&w, &limits, now), 1);
    assert_true(window_failed(&w, &limits, now));
    assert_int_equal(window_room(&w, &limits, now), 0);
    window_forgive(&w);
    assert_int_equal(window_room(&w, &limits, now), 1);
    assert_true(window_connected(&w, &limits, now));
    /* One that works: as many failures in a row as it has room. */
    for (int i = 0; i < 4; i++)
        assert_false(window_failed(&w, &limits, now));
    window_delivered(&w, &limits, 1, now);
    unsigned failures = 1;
    while (!window_failed(&w, &limits, now))
        failures++;
    assert_in_range(failures, 1, 5);
    assert_int_equal(window_room(&w, &limits, now), 0);
}

static void test_it_forgets(void **state)
{
    (void)state;
    struct window w = {0};
    usec now = USEC_SEC;
    window_connected(&w, &limits, now);
    for (int i = 0; i < 1000; i++)
        window_delivered(&w, &limits, 20, now);
    assert_int_equal(window_room(&w, &limits, now + 60 * USEC_SEC), 20);
    assert_int_equal(window_room(&w, &limits, now + 1800 * USEC_SEC), 5);
    assert_false(window_is_forgotten(&w, now + 1800 * USEC_SEC));
    assert_int_equal(window_room(&w, &limits, now + 4000 * USEC_SEC), 1);
    assert_true(window_is_forgotten(&w, now + 4000 * USEC_SEC));
}

/* --- rates --- */

/* Most that go in any time of this length, when there is always something to send. */
static unsigned most_in(struct rate_limit l, usec length, usec pause)
{
    enum { MOST = 5000 };
    static usec at[MOST];
    struct rate r = {0};
    usec now = USEC_SEC;
    for (int i = 0; i < MOST; i++) {
        now = rate_next(&r, l, now);
        rate_take(&r, l, now);
        at[i] = now;
        if (i % 2500 == 2499)
            now += pause;
    }
    unsigned most = 0;
    for (int i = 0, first = 0; i < MOST; i++) {
        while (at[i] - at[first] >= length)
            first++;
        most = (unsigned)(i - first + 1) > most ? (unsigned)(i - first + 1) : most;
    }
    return most;
}

static void test_no_period_sees_more_than_its_rate(void **state)
{
    (void)state;
    const struct rate_limit all[] = {{1, USEC_SEC},           {3, 10 * USEC_SEC},
                                     {100, 60 * USEC_SEC},    {9, 60 * USEC_SEC},
                                     {1000, 3600 * USEC_SEC}, {200, USEC_SEC}};
    for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
        unsigned most = most_in(all[i], all[i].period, 2 * all[i].period);
        assert_true(most <= all[i].count && most >= all[i].count * 9 / 10);
    }
}

static void test_small_groups_need_not_wait(void **state)
{
    (void)state;
    const struct rate_limit l = {100, 60 * USEC_SEC};
    struct rate r = {0};
    usec now = 1000 * USEC_SEC;
    for (int i = 0; i < 10; i++) {
        assert_true(rate_next(&r, l, now) == now);
        rate_take(&r, l, now);
    }
    assert_true(rate_next(&r, l, now) > now);
    const struct rate_limit none = {0, 0};
    assert_true(rate_next(&r, none, now) == now);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_connection_tries_first),
        cmocka_unit_test(test_it_grows_by_a_round_and_only_when_used),
        cmocka_unit_test(test_it_stays_near_a_servers_limit),
        cmocka_unit_test(test_death_and_probe),
        cmocka_unit_test(test_it_forgets),
        cmocka_unit_test(test_no_period_sees_more_than_its_rate),
        cmocka_unit_test(test_small_groups_need_not_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
