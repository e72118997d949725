/* Dates as they come in headers, good and bad, and those of IMAP. */
#include "mime/date.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void header_date(const char *text, int64_t seconds, int zone)
{
    int64_t found = -1;
    int found_zone = 9999;
    if (!date_parse_header(str_from_c(text), &found, &found_zone))
        fail_msg("no date: %s", text);
    if (found != seconds || found_zone != zone)
        fail_msg("%s: %lld %d instead of %lld %d", text, (long long)found, found_zone,
                 (long long)seconds, zone);
}

static void no_header_date(const char *text)
{
    int64_t seconds;
    if (date_parse_header(str_from_c(text), &seconds, NULL))
        fail_msg("taken for a date: %s", text);
}

static void test_header(void **state)
{
    (void)state;
    header_date("Sat, 21 Nov 2026 08:56:41 +0000", 1795251401, 0);
    header_date("Sat, 21 Nov 2026 09:56:41 +0100", 1795251401, 60);
    header_date("Sat, 21 Nov 2026 03:26:41 -0530", 1795251401, -330);
    header_date("21 Nov 2026 08:56 GMT", 1795251360, 0);
    header_date(" 1 Jan 1970 00:00:00 +0000", 0, 0);
    header_date("Thu, 31 Dec 1969 23:59:59 +0000", -1, 0);
    header_date("Thu, 29 Feb 2024 12:00:00 +0000 (UTC)", 1709208000, 0);
    header_date("Fri, 31 Dec 2016 23:59:60 +0000", 1483228800, 0);
}

static void test_header_obsolete(void **state)
{
    (void)state;
    header_date("21 Nov 97 09:55:06 EST", 880124106, -300);
    header_date("Fri, 21 Nov 97 09:55 PDT", 880131300, -420);
    header_date("1 Jan 00 00:00:00 Z", 946684800, 0);
    header_date("1 Jan 49 00:00:00 UT", 2493072000, 0);
    header_date("1 Jan 100 00:00:00 A", 946684800, 0);
    header_date("Fri, 21 Nov 1997 09(comment):   55  :  06 -0600", 880127706, -360);
    header_date("Thu,\r\n 13 (with (nested) one)\r\n Feb\r\n 1969\r\n 23:32 -0330 (NST)", -27723480,
                -210);
    header_date("Sat, 21-Nov-2026 08:56:41 +00:30", 1795249601, 30);
    header_date("Sat Nov 21 08:56:41 2026", 1795251401, 0);
    header_date("Sat Nov 21 08:56:41 CET 2026", 1795247801, 60);
    header_date("Saturday, 21 November 2026 08:56:41 GMT+0100", 1795247801, 60);
    header_date("Sat, 21 Nov 2026 08.56.41 +0000", 1795251401, 0);
    header_date("Sat, 21 Nov 2026 08:56:41.123 +0000", 1795251401, 0);
    header_date("Sat, 21 Nov 2026", 1795219200, 0);
    header_date("Sat, 21 Nov 2026 08:56:41 Mars Standard Time", 1795251401, 0);
    header_date("Sat, 21 Nov 2026 08:56:41 +9999", 1795251401, 0);
}

