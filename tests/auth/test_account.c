/* Accounts as values: words for sets of protocols, copies that stand alone. */
#include "core/helper.h"

#include "auth/account.h"

static void test_protocols(void **state)
{
    struct arena *a = arena_new();
    struct err e;
    unsigned set;
    (void)state;
    assert_true(account_protocols_parse(STR("imap,POP3, submission"), &set, &e));
    assert_int_equal(set, ACCOUNT_IMAP | ACCOUNT_POP3 | ACCOUNT_SMTP);
    assert_true(str_equal(account_protocols_text(a, set), STR("smtp imap pop3")));
    assert_true(account_protocols_parse(STR("all"), &set, &e));
    assert_int_equal(set, ACCOUNT_ALL_PROTOCOLS);
    assert_true(account_protocols_parse(STR("none"), &set, &e));
    assert_true(str_equal(account_protocols_text(a, set), STR("none")));
    assert_false(account_protocols_parse(STR("imap ftp"), &set, &e));
    assert_non_null(strstr(e.text, "ftp"));
    arena_free(a);
}

static void test_a_copy_stands_alone(void **state)
{
    struct arena *first = arena_new(), *second = arena_new();
    struct str addresses[] = {arena_str(first, STR("a.anders@example.test"))};
    struct account account = {.login = arena_str(first, STR("alice@example.test")),
                              .no_login = arena_c(first, STR("locked")),
                              .addresses = addresses,
                              .address_count = 1};
    (void)state;
    struct account copy = account_copy(second, &account);
    arena_free(first);
    assert_true(str_equal(copy.login, STR("alice@example.test")));
    assert_string_equal(copy.no_login, "locked");
    assert_true(str_equal(copy.addresses[0], STR("a.anders@example.test")));
    assert_int_equal(copy.forward_count, 0);
    arena_free(second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_protocols),
        cmocka_unit_test(test_a_copy_stands_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
