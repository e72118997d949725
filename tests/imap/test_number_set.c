/*
 * Sequence sets: what is one, what it contains, and how numbers are written as one.
 */
#include "imap/number_set.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const char *resolved(struct arena *a, const char *text, uint32_t star)
{
    struct number_set set;
    if (!number_set_parse(a, str_from_c(text), &set))
        return "malformed";
    number_set_resolve(&set, star);
    struct buf out = BUF_EMPTY;
    for (size_t i = 0; i < set.count; i++)
        buf_printf(&out, "%s%u-%u", i ? " " : "", set.ranges[i].first, set.ranges[i].last);
    const char *s = arena_c(a, buf_str(&out));
    buf_free(&out);
    return s;
}

static void test_resolve(void **state)
{
    (void)state;
    struct arena *a = arena_new();
    assert_string_equal(resolved(a, "1", 9), "1-1");
    assert_string_equal(resolved(a, "5,1:3,2:4", 9), "1-5");
    assert_string_equal(resolved(a, "7:*", 9), "7-9");
    assert_string_equal(resolved(a, "*:7", 5), "5-7");
    assert_string_equal(resolved(a, "*", 5), "5-5");
    assert_string_equal(resolved(a, "4294967295,1:4294967295", 5), "1-4294967295");
    assert_string_equal(resolved(a, "9,7,5:1", 5), "1-5 7-7 9-9");
    arena_free(a);
}

static void test_malformed(void **state)
{
    (void)state;
    struct arena *a = arena_new();
    const char *const bad[] = {"",    "0",  "1,", ",1",  "1:",         ":1", "1:2:3", "a",
                               "1:b", "-1", "01", "1 2", "4294967296", "**", "1;2"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_string_equal(resolved(a, bad[i], 9), "malformed");
    arena_free(a);
}

static void test_contains(void **state)
{
    (void)state;
    struct arena *a = arena_new();
    struct number_set set;
    assert_true(number_set_parse(a, STR("2:3,7,10:*"), &set));
    number_set_resolve(&set, 12);
    const bool wanted[] = {false, false, true,  true, false, false, false,
                           true,  false, false, true, true,  true,  false};
    for (uint32_t n = 0; n < 14; n++)
        assert_int_equal(number_set_contains(&set, n), wanted[n]);
    arena_free(a);
}

static void test_write(void **state)
{
    (void)state;
    struct buf out = BUF_EMPTY;
    number_set_write(&out, (const uint32_t[]){1, 2, 3, 5, 9, 10, 4294967295u}, 7);
    assert_string_equal(buf_c(&out), "1:3,5,9:10,4294967295");
    buf_clear(&out);
    number_set_write(&out, (const uint32_t[]){3, 1, 2}, 3);
    assert_string_equal(buf_c(&out), "3,1:2");
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_resolve),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_contains),
        cmocka_unit_test(test_write),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
