#include "mime/utf7.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void round_trip(const char *utf8, const char *mutf7)
{
    struct buf b = BUF_EMPTY;
    assert_true(buf_add_mutf7(&b, str_from_c(utf8)));
    assert_string_equal(buf_c(&b), mutf7);
    buf_clear(&b);
    assert_true(buf_add_mutf7_decoded(&b, str_from_c(mutf7)));
    assert_string_equal(buf_c(&b), utf8);
    buf_free(&b);
}

static void test_round_trips(void **state)
{
    (void)state;
    round_trip("", "");
    round_trip("Sent", "Sent");
    round_trip("R&D", "R&-D");
    round_trip("Entw\xc3\xbcrfe", "Entw&APw-rfe");
    round_trip("~peter/mail/\xe5\x8f\xb0\xe5\x8c\x97/\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e",
               "~peter/mail/&U,BTFw-/&ZeVnLIqe-");
    round_trip("\xf0\x9f\x93\xa7 mail", "&2D3c5w- mail");
    round_trip("a\tb", "a&AAk-b");
}

static void test_refuses_other_forms(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "&",          "abc&APw", "&APw",  "Entw\xc3\xbcrfe",
        "&AGE-",               /* "a" needs no shift */
        "&APw-&APw-",          /* two shifts, one needed */
        "&2D0-",               /* half a pair */
        "&3ec-",      "&APx-", /* bits left over */
        "&AP/-",      "&*-",     "a\x7f", "a\nb",
        "&AAAA-",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        struct buf b = BUF_EMPTY;
        buf_add_c(&b, "x");
        assert_false(buf_add_mutf7_decoded(&b, str_from_c(bad[i])));
        assert_int_equal(b.n, 1);
        buf_free(&b);
    }
    struct buf b = BUF_EMPTY;
    assert_false(buf_add_mutf7(&b, STR("\xff\xfe")));
    assert_int_equal(b.n, 0);
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trips),
        cmocka_unit_test(test_refuses_other_forms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
