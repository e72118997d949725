/*
 * LOGIN-DELAY: who comes too early is told how long to wait; the table does not grow with the
 * number of accounts that there are.
 */
#include "core/helper.h"
#include "pop3/login_delay.h"

#define DELAY (60 * USEC_SEC)

static void test_too_early(void **state)
{
    (void)state;
    struct login_times *t = login_times_new();
    usec wait;
    assert_true(login_times_note(t, 1, 1000 * USEC_SEC, DELAY, &wait));
    assert_false(login_times_note(t, 1, 1010 * USEC_SEC, DELAY, &wait));
    assert_int_equal(wait, 50 * USEC_SEC);
    assert_true(login_times_note(t, 2, 1010 * USEC_SEC, DELAY, &wait));
    assert_true(login_times_note(t, 1, 1060 * USEC_SEC, DELAY, &wait));
    assert_false(login_times_note(t, 1, 1119 * USEC_SEC, DELAY, &wait));
    assert_int_equal(wait, USEC_SEC);
    login_times_free(t);
}

static void test_many_accounts(void **state)
{
    (void)state;
    struct login_times *t = login_times_new();
    usec wait, now = 1000 * USEC_SEC;
    for (int64_t i = 0; i < 100000; i++) {
        now += USEC_SEC / 10;
        assert_true(login_times_note(t, i, now, DELAY, &wait));
        if (i >= 10)
            assert_false(login_times_note(t, i - 10, now, DELAY, &wait));
        if (i >= 600)
            assert_true(login_times_note(t, i - 600, now, DELAY, &wait));
    }
    login_times_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_too_early),
        cmocka_unit_test(test_many_accounts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
