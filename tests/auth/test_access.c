/* Access rules: who may use what, from where. */
#include "auth/access.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct settings_block *const blocks[] = {&access_settings_block, NULL};

static struct access_rules *rules(const char *text)
{
    struct err e = {0};
    struct config *c = config_parse("/maild.conf", str_from_c(text), blocks, &e);
    assert_string_equal(e.text, "");
    assert_non_null(c);
    struct access_rules *r = access_rules_new(c);
    config_unref(c);
    return r;
}

/* "yes" or the reason. */
static const char *ask(const struct access_rules *r, const char *login, const char *group,
                       enum account_protocol protocol, const char *address)
{
    const char *reason = NULL;
    struct str groups[] = {str_from_c(group)};
    struct account account = {.login = str_from_c(login),
                              .protocols = ACCOUNT_ALL_PROTOCOLS,
                              .groups = groups,
                              .group_count = *group ? 1 : 0};
    return access_check(r, &account, protocol, address, &reason) ? "yes" : reason;
}

static void test_without_rules_the_account_decides(void **state)
{
    (void)state;
    const char *reason;
    struct access_rules *r = rules("");
    struct account account = {.login = STR("alice@example.test"), .protocols = ACCOUNT_IMAP};
    assert_true(access_check(r, &account, ACCOUNT_IMAP, "192.0.2.1", &reason));
    assert_true(access_check(NULL, &account, ACCOUNT_IMAP, "192.0.2.1", &reason));
    assert_false(access_check(r, &account, ACCOUNT_POP3, "192.0.2.1", &reason));
    assert_string_equal(reason, "protocol");
    access_rules_free(r);
}

static void test_a_list_of_networks_by_group(void **state)
{
    (void)state;
    struct access_rules *r = rules("access Students { networks = 10.0.0.0/8, !10.9.0.0/16, unix }\n"
                                   "access staff { networks = 2001:db8::/32 }\n");
    const char *a = "a@example.test";
    assert_string_equal(ask(r, a, "students", ACCOUNT_IMAP, "10.1.2.3"), "yes");
    assert_string_equal(ask(r, a, "students", ACCOUNT_IMAP, "unix"), "yes");
    assert_string_equal(ask(r, a, "students", ACCOUNT_IMAP, "10.9.2.3"), "network");
    assert_string_equal(ask(r, a, "students", ACCOUNT_IMAP, "192.0.2.1"), "network");
    assert_string_equal(ask(r, a, "students", ACCOUNT_IMAP, "2001:db8::1"), "network");
    assert_string_equal(ask(r, a, "staff", ACCOUNT_IMAP, "2001:db8::1"), "yes");
    assert_string_equal(ask(r, a, "staff", ACCOUNT_IMAP, "::ffff:10.1.2.3"), "network");
    assert_string_equal(ask(r, a, "others", ACCOUNT_IMAP, "192.0.2.1"), "yes");
    assert_string_equal(ask(r, a, "", ACCOUNT_IMAP, "192.0.2.1"), "yes");
    access_rules_free(r);
}

static void test_blocks_add_up(void **state)
{
    (void)state;
    struct access_rules *r =
        rules("access all { users = *; protocols = imap; networks = 10.0.0.0/8 }\n"
              "access staff { protocols = imap, smtp }\n"
              "access boss { users = Boss@Example.test; protocols = all }\n");
    assert_string_equal(ask(r, "a@example.test", "", ACCOUNT_IMAP, "10.1.2.3"), "yes");
    assert_string_equal(ask(r, "a@example.test", "", ACCOUNT_IMAP, "192.0.2.1"), "network");
    assert_string_equal(ask(r, "a@example.test", "", ACCOUNT_POP3, "10.1.2.3"), "protocol");
    assert_string_equal(ask(r, "a@example.test", "staff", ACCOUNT_IMAP, "192.0.2.1"), "yes");
    assert_string_equal(ask(r, "a@example.test", "staff", ACCOUNT_SMTP, "192.0.2.1"), "yes");
    assert_string_equal(ask(r, "a@example.test", "staff", ACCOUNT_POP3, "192.0.2.1"), "protocol");
    assert_string_equal(ask(r, "boss@example.test", "", ACCOUNT_SIEVE, "192.0.2.1"), "yes");
    access_rules_free(r);
}

static void test_exceptions(void **state)
{
    (void)state;
    struct access_rules *r =
        rules("access a { groups = !staff; protocols = imap }\n"
              "access b { users = @b.test, !root@b.test; protocols = smtp }\n"
              "access c { groups = guests; users = !vip@c.test; protocols = none }\n");
    assert_string_equal(ask(r, "x@a.test", "", ACCOUNT_POP3, "192.0.2.1"), "protocol");
    assert_string_equal(ask(r, "x@a.test", "staff", ACCOUNT_POP3, "192.0.2.1"), "yes");
    assert_string_equal(ask(r, "x@b.test", "staff", ACCOUNT_POP3, "192.0.2.1"), "protocol");
    assert_string_equal(ask(r, "root@b.test", "staff", ACCOUNT_POP3, "192.0.2.1"), "yes");
    assert_string_equal(ask(r, "x@c.test", "guests", ACCOUNT_SMTP, "192.0.2.1"), "protocol");
    assert_string_equal(ask(r, "x@notb.test", "staff", ACCOUNT_POP3, "192.0.2.1"), "yes");
    access_rules_free(r);
}

static void test_connections(void **state)
{
    (void)state;
    struct access_rules *r =
        rules("access all { users = *; connections = 5; connections_per_address = 2 }\n"
              "access staff { connections = 50 }\n");
    struct str groups[] = {STR("staff")};
    struct account account = {.login = STR("a@example.test"), .groups = groups};
    struct access_connections c = access_connections(r, &account);
    assert_int_equal(c.total, 5);
    assert_int_equal(c.per_address, 2);
    account.group_count = 1;
    c = access_connections(r, &account);
    assert_int_equal(c.total, 50);
    assert_int_equal(c.per_address, 2);
    assert_int_equal(access_connections(NULL, &account).total, 0);
    access_rules_free(r);
}

static void test_mistakes_are_told(void **state)
{
    (void)state;
    static const struct {
        const char *text, *error;
    } cases[] = {{"access a { networks = 10.0.0.1/8 }", "networks"},
                 {"access a { protocols = ftp }", "ftp"},
                 {"access a { network = 10.0.0.0/8 }", "did you mean"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct err e = {0};
        assert_null(config_parse("/maild.conf", str_from_c(cases[i].text), blocks, &e));
        assert_non_null(strstr(e.text, cases[i].error));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_rules_the_account_decides),
        cmocka_unit_test(test_a_list_of_networks_by_group),
        cmocka_unit_test(test_blocks_add_up),
        cmocka_unit_test(test_exceptions),
        cmocka_unit_test(test_connections),
        cmocka_unit_test(test_mistakes_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