static void test_header_wrong(void **state)
{
    (void)state;
    const char *wrong[] = {
        "",
        " ",
        "yesterday",
        "Sat, 21 Foo 2026 08:56:41 +0000",
        "32 Nov 2026 00:00:00 +0000",
        "30 Feb 2026 00:00:00 +0000",
        "21 Nov 2026 25:00:00 +0000",
        "21 Nov 2026 08:61:00 +0000",
        "0 Nov 2026",
        "((((((((",
        "21 Nov 99999 00:00:00",
        "21 Nov 2026 8:999999999",
        "99999999999999999999",
        "Nov 2026",
        ":::",
        "21 21 21",
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        no_header_date(wrong[i]);
}

static void test_write(void **state)
{
    (void)state;
    struct buf out = BUF_EMPTY;
    setenv("TZ", "UTC0", 1);
    tzset();
    date_write_header(&out, 1795251401);
    assert_string_equal(buf_c(&out), "Sat, 21 Nov 2026 08:56:41 +0000");
    buf_clear(&out);
    date_write_imap(&out, 1793521601);
    assert_string_equal(buf_c(&out), " 1-Nov-2026 08:26:41 +0000");
    buf_clear(&out);
    setenv("TZ", "XYZ3:30", 1);
    tzset();
    date_write_header(&out, 1795251401);
    assert_string_equal(buf_c(&out), "Sat, 21 Nov 2026 05:26:41 -0330");
    buf_clear(&out);
    date_write_imap(&out, INT64_MAX);
    assert_string_equal(buf_c(&out), " 1-Jan-1970 00:00:00 +0000");
    buf_free(&out);
}

static void test_imap(void **state)
{
    (void)state;
    int64_t seconds, day;
    assert_true(date_parse_imap(STR("\"21-Nov-2026 08:56:41 +0000\""), &seconds));
    assert_int_equal(seconds, 1795251401);
    assert_true(date_parse_imap(STR(" 1-jan-1970 01:00:00 +0100"), &seconds));
    assert_int_equal(seconds, 0);
    assert_true(date_parse_imap(STR("01-Jan-1970 00:00:00 -1200"), &seconds));
    assert_int_equal(seconds, 43200);
    assert_false(date_parse_imap(STR("21-Nov-2026 08:56:41"), &seconds));
    assert_false(date_parse_imap(STR("21-Nov-2026 08:56:41 GMT"), &seconds));
    assert_false(date_parse_imap(STR("21-Nov-2026 8:56:41 +0000"), &seconds));
    assert_false(date_parse_imap(STR("21-Nov-26 08:56:41 +0000"), &seconds));
    assert_false(date_parse_imap(STR("31-Nov-2026 08:56:41 +0000"), &seconds));
    assert_false(date_parse_imap(STR("21-Nov-2026 08:56:41 +0000x"), &seconds));
    assert_false(date_parse_imap(STR("\""), &seconds));
    assert_false(date_parse_imap(STR(""), &seconds));

    assert_true(date_parse_imap_day(STR("2-Jan-1970"), &day));
    assert_int_equal(day, 1);
    assert_true(date_parse_imap_day(STR("\"21-Nov-2026\""), &day));
    assert_int_equal(day, 20778);
    assert_false(date_parse_imap_day(STR("21-Nov"), &day));
    assert_false(date_parse_imap_day(STR("21-Nov-2026 "), &day));

    assert_int_equal(date_day(1795251401, 0), 20778);
    assert_int_equal(date_day(1795251401, 16 * 60), 20779);
    assert_int_equal(date_day(-1, 0), -1);
    assert_int_equal(date_day(-86400, 0), -1);
    assert_int_equal(date_day(-86401, 0), -2);
}

static void test_rfc3339(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t seconds;
    } good[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"2026-11-21T08:56:41Z", 1795251401},
        {"2026-11-21t09:56:41.999+01:00", 1795251401},
        {"2026-11-20T23:56:41-09:00", 1795251401},
        {"2000-02-29T23:59:60Z", 951868800},
    };
    static const char *const bad[] = {
        "",
        "2026-11-21",
        "2026-11-21T08:56:41",
        "2026-11-21 08:56:41Z",
        "2026-11-21T08:56Z",
        "2026-11-21T08:56:41.Z",
        "2026-11-21T24:00:00Z",
        "2025-02-29T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-11-21T08:56:41+0100",
        "2026-11-21T08:56:41+01:00 ",
        "+026-11-21T08:56:41Z",
    };
    int64_t seconds;
    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
        assert_true(date_parse_rfc3339(str_from_c(good[i].text), &seconds));
        assert_int_equal(seconds, good[i].seconds);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_false(date_parse_rfc3339(str_from_c(bad[i]), &seconds));
    struct buf out = BUF_EMPTY;
    date_write_rfc3339(&out, 1795251401);
    assert_string_equal(buf_c(&out), "2026-11-21T08:56:41Z");
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rfc3339),         cmocka_unit_test(test_header),
        cmocka_unit_test(test_header_obsolete), cmocka_unit_test(test_header_wrong),
        cmocka_unit_test(test_write),           cmocka_unit_test(test_imap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
