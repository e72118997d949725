/* What a configuration may say about rules, and what is said of its mistakes. */
#include "policy_test.h"

static void expect_error(const char *text, const char *message)
{
    struct err e = {0};
    struct config *c = config_of(NULL, text, &e);
    bool ok = c && policy_check_config(c, &e);
    if (ok)
        fail_msg("no mistake was found: %s", text);
    if (!strstr(e.text, message))
        fail_msg("expected \"%s\" in \"%s\"", message, e.text);
    if (c)
        config_unref(c);
}

static void expect_correct(const char *text)
{
    struct err e = {0};
    struct config *c = config_of(NULL, text, &e);
    if (!c || !policy_check_config(c, &e))
        fail_msg("%s", e.text);
    config_unref(c);
}

static void test_mistakes_of_a_rule(void **state)
{
    (void)state;
    expect_error("rule r { }", "maild.conf:1: rule r: check must be set");
    expect_error("rule r { check = helo_sintax }", "check: \"helo_sintax\" is unknown, expected");
    expect_error("rule r { check = sender_table; table = t; at = helo }",
                 "at: sender_table can be asked at mail to data");
    expect_error("rule r { check = recipient_table; table = t; at = data }",
                 "at: recipient_table can be asked at rcpt only");
    expect_error("rule r { check = helo_syntax; code = 450 }",
                 "code: 450 does not fit the action reject, expected 550 to 559");
    expect_error("rule r { check = helo_syntax; action = defer; code = 550 }",
                 "code: 550 does not fit the action defer");
    expect_error("rule r { check = helo_syntax; action = accept; code = 550 }",
                 "code: the action accept gives no reply");
    expect_error("rule r { check = helo_syntax; enhanced = 4.7.1 }",
                 "expected a code such as 5.7.1");
    expect_error("rule r { check = helo_syntax; enhanced = 5.7 }", "enhanced: \"5.7\"");
    expect_error("rule r { check = helo_syntax; action = defer; enhanced = 5.7.1 }",
                 "expected a code such as 4.7.1");
    expect_error("rule r { check = helo_syntax; text = \"Hi {you}\" }",
                 "text: \"{you}\" is unknown");
    expect_error("rule r { check = helo_syntax; action = tag }", "header: the action tag needs");
    expect_error("rule r { check = helo_syntax; action = tag; header = \"X Y: z\" }", "header: ");
    expect_error("rule r { check = helo_syntax; action = tag; header = \"X-Y: a\\nEvil: b\" }",
                 "header: ");
    expect_error("rule r { check = helo_syntax; header = \"X-Y: z\" }",
                 "header: only the action tag adds one");
    expect_error("rule r { check = helo_syntax; protocols = imap }", "protocols: \"imap\"");
    expect_error("rule r { check = helo_syntax; delay = 1h }", "delay");
    expect_error("rule r { check = helo_syntax; table = t }",
                 "rule r: the check helo_syntax has no setting table");
    expect_error("rule r { check = client_table }",
                 "rule r: the check client_table needs the setting table");
    expect_error("rule r { check = client_table; table = t }",
                 "rule r: table: there is no table \"t\"");
    expect_error("table t { path = t; type = cidr }\nrule r { check = sender_table; table = t }",
                 "rule r: table: t is of type cidr");
    expect_error("table t { type = cidr }", "table t: path must be set");
    expect_error("rule r { check = dns_list }", "the check dns_list needs the setting lists");
    expect_error("rule r { check = dns_list; lists = a.test=1.2.3.4 }", "rule r: lists: ");
    expect_error("rule r { check = dns_list; lists = a.test; lookup = helo; at = connect }",
                 "lookup: helo is not known at connect");
    expect_error("rule r { check = dns_list; lists = a.test; lookup = sender; at = helo }",
                 "lookup: sender is not known before mail");
    expect_error("rule r { check = greylist; retry_after = 1d; retry_within = 2h }",
                 "retry_within: must be longer");
    expect_error("rule r { check = client_rate }", "needs the setting limit");
    expect_error("rule r { check = client_connections; limit = 2; period = 1h }",
                 "the check client_connections has no setting period");
    expect_error("rule r { check = greylist; at = mail }", "greylist can be asked at rcpt only");
    expect_error("policy { trusted_networks = 10.0.0.1/8 }",
                 "policy: trusted_networks: \"10.0.0.1/8\" has bits behind its prefix");
    expect_error("policy { relay_networks = printer }", "relay_networks: \"printer\"");
}

/* All header lines together must fit before a message. */
static void test_too_many_headers(void **state)
{
    (void)state;
    struct buf b = BUF_EMPTY;
    for (int i = 0; i < 50; i++)
        buf_printf(&b, "rule r%d { check = helo_syntax; action = tag; header = \"X: %d\" }\n", i,
                   i);
    buf_add_c(&b,
              "rule off { enabled = no; check = helo_syntax; action = tag; header = \"X: y\" }\n");
    expect_correct(buf_c(&b));
    buf_add_c(&b, "rule more { check = helo_syntax; action = tag; header = \"X: y\" }\n");
    expect_error(buf_c(&b), "51 rules with \"header\", at most 50 are allowed");
    buf_free(&b);
}

static void test_what_is_right(void **state)
{
    (void)state;
    expect_correct("");
    expect_correct("policy { trusted_networks = \"\"; relay_networks = 192.0.2.0/28 !192.0.2.1 }\n"
                   "table t { path = /etc/t; type = pcre }\n"
                   "rule a { check = client_table; table = t; at = connect; action = disconnect; "
                   "code = 554; enhanced = 5.7.1; text = \"Bye {client} {name} {rule} {why}\" }\n"
                   "rule b { check = sender_table; table = t; header = \"X-Seen: {sender}\" }\n"
                   "rule c { check = helo_syntax; protocols = smtp, submission; clients = all; "
                   "delay = 10s; dry_run = yes; enabled = no }\n");
}

static void test_all_checks_say_enough(void **state)
{
    (void)state;
    struct arena *a = arena_new();
    struct policy_check_info *list;
    size_t count;
    policy_list_checks(a, &list, &count);
    assert_true(count >= 9);
    for (size_t i = 0; i < count; i++) {
        assert_true(strlen(list[i].help) > 10);
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(list[i].name, list[j].name);
    }
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mistakes_of_a_rule),
        cmocka_unit_test(test_too_many_headers),
        cmocka_unit_test(test_what_is_right),
        cmocka_unit_test(test_all_checks_say_enough),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
