/*
 * What the kernel says of the clock, and SPF records as text.
 */
#include "mailctl/doctor.h"
#include "mailctl/spf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/timex.h>

#include <cmocka.h>

static void test_clock(void **state)
{
    struct str text;
    (void)state;
    assert_int_equal(doctor_judge_clock(TIME_OK, STA_PLL, &text), DOCTOR_GOOD);
    assert_int_equal(doctor_judge_clock(TIME_INS, STA_PLL, &text), DOCTOR_GOOD);
    assert_int_equal(doctor_judge_clock(TIME_ERROR, STA_UNSYNC, &text), DOCTOR_WARN);
    assert_int_equal(doctor_judge_clock(TIME_OK, STA_UNSYNC, &text), DOCTOR_WARN);
    assert_true(str_find(text, STR("nobody")) >= 0);
    assert_int_equal(doctor_judge_clock(-1, 0, &text), DOCTOR_SKIPPED);
}

static void expect_default(const char *record, char wanted)
{
    assert_int_equal(spf_record_default(str_from_c(record)), wanted);
}

static void test_what_a_record_says_of_others(void **state)
{
    (void)state;
    expect_default("v=spf1 mx -all", '-');
    expect_default("v=spf1 mx ~ALL", '~');
    expect_default("v=spf1 ?all mx", '?');
    expect_default("v=spf1 all", '+');
    expect_default("v=spf1 +all", '+');
    expect_default("v=spf1 mx", 0);
    expect_default("v=spf1", 0);
    expect_default("v=spf1 mx redirect=d.test", '-');
    expect_default("v=spf1 include:all.test a:all", 0);
}

static void expect_with(const char *record, const char *wanted)
{
    struct arena *a = arena_new();
    struct str text = spf_record_with(str_from_c(record), STR("ip4:192.0.2.1"), a);
    assert_string_equal(text.p, wanted);
    arena_free(a);
}

static void test_a_mechanism_more(void **state)
{
    (void)state;
    expect_with("v=spf1 mx -all", "v=spf1 mx ip4:192.0.2.1 -all");
    expect_with("v=spf1   mx  redirect=d.test", "v=spf1 mx ip4:192.0.2.1 redirect=d.test");
    expect_with("v=spf1 mx", "v=spf1 mx ip4:192.0.2.1");
    expect_with("v=spf1", "v=spf1 ip4:192.0.2.1");
    expect_with("v=spf1 -all all", "v=spf1 ip4:192.0.2.1 -all all");
}

static void test_the_table_is_whole(void **state)
{
    (void)state;
    for (const struct doctor_check *c = doctor_checks; c->name; c++) {
        assert_non_null(c->run);
        assert_true(strlen(c->looks_at) > 10 && strlen(c->why) > 10);
        for (const struct doctor_check *other = doctor_checks; other != c; other++)
            assert_string_not_equal(other->name, c->name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clock),
        cmocka_unit_test(test_what_a_record_says_of_others),
        cmocka_unit_test(test_a_mechanism_more),
        cmocka_unit_test(test_the_table_is_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
