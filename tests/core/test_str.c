/* Strings: edges of searching, cutting and conversion; UTF-8 as RFC 3629 has it. */
#include "core/helper.h"

#include "core/str.h"

#include <stdlib.h>

#define assert_str(s, literal) assert_true(str_equal((s), STR(literal)))

static void test_compare(void **state)
{
    (void)state;
    assert_true(str_equal(str_from(NULL, 0), STR("")));
    assert_false(str_equal(STR("a"), STR("b")));
    assert_true(str_equal_nocase(STR("INBOX"), STR("inBox")));
    assert_false(str_equal_nocase(STR("\xc4"), STR("\xe4"))); /* ASCII only */
    assert_false(str_equal_nocase(STR("@"), STR("`")));
    assert_true(str_compare(STR("ab"), STR("abc")) < 0);
    assert_true(str_compare(STR("b"), STR("abc")) > 0);
    assert_int_equal(str_compare(STR("x"), STR("x")), 0);
    assert_true(str_compare(STR("\xff"), STR("a")) > 0);
    assert_true(str_starts_with(STR("abc"), STR("ab")));
    assert_false(str_starts_with(STR("a"), STR("ab")));
    assert_true(str_starts_with_nocase(STR("Re: x"), STR("re:")));
    assert_true(str_ends_with_nocase(STR("x.ZIP"), STR(".zip")));
    assert_false(str_ends_with_nocase(STR("p"), STR("zip")));
}

static void test_find(void **state)
{
    (void)state;
    assert_int_equal(str_find_char(STR("abcb"), 'b'), 1);
    assert_int_equal(str_find_last_char(STR("abcb"), 'b'), 3);
    assert_int_equal(str_find_char(STR(""), 'b'), -1);
    assert_int_equal(str_find(STR("aab"), STR("ab")), 1);
    assert_int_equal(str_find(STR("aab"), STR("")), 0);
    assert_int_equal(str_find(STR("a"), STR("ab")), -1);
    assert_int_equal(str_find_nocase(STR("xxSuBject"), STR("subject")), 2);
    assert_int_equal(str_find_nocase(STR("subjec"), STR("subject")), -1);
}

static void test_cut(void **state)
{
    (void)state;
    assert_str(str_trim(STR(" \t a b\r\n")), "a b");
    assert_str(str_trim(STR(" \r\n")), "");
    assert_str(str_skip(STR("abc"), 1), "bc");
    assert_str(str_skip(STR("abc"), 9), "");
    assert_str(str_head(STR("abc"), 2), "ab");
    assert_str(str_head(STR("abc"), 9), "abc");
    struct str rest = STR("a,,b");
    assert_str(str_split(&rest, ','), "a");
    struct str middle = str_split(&rest, ',');
    assert_non_null(middle.p);
    assert_int_equal(middle.n, 0);
    assert_str(str_split(&rest, ','), "b");
    assert_null(rest.p);
    assert_null(str_split(&rest, ',').p);
    rest = STR(" MAIL \t FROM ");
    assert_str(str_word(&rest), "MAIL");
    assert_str(str_word(&rest), "FROM");
    assert_null(str_word(&rest).p);
    assert_null(str_word(&rest).p);
}

static void test_after_last(void **state)
{
    (void)state;
    assert_true(str_equal(str_after_last(STR("\"a@b\"@c.test"), '@'), STR("c.test")));
    assert_true(str_equal(str_after_last(STR("alice"), '@'), STR("alice")));
    assert_true(str_equal(str_after_last(STR("alice@"), '@'), STR("")));
    assert_int_equal(str_after_last(STR(""), '@').n, 0);
}

static void test_numbers(void **state)
{
    (void)state;
    uint64_t v;
    uint32_t w;
    assert_true(str_to_u64(STR("18446744073709551615"), &v));
    assert_true(v == UINT64_MAX);
    assert_false(str_to_u64(STR("18446744073709551616"), &v));
    assert_false(str_to_u64(STR(""), &v));
    assert_false(str_to_u64(STR("-1"), &v));
    assert_false(str_to_u64(STR("1 "), &v));
    assert_true(str_to_u64(STR("007"), &v));
    assert_int_equal(v, 7);
    assert_true(str_to_u32(STR("4294967295"), &w));
    assert_false(str_to_u32(STR("4294967296"), &w));
}

static void test_utf8(void **state)
{
    (void)state;
    static const char *const good[] = {"",
                                       "plain text, longer than eight",
                                       "\xc2\x80",
                                       "\xdf\xbf",
                                       "\xe0\xa0\x80",
                                       "\xed\x9f\xbf",
                                       "\xee\x80\x80",
                                       "\xf0\x90\x80\x80",
                                       "\xf4\x8f\xbf\xbf",
                                       "seven..\xc3\xa9 and on and on"};
    static const char *const bad[] = {"\x80",
                                      "\xc0\x80",
                                      "\xc1\xbf",
                                      "\xc3",
                                      "\xe0\x9f\xbf",
                                      "\xed\xa0\x80",
                                      "\xe2\x82",
                                      "\xe2\x28\xa1",
                                      "\xf0\x8f\xbf\xbf",
                                      "\xf4\x90\x80\x80",
                                      "\xf5\x80\x80\x80",
                                      "abcdefgh\xff"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_true(str_is_utf8(str_from_c(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(str_is_utf8(str_from_c(bad[i])));
    assert_false(str_is_utf8(STR("a\0b")));
    assert_true(str_is_ascii(STR("0123456789")));
    assert_false(str_is_ascii(STR("012345678\xe9")));
    assert_int_not_equal(str_hash(STR("a")), str_hash(STR("b")));
}

static void test_character(void **state)
{
    (void)state;
    assert_int_equal(str_character(STR("")), 0);
    assert_int_equal(str_character(STR("ab")), 1);
    assert_int_equal(str_character(STR("\xc3\xa4x")), 2);
    assert_int_equal(str_character(STR("\xe2\x82\xac")), 3);
    assert_int_equal(str_character(STR("\xf0\x9f\x98\x80")), 4);
    assert_int_equal(str_character(STR("\xf0\x9f\x98")), 0);
    assert_int_equal(str_character(STR("\xa4")), 0);
    assert_int_equal(str_character(STR("\xc0\xaf")), 0);
}

static void test_characters(void **state)
{
    (void)state;
    for (int c = 0; c < 256; c++) {
        char text[2] = {(char)c, 0};
        bool named = c != 0;
        assert_int_equal(char_is_digit((char)c), named && strchr("0123456789", c) != NULL);
        assert_int_equal(char_is_space((char)c), named && strchr(" \t\r\n", c) != NULL);
        bool hex = named && strchr("0123456789abcdefABCDEF", c);
        assert_int_equal(char_hex_value((char)c), hex ? (int)strtol(text, NULL, 16) : -1);
    }
}

static void test_count(void **state)
{
    (void)state;
    assert_int_equal(str_count_char(STR("a\nb\n\n"), '\n'), 3);
    assert_int_equal(str_count_char(STR("\n"), 'x'), 0);
    assert_int_equal(str_count_char((struct str){0}, '\n'), 0);
    assert_int_equal(str_count_characters(STR("")), 0);
    assert_int_equal(str_count_characters(STR("a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80")), 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_character),  cmocka_unit_test(test_compare),
        cmocka_unit_test(test_find),       cmocka_unit_test(test_cut),
        cmocka_unit_test(test_after_last), cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_utf8),       cmocka_unit_test(test_characters),
        cmocka_unit_test(test_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
