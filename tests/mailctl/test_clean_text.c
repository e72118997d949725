/*
 * What strangers wrote, for a terminal.
 */
#include "mailctl/clean_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void expect(const char *text, const char *kept, const char *wanted)
{
    struct buf b = BUF_EMPTY;
    clean_text_add(&b, str_from_c(text), kept);
    assert_string_equal(buf_c(&b), wanted);
    buf_free(&b);
}

static void test_controls(void **state)
{
    (void)state;
    expect("", "", "");
    expect("plain ~ text", "", "plain ~ text");
    expect("\033[31mred\a\x7f", "", "?[31mred??");
    expect("one\r\n\ttwo\n", "\n\t", "one?\n\ttwo\n");
    expect("one\n\ttwo", "", "one??two");
}

/* As dangerous as ESC to a terminal that knows them. */
static void test_controls_beyond_ascii(void **state)
{
    (void)state;
    expect("\xc2\x9b"
           "31mred",
           "", "?31mred");
    expect("\xc2\x80\xc2\x9f\xc2\xa0", "", "??\xc2\xa0");
    expect("M\xc3\xbcller \xe2\x82\xac \xf0\x9f\x93\xac", "",
           "M\xc3\xbcller \xe2\x82\xac \xf0\x9f\x93\xac");
    expect("\x9b"
           "31m \xff\xc3",
           "", "?31m ??");
    expect("\xc0\x9b \xed\xa0\x80", "", "?? ???");
}

/* "moc.elpmaxe@" would be read as "@example.com". */
static void test_the_order_of_reading(void **state)
{
    (void)state;
    expect("a\xe2\x80\xaemoc.elpmaxe@\xe2\x80\xac", "", "a?moc.elpmaxe@?");
    expect("\xe2\x81\xa6x\xe2\x81\xa9 \xe2\x80\xa8", "", "?x? ?");
    expect("\xd7\xa9\xe2\x80\x8f", "", "\xd7\xa9\xe2\x80\x8f");
}

static void test_a_character_in_two_pieces(void **state)
{
    (void)state;
    assert_int_equal(clean_text_whole(STR("")), 0);
    assert_int_equal(clean_text_whole(STR("abc")), 3);
    assert_int_equal(clean_text_whole(STR("ab\xc3")), 2);
    assert_int_equal(clean_text_whole(STR("ab\xc3\xbc")), 4);
    assert_int_equal(clean_text_whole(STR("ab\xe2\x82")), 2);
    assert_int_equal(clean_text_whole(STR("ab\xe2\x82\xac")), 5);
    assert_int_equal(clean_text_whole(STR("ab\xf0\x9f\x93")), 2);
    assert_int_equal(clean_text_whole(STR("\xf0\x9f\x93\xac")), 4);
    assert_int_equal(clean_text_whole(STR("ab\x93\xac\x93\xac")), 6);
    assert_int_equal(clean_text_whole(STR("ab\xff")), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_controls),
        cmocka_unit_test(test_controls_beyond_ascii),
        cmocka_unit_test(test_the_order_of_reading),
        cmocka_unit_test(test_a_character_in_two_pieces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
