/*
 * Addresses without a domain in header fields, as programs on Unix write them.
 */
#include "mime/qualify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void assert_qualified(const char *value, const char *expected)
{
    struct buf out = BUF_EMPTY;
    address_list_qualify(&out, str_from_c(value), STR("ex.test"));
    assert_string_equal(buf_c(&out), expected);
    buf_free(&out);
}

static void test_addresses_are_completed(void **state)
{
    (void)state;
    assert_qualified(" root", " root@ex.test");
    assert_qualified(" root (Cron Daemon)", " root@ex.test (Cron Daemon)");
    assert_qualified(" Cron Daemon <root>", " Cron Daemon <root@ex.test>");
    assert_qualified(" \"a, b\" <root>, bob", " \"a, b\" <root@ex.test>, bob@ex.test");
    assert_qualified(" first.last,\n\tbob", " first.last@ex.test,\n\tbob@ex.test");
    assert_qualified(" \"odd name\"", " \"odd name\"@ex.test");
    assert_qualified(" staff: a, B <b>;, c", " staff: a@ex.test, B <b@ex.test>;, c@ex.test");
    assert_qualified(" a;b", " a@ex.test;b@ex.test");
    assert_qualified("x", "x@ex.test");
    assert_qualified(" <root", " <root@ex.test");
}

static void test_others_stay_as_they_are(void **state)
{
    (void)state;
    assert_qualified(" a@b.test", " a@b.test");
    assert_qualified(" A B <a@b.test>, c@d.test (x, y)", " A B <a@b.test>, c@d.test (x, y)");
    assert_qualified(" undisclosed-recipients:;", " undisclosed-recipients:;");
    assert_qualified(" Some Body", " Some Body");
    assert_qualified(" X <Some Body>", " X <Some Body>");
    assert_qualified(" <>", " <>");
    assert_qualified(" <@relay.test:a@b.test>", " <@relay.test:a@b.test>");
    assert_qualified(" a @ b.test", " a @ b.test");
    assert_qualified(" (only a comment)", " (only a comment)");
    assert_qualified("", "");
    assert_qualified(" ,,;", " ,,;");
    assert_qualified(" \"open", " \"open");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses_are_completed),
        cmocka_unit_test(test_others_stay_as_they_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
