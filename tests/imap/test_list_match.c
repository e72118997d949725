/*
 * LIST patterns, against cases and against the definition written down as plain recursion.
 */
#include "imap/list_match.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static bool matches(const char *pattern, const char *name)
{
    return list_match(str_from_c(pattern), str_from_c(name));
}

static void test_cases(void **state)
{
    (void)state;
    assert_true(matches("*", "a/b/c"));
    assert_true(matches("%", "a"));
    assert_false(matches("%", "a/b"));
    assert_true(matches("a/%", "a/b"));
    assert_false(matches("a/%", "a"));
    assert_true(matches("%/b", "a/b"));
    assert_true(matches("*b*", "a/b/c"));
    assert_true(matches("a*%b", "a/x/yb"));
    assert_false(matches("", "a"));
    assert_true(matches("inBox", "INBOX"));
    assert_true(matches("inbox/%", "INBOX/x"));
    assert_false(matches("Sent", "sent"));
    assert_false(matches("inboxx", "INBOXX"));
    assert_true(list_match_wants_parents(STR("a/%")));
    assert_false(list_match_wants_parents(STR("a/%*")));
}

static bool by_definition(const char *p, const char *n)
{
    if (*p == '*')
        return by_definition(p + 1, n) || (*n && by_definition(p, n + 1));
    if (*p == '%')
        return by_definition(p + 1, n) || (*n && *n != '/' && by_definition(p, n + 1));
    return *p == *n && (!*p || by_definition(p + 1, n + 1));
}

static void random_text(char *out, size_t max, const char *letters)
{
    size_t n = (size_t)rand() % (max + 1);
    for (size_t i = 0; i < n; i++)
        out[i] = letters[(size_t)rand() % strlen(letters)];
    out[n] = 0;
}

static void test_random_against_definition(void **state)
{
    (void)state;
    srand(1);
    size_t matched = 0;
    for (int i = 0; i < 300000; i++) {
        char pattern[9], name[13];
        random_text(pattern, 8, "ab/**%%");
        random_text(name, 12, "aabb/");
        bool wanted = by_definition(pattern, name);
        matched += wanted;
        if (matches(pattern, name) != wanted)
            fail_msg("pattern %s name %s", pattern, name);
    }
    assert_true(matched > 1000);
}

static void test_many_wildcards_end(void **state)
{
    (void)state;
    char pattern[801], name[501];
    for (int i = 0; i < 400; i++)
        memcpy(pattern + 2 * i, i % 2 ? "%a" : "*a", 2);
    pattern[800] = 0;
    memset(name, 'a', 500);
    memcpy(name + 499, "b", 2);
    assert_false(matches(pattern, name));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_random_against_definition),
        cmocka_unit_test(test_many_wildcards_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
