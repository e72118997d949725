/* Whose turn it is at one destination. */
#include "queue/fair_list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
/* After the above. */
#include <cmocka.h>

struct thing {
    struct fair_entry entry; /* first */
    int number;
    bool bulk;
};

static struct fair_list list;

static void add(int number, int priority, uint64_t sender, bool bulk)
{
    struct thing *t = calloc(1, sizeof(*t));
    t->number = number;
    t->bulk = bulk;
    fair_list_add(&list, &t->entry, priority, sender, bulk);
}

/* The number of the next one; -1: none. */
static int next(void)
{
    struct thing *t = (struct thing *)fair_list_next(&list);
    if (!t)
        return -1;
    int number = t->number;
    fair_list_remove(&list, &t->entry, t->bulk);
    free(t);
    return number;
}

static void test_senders_in_turn(void **state)
{
    (void)state;
    for (int i = 0; i < 1000; i++)
        add(i, 0, 1, true);
    assert_int_equal(next(), 0);
    add(5000, 0, 2, false);
    add(5001, 0, 2, false);
    add(6000, 0, 3, true);
    int last = 0, others = 0;
    for (int i = 0; i < 6; i++) {
        int number = next();
        others += number >= 5000;
        if (number < 1000) {
            assert_int_equal(number, last + 1);
            last = number;
        }
    }
    assert_int_equal(others, 3);
    for (int i = last + 1; i < 1000; i++)
        assert_int_equal(next(), i);
    assert_int_equal(next(), -1);
    assert_true(fair_list_is_empty(&list) && !list.levels);
}

static void test_a_letter_overtakes_its_writers_mailing(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++)
        add(i, 0, 1, true);
    next();
    add(500, 0, 1, false);
    int first = next(), second = next();
    assert_true(first == 500 || second == 500);
    /* And a stream of letters does not stop the mailing. */
    int mailing = 0;
    for (int i = 0; i < 40; i++) {
        add(1000 + i, 0, 1, false);
        mailing += next() < 500;
    }
    assert_in_range(mailing, 19, 21);
    while (next() >= 0) {
    }
    assert_int_equal(list.small, 0);
}

static void test_priorities_first_but_not_only(void **state)
{
    (void)state;
    for (int i = 0; i < 160; i++)
        add(9, 9, 1, false);
    for (int i = 0; i < 20; i++) {
        add(0, 0, 1, false);
        add(5, -5, 1, false);
    }
    add(10, FAIR_URGENT, 7, false);
    assert_true(fair_list_has_urgent(&list));
    assert_int_equal(next(), 10);
    assert_false(fair_list_has_urgent(&list));
    int high = 0, normal = 0, low = 0;
    for (int i = 0; i < 160; i++) {
        int n = next();
        high += n == 9;
        normal += n == 0;
        low += n == 5;
    }
    assert_int_equal(high, 140);
    assert_int_equal(normal, 10);
    assert_int_equal(low, 10);
    while (next() >= 0) {
    }
    assert_true(fair_list_is_empty(&list));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_senders_in_turn),
        cmocka_unit_test(test_a_letter_overtakes_its_writers_mailing),
        cmocka_unit_test(test_priorities_first_but_not_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
