/*
 * What a session that looks after each change sees of the history: all changes since its last look,
 * or the word that there were too many.
 */
#include "store_helper.h"

#include "store/flag_history.h"

static uint32_t uids[FLAG_HISTORY_MAX];
static size_t count;

static void test_nothing_yet(void **state)
{
    (void)state;
    struct flag_history h = {0};
    assert_true(flag_history_since(&h, 1, uids, &count));
    assert_int_equal(count, 0);
    flag_history_free(&h);
}

static void test_since(void **state)
{
    (void)state;
    struct flag_history h = {0};
    flag_history_add(&h, 2, 30);
    flag_history_add(&h, 3, 20);
    flag_history_add(&h, 4, 30);
    flag_history_add(&h, 4, 10);
    assert_true(flag_history_since(&h, 2, uids, &count));
    assert_int_equal(count, 3);
    assert_int_equal(uids[0], 10);
    assert_int_equal(uids[1], 20);
    assert_int_equal(uids[2], 30);
    assert_true(flag_history_since(&h, 4, uids, &count));
    assert_int_equal(count, 0);
    flag_history_free(&h);
}

static void test_too_many(void **state)
{
    (void)state;
    struct flag_history h = {0};
    flag_history_add(&h, 2, 1);
    flag_history_add(&h, 3, 2);
    for (uint32_t uid = 3; uid < FLAG_HISTORY_MAX + 2; uid++)
        flag_history_add(&h, 4, uid);
    assert_false(flag_history_since(&h, 1, uids, &count)); /* the change with 2 is lost */
    assert_true(flag_history_since(&h, 2, uids, &count));
    assert_int_equal(count, FLAG_HISTORY_MAX);
    flag_history_add(&h, 5, 1);
    flag_history_add(&h, 5, 2);
    assert_false(flag_history_since(&h, 3, uids, &count)); /* one of those with 4 is lost */
    assert_true(flag_history_since(&h, 4, uids, &count));
    assert_int_equal(count, 2);
    flag_history_free(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_yet),
        cmocka_unit_test(test_since),
        cmocka_unit_test(test_too_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
