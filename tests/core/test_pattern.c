/*
 * Regular expressions with limits, and templates.
 */
#include "core/helper.h"

#include "core/pattern.h"

static bool fits(const char *pattern, int flags, const char *subject)
{
    struct err e = {0};
    struct pattern *p = pattern_new(str_from_c(pattern), flags, &e);
    struct pattern_matcher *m = pattern_matcher_new(PATTERN_LOOP_STEPS, PATTERN_LOOP_HEAP);
    assert_non_null(p);
    enum pattern_result result = pattern_match(p, m, str_from_c(subject));
    assert_int_not_equal(result, PATTERN_GAVE_UP);
    pattern_matcher_free(m);
    pattern_free(p);
    return result == PATTERN_FITS;
}

static void matches_without_regard_to_case(void **state)
{
    (void)state;
    assert_true(fits("^sales-.*@", 0, "Sales-7@example.test"));
    assert_false(fits("^sales-.*@", 0, "resales-7@example.test"));
    assert_true(fits("ales", 0, "sales@example.test"));
    assert_true(fits("", 0, ""));
    assert_false(fits("x$", 0, "x\n"));
    assert_true(fits("^b.cher$", PATTERN_UTF,
                     "B\xc3\xbc"
                     "cher"));
    assert_false(fits("^b.cher$", 0,
                      "b\xc3\xbc"
                      "cher"));
    assert_true(fits("^\xc3\x9c", PATTERN_UTF, "\xc3\xbc@example.test"));
    assert_true(fits("^a+$", PATTERN_JIT, "aaa"));
}

static void malformed_bytes_match_nothing(void **state)
{
    (void)state;
    assert_false(fits("^a.b$", PATTERN_UTF,
                      "a\xff"
                      "b"));
    assert_true(fits("b$", PATTERN_UTF,
                     "a\xff"
                     "b"));
}

static void wrong_patterns_are_told_with_their_place(void **state)
{
    struct err e = {0};
    (void)state;
    assert_null(pattern_new(STR("abc(d"), 0, &e));
    assert_int_equal(e.kind, ERR_SYNTAX);
    assert_non_null(strstr(e.text, "at its character 6"));
    assert_null(pattern_new(STR("a\\C"), PATTERN_UTF, &e));
    assert_int_equal(e.kind, ERR_SYNTAX);
    assert_null(pattern_new(STR("\xff"), PATTERN_UTF, &e));
    assert_int_equal(e.kind, ERR_SYNTAX);
    char *text = malloc(PATTERN_TEXT_MAX + 1);
    memset(text, 'a', PATTERN_TEXT_MAX + 1);
    assert_null(pattern_new(str_from(text, PATTERN_TEXT_MAX + 1), 0, &e));
    assert_int_equal(e.kind, ERR_LIMIT);
    free(text);
    /* Small to write, large to compile. */
    assert_null(pattern_new(STR("((a{1,1000}){1,1000}){1,1000}"), 0, &e));
}

/* A pattern for which backtracking would take years. */
static void a_match_has_a_limit(void **state)
{
    struct err e = {0};
    char subject[60];
    (void)state;
    memset(subject, 'a', sizeof(subject));
    for (int flags = 0; flags <= PATTERN_JIT; flags += PATTERN_JIT) {
        struct pattern *p = pattern_new(STR("^(a+)+$"), flags, &e);
        struct pattern_matcher *m = pattern_matcher_new(PATTERN_LOOP_STEPS, PATTERN_LOOP_HEAP);
        assert_non_null(p);
        subject[sizeof(subject) - 1] = '!';
        assert_int_equal(pattern_match(p, m, str_from(subject, sizeof(subject))), PATTERN_GAVE_UP);
        assert_int_equal(pattern_match(p, m, STR("aaa")), PATTERN_FITS);
        assert_int_equal(pattern_match(p, m, STR("b")), PATTERN_DIFFERS);
        pattern_matcher_free(m);
        pattern_free(p);
    }
    /* An expression can lower its limits, and not raise them. */
    struct pattern *p = pattern_new(STR("(*LIMIT_MATCH=99999999)^(a+)+$"), 0, &e);
    struct pattern_matcher *m = pattern_matcher_new(PATTERN_LOOP_STEPS, PATTERN_LOOP_HEAP);
    assert_int_equal(pattern_match(p, m, str_from(subject, sizeof(subject))), PATTERN_GAVE_UP);
    pattern_matcher_free(m);
    pattern_free(p);
}

static void assert_expands(const char *pattern, const char *subject, const char *template,
                           const char *expected)
{
    struct err e = {0};
    struct buf out = BUF_EMPTY;
    struct pattern *p = pattern_new(str_from_c(pattern), PATTERN_UTF, &e);
    struct pattern_matcher *m = pattern_matcher_new(PATTERN_LOOP_STEPS, PATTERN_LOOP_HEAP);
    assert_non_null(p);
    assert_int_equal(pattern_match(p, m, str_from_c(subject)), PATTERN_FITS);
    pattern_expand(m, str_from_c(subject), str_from_c(template), &out);
    assert_string_equal(buf_c(&out), expected);
    buf_free(&out);
    pattern_matcher_free(m);
    pattern_free(p);
}

static void templates_name_groups(void **state)
{
    (void)state;
    assert_expands("^(.*)-[a-z]+@(.*)$", "al-x@h.test", "$1@$2", "al@h.test");
    assert_expands("^a", "abc", "<$0>", "<a>");
    assert_expands("(a)|(b)", "b", "$1-$2-$3", "-b-");
    assert_expands("a", "a", "$ $$ $x 5$", "$ $$ $x 5$");
    assert_expands("(a)(b)(c)(d)(e)(f)(g)(h)(i)(j)(k)", "abcdefghijk", "$9$1", "ia");
    assert_true(pattern_has_groups(STR("x$1@h.test")));
    assert_false(pattern_has_groups(STR("x$@h.test$")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matches_without_regard_to_case),
        cmocka_unit_test(malformed_bytes_match_nothing),
        cmocka_unit_test(wrong_patterns_are_told_with_their_place),
        cmocka_unit_test(a_match_has_a_limit),
        cmocka_unit_test(templates_name_groups),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
