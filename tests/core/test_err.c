/* Errors, clock and randomness. */
#include "core/helper.h"

#include <errno.h>
#include <string.h>

static void test_errors(void **state)
{
    (void)state;
    struct err e;
    assert_false(err_set(&e, ERR_QUOTA, "%s is full", "mailbox"));
    assert_int_equal(e.kind, ERR_QUOTA);
    assert_string_equal(e.text, "mailbox is full");
    assert_false(err_prefix(&e, "alice"));
    assert_string_equal(e.text, "alice: mailbox is full");
    assert_false(err_set(&e, ERR_TEMP, "later: %s", e.text));
    assert_string_equal(e.text, "later: alice: mailbox is full");
    assert_false(err_set(NULL, ERR_TEMP, "nobody asked"));
    assert_false(err_set_errno(&e, EDQUOT, "write %s", "/x"));
    assert_int_equal(e.kind, ERR_NO_SPACE);
    assert_string_equal(e.text, "write /x: Disk quota exceeded");
    assert_false(err_set_errno(&e, EACCES, "x"));
    assert_int_equal(e.kind, ERR_IO);
    err_set_errno(&e, ENOENT, "open /spool");
    assert_int_equal(e.kind, ERR_NOT_FOUND);
    err_as_io(&e);
    assert_int_equal(e.kind, ERR_IO);
    err_set(&e, ERR_NO_SPACE, "full");
    err_as_io(&e);
    assert_int_equal(e.kind, ERR_NO_SPACE);
    err_as_io(NULL);
    /* A long path does not push out the cause. */
    assert_false(err_set_errno(&e, EIO, "%0500d", 1));
    assert_int_equal(e.kind, ERR_IO);
    assert_non_null(strstr(e.text, "Input/output error"));
    assert_false(err_prefix(&e, "%0500d", 1));
    assert_true(strlen(e.text) < sizeof e.text);
    assert_string_equal(err_kind_name(ERR_TEMP), "temporary");
    assert_string_equal(err_kind_name((enum err_kind)999), "unknown");
}

static usec fixed(void)
{
    return 1700000000 * USEC_SEC;
}

static void test_clock(void **state)
{
    (void)state;
    usec a = clock_monotonic(), b = clock_monotonic();
    assert_true(b >= a);
    assert_true(deadline_in(USEC_SEC) >= a + USEC_SEC);
    assert_true(deadline_in(0) == DEADLINE_NONE);
    assert_true(deadline_in(INT64_MAX) == DEADLINE_NONE);
    clock_replace(fixed, fixed);
    assert_true(clock_wall() == fixed());
    assert_true(deadline_in(5) == fixed() + 5);
    clock_replace(NULL, NULL);
    assert_true(clock_wall() > fixed());
}

static void test_random(void **state)
{
    (void)state;
    char last[ID_SIZE], id[ID_SIZE];
    random_id(last);
    for (int i = 0; i < 100000; i++) {
        random_id(id);
        assert_int_equal(strlen(id), ID_SIZE - 1);
        assert_true(strncmp(id, last, 11) > 0); /* unique, and by age */
        memcpy(last, id, ID_SIZE);
    }
    assert_int_equal(strspn(id, "0123456789bcdfghjklmnpqrstvwxyz"), ID_SIZE - 1);
    unsigned seen[10] = {0};
    for (int i = 0; i < 10000; i++)
        seen[random_below(10)]++;
    for (int i = 0; i < 10; i++)
        assert_in_range(seen[i], 800, 1200);
    unsigned char big[1000] = {0}, zero[1000] = {0};
    random_bytes(big, sizeof big);
    assert_memory_not_equal(big, zero, sizeof big);

    random_seed(42);
    uint64_t first = random_u64(), second = random_u64();
    assert_true(first != second);
    random_seed(42);
    assert_true(random_u64() == first && random_u64() == second);
    random_seed(0);
    assert_true(random_u64() != first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_clock),
        cmocka_unit_test(test_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
