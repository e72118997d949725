/*
 * Which work-arounds are chosen, by ID and by user.
 */
#include "core/helper.h"
#include "imap/workaround.h"

static void test_by_id(void **state)
{
    (void)state;
    assert_int_equal(imap_workarounds_by_id(STR("Mac OS X Mail"), STR("2.0.7 (733)")),
                     WORKAROUND_DELAY_NEWMAIL);
    assert_int_equal(imap_workarounds_by_id(STR("mac os x mail"), STR("1.9")),
                     WORKAROUND_DELAY_NEWMAIL);
    assert_int_equal(imap_workarounds_by_id(STR("Mac OS X Mail"), STR("2.1")), 0);
    assert_int_equal(imap_workarounds_by_id(STR("Mac OS X Mail"), STR("16.0 (3731)")), 0);
    assert_int_equal(imap_workarounds_by_id(STR("Mac OS X Mail"), STR("")), 0);
    assert_int_equal(imap_workarounds_by_id(STR("Thunderbird"), STR("128.3.0")),
                     WORKAROUND_EXTRA_SEPARATOR);
    assert_int_equal(imap_workarounds_by_id(STR("K-9 Mail"), STR("1")), 0);
    assert_int_equal(imap_workarounds_by_id(STR(""), STR("")), 0);
}

static unsigned chosen(const char *setting, const char *login, unsigned by_id)
{
    struct string_list list = {&setting, 1};
    struct err e;
    assert_true(imap_workarounds_check(&list, &e));
    return imap_workarounds_for(&list, str_from_c(login), by_id);
}

static void test_by_user(void **state)
{
    (void)state;
    assert_int_equal(chosen("no-idle", "alice@example.test", 1), WORKAROUND_NO_IDLE | 1);
    assert_int_equal(chosen("no-idle", "", 0), WORKAROUND_NO_IDLE);
    assert_int_equal(chosen("alice@example.test:no-compress", "alice@example.test", 0),
                     WORKAROUND_NO_COMPRESS);
    assert_int_equal(chosen("alice@example.test:no-compress", "bob@example.test", 0), 0);
    assert_int_equal(chosen("alice@example.test:none", "alice@example.test", 3), 0);
    const char *wrong = "alice@example.test:no-such-thing";
    struct string_list list = {&wrong, 1};
    struct err e;
    assert_false(imap_workarounds_check(&list, &e));
    assert_non_null(strstr(e.text, "no-such-thing"));
}

static void test_hidden(void **state)
{
    (void)state;
    assert_true(imap_workarounds_hide(WORKAROUND_NO_CONDSTORE, STR("QRESYNC")));
    assert_true(imap_workarounds_hide(WORKAROUND_NO_COMPRESS, STR("COMPRESS=DEFLATE")));
    assert_false(imap_workarounds_hide(WORKAROUND_NO_COMPRESS, STR("QRESYNC")));
    assert_false(imap_workarounds_hide(0, STR("QRESYNC")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_id),
        cmocka_unit_test(test_by_user),
        cmocka_unit_test(test_hidden),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
