/* Contents of tables. */
#include "core/buf.h"
#include "core/clock.h"
#include "policy/limits.h"
#include "policy/table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct policy_content *parse_n(enum policy_table_type type, struct str text)
{
    struct err e;
    struct policy_content *c = policy_content_parse("/etc/table", text, type, &e);
    if (!c)
        fail_msg("%s", e.text);
    return c;
}

static struct policy_content *parse(enum policy_table_type type, const char *text)
{
    return parse_n(type, str_from_c(text));
}

static void expect_error_n(enum policy_table_type type, struct str text, const char *message)
{
    struct err e = {0};
    assert_null(policy_content_parse("/etc/table", text, type, &e));
    if (!strstr(e.text, message))
        fail_msg("expected \"%s\" in \"%s\"", message, e.text);
}

static void expect_error(enum policy_table_type type, const char *text, const char *message)
{
    expect_error_n(type, str_from_c(text), message);
}

/* "reject text", "pass", "" for an entry without action, NULL for none. */
static void expect_entry(bool found, const struct policy_entry *entry, const char *key,
                         const char *expected)
{
    struct buf b = BUF_EMPTY;
    if (!found && !expected)
        return;
    if (!found || !expected)
        fail_msg("%s: %s", key, found ? "was found" : "was not found");
    if (entry->has_action)
        buf_printf(&b, "%s%s%.*s", policy_action_name(entry->action), entry->text.n ? " " : "",
                   STR_ARG(entry->text));
    assert_string_equal(buf_c(&b), expected);
    buf_free(&b);
}

static void exact(const struct policy_content *c, const char *key, const char *expected)
{
    struct policy_entry entry;
    bool found = policy_content_find_exact(c, str_from_c(key), &entry);
    expect_entry(found, &entry, key, expected);
}

static void domain(const struct policy_content *c, const char *key, const char *expected)
{
    struct policy_entry entry;
    bool found = policy_content_find_domain(c, str_from_c(key), &entry);
    expect_entry(found, &entry, key, expected);
}

static void network(const struct policy_content *c, const char *key, const char *expected)
{
    struct policy_entry entry;
    struct network_address a;
    assert_true(network_address_parse(&a, str_from_c(key)));
    bool found = policy_content_find_network(c, &a, &entry);
    expect_entry(found, &entry, key, expected);
}

static void pattern(const struct policy_content *c, const char *key, const char *expected)
{
    struct policy_entry entry;
    unsigned gave_up;
    bool found = policy_content_find_pattern(c, str_from_c(key), &entry, &gave_up);
    assert_int_equal(gave_up, 0);
    expect_entry(found, &entry, key, expected);
}

static void test_exact(void **state)
{
    (void)state;
    struct policy_content *c = parse(TABLE_EXACT, "\xef\xbb\xbf# a comment\r\n"
                                                  "Alice@Example.ORG  reject  Go away, {sender}\r\n"
                                                  "\n"
                                                  "   bob@example.org\tdefer\n"
                                                  "@example.net accept # not a comment\n"
                                                  "example.com # a comment\n"
                                                  "carol@ pass\n"
                                                  "<> tag\n"
                                                  "bob@example.org reject\n"
                                                  "2001:DB8:0:0::1 reject\n"
                                                  "last@example.org");
    assert_int_equal(policy_content_count(c), 8);
    assert_true(policy_content_has_names(c));
    exact(c, "alice@example.org", "reject Go away, {sender}");
    exact(c, "ALICE@EXAMPLE.org.", "reject Go away, {sender}");
    exact(c, "bob@example.org", "defer"); /* the first of equal ones */
    exact(c, "@EXAMPLE.net", "accept # not a comment");
    exact(c, "example.com", "");
    exact(c, "carol@", "pass");
    exact(c, "<>", "tag");
    exact(c, "last@example.org", "");
    exact(c, "2001:db8::1", "reject");
    exact(c, "mail.example.com", NULL);
    exact(c, "", NULL);
    exact(c, "zzz", NULL);
    policy_content_unref(c);
}

/* Then nobody's name has to be asked for. */
static void test_addresses_only(void **state)
{
    (void)state;
    struct policy_content *c = parse(TABLE_EXACT, "192.0.2.1\n2001:db8::1 reject\n");
    assert_false(policy_content_has_names(c));
    policy_content_unref(c);
}

static void test_domain(void **state)
{
    (void)state;
    struct policy_content *c = parse(TABLE_DOMAIN, "example.org reject\n"
                                                   "!mail.example.org\n"
                                                   "bad.mail.example.org defer\n"
                                                   ".below.test reject\n"
                                                   "m\xc3\xbcller.test tag\n"
                                                   "xn--bcher-kva.test tag books\n");
    domain(c, "example.org", "reject");
    domain(c, "WWW.Example.Org", "reject");
    domain(c, "a.b.c.example.org", "reject");
    domain(c, "mail.example.org", "pass");
    domain(c, "in.mail.example.org", "pass");
    domain(c, "bad.mail.example.org", "defer");
    domain(c, "notexample.org", NULL);
    domain(c, "org", NULL);
    domain(c, "below.test", NULL);
    domain(c, "x.below.test", "reject");
    domain(c, "x.y.below.test", "reject");
    domain(c, "M\xc3\x9cLLER.test", "tag");
    domain(c, "xn--mller-kva.test", "tag");
    domain(c,
           "b\xc3\xbc"
           "cher.test",
           "tag books");
    domain(c, "", NULL);
    domain(c, ".", NULL);
    domain(c, "..example.org", "reject");
    policy_content_unref(c);
}

static void test_network(void **state)
{
    (void)state;
    struct policy_content *c = parse(TABLE_NETWORK, "192.0.2.0/24 reject Not you\n"
                                                    "!192.0.2.7\n"
                                                    "2001:db8::/32 defer\n"
                                                    "!2001:db8:1::/48\n"
                                                    "2001:db8:1::bad reject\n");
    network(c, "192.0.2.8", "reject Not you");
    network(c, "192.0.2.7", "pass");
    network(c, "::ffff:192.0.2.7", "pass");
    network(c, "192.0.3.1", NULL);
    network(c, "2001:db8:2::", "defer");
    network(c, "2001:db8:1::1", "pass");
    network(c, "2001:db8:1::bad", "reject");
    policy_content_unref(c);
}

static void test_pattern(void **state)
{
    (void)state;
    struct policy_content *c = parse(TABLE_PATTERN, "/^dsl-[0-9]+ x/ reject No blanks\n"
                                                    "/^DSL-[0-9]+\\./ reject\n"
                                                    "/a\\/b/ pass\n"
                                                    "/(?-i)UPPER/ defer\n"
                                                    "/^(.)\\1\\1/ tag three\n"
                                                    "/\\.$/ accept\n");
    pattern(c, "dsl-17 x", "reject No blanks");
    pattern(c, "Dsl-17.example.org", "reject");
    pattern(c, "dsl-x.example.org", NULL);
    pattern(c, "xa/by", "pass");
    pattern(c, "upper", NULL);
    pattern(c, "xUPPERx", "defer");
    pattern(c, "aaab", "tag three");
    pattern(c, "end.", "accept");
    pattern(c, "end.\n", NULL);
    pattern(c, "", NULL);
    pattern(c, "\xff\xfe", NULL);
    policy_content_unref(c);
}

/* Without limits each of these would run for longer than the universe exists. */
static void test_no_pattern_runs_for_long(void **state)
{
    (void)state;
    static const char *const evil[] = {
        "/^(a+)+$/",
        "/^(a|aa)+$/",
        "/^(.*a){30}$/",
        "/(x+x+)+y/",
        "/^(([a-z])+.)+[A-Z]([a-z])+$/",
        "/^(?:a?){200}a{200}$/",
        "/^(?=(a+)+$)(?=(a+)+b)/",
        "/^((a(?R)?)*)*$/",
    };
    char subject[2000];
    memset(subject, 'a', sizeof(subject));
    memcpy(subject + 1000, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", 46);
    subject[sizeof(subject) - 1] = '!';
    for (size_t i = 0; i < sizeof(evil) / sizeof(evil[0]); i++) {
        struct policy_content *c = parse(TABLE_PATTERN, evil[i]);
        struct policy_entry entry;
        unsigned gave_up;
        usec begun = clock_monotonic();
        policy_content_find_pattern(c, str_from(subject, sizeof(subject)), &entry, &gave_up);
        assert_true(clock_monotonic() - begun < 20 * USEC_SEC);
        policy_content_unref(c);
    }
    /* The one behind it is asked all the same. */
    struct policy_content *c = parse(TABLE_PATTERN, "/^(a+)+$/ accept\n/!$|x/ reject\n");
    struct policy_entry entry;
    unsigned gave_up;
    assert_true(
        policy_content_find_pattern(c, str_from(subject, sizeof(subject)), &entry, &gave_up));
    assert_int_equal(entry.action, POLICY_REJECT);
    assert_int_equal(gave_up, 1);
    policy_content_unref(c);
}

static void test_mistakes_name_their_line(void **state)
{
    (void)state;
    struct buf long_line = BUF_EMPTY;
    buf_add_c(&long_line, "ok\n");
    for (size_t i = 0; i <= TABLE_LINE_MAX; i++)
        buf_add_char(&long_line, 'x');
    expect_error(TABLE_EXACT, "a\nb\nc refuse\n", "/etc/table:3: \"refuse\" is no action");
    expect_error(TABLE_EXACT, "a reject {client\n", "/etc/table:1: \"{\" without \"}\"");
    expect_error(TABLE_EXACT, "a reject {cliemt}\n", "\"{cliemt}\" is unknown");
    expect_error(TABLE_EXACT, "a reject bell\a\n", "control character");
    expect_error(TABLE_DOMAIN, "a@b\n", "\"a@b\" is no domain");
    expect_error(TABLE_DOMAIN, "! a\n", "right behind");
    expect_error(TABLE_DOMAIN, "!a reject\n", "has no action");
    expect_error(TABLE_NETWORK, "192.0.2.0/24\n\n192.0.2.1/24\n",
                 "/etc/table:3: \"192.0.2.1/24\" has bits behind its prefix");
    expect_error(TABLE_NETWORK, "example.org\n", "is no address or network");
    expect_error(TABLE_PATTERN, "a.*b\n", "between slashes");
    expect_error(TABLE_PATTERN, "/a.*b\n", "no second");
    expect_error(TABLE_PATTERN, "/a.*b\\/\n", "no second");
    expect_error(TABLE_PATTERN, "/a/i reject\n", "a blank is expected");
    expect_error(TABLE_PATTERN, "/ok/\n/a(b/\n",
                 "/etc/table:2: the pattern is wrong at its character 4");
    expect_error_n(TABLE_EXACT, str_from("a\0b\n", 4), "a NUL byte");
    expect_error_n(TABLE_EXACT, buf_str(&long_line), "/etc/table:2: longer than");
    buf_free(&long_line);
}

static void test_nothing_in_it(void **state)
{
    (void)state;
    for (int type = TABLE_EXACT; type <= TABLE_PATTERN; type++) {
        struct policy_content *c = parse((enum policy_table_type)type, "# nothing\n\n");
        assert_int_equal(policy_content_count(c), 0);
        if (type == TABLE_EXACT)
            exact(c, "a", NULL);
        else if (type == TABLE_DOMAIN)
            domain(c, "a.b", NULL);
        else if (type == TABLE_NETWORK)
            network(c, "192.0.2.1", NULL);
        else
            pattern(c, "a", NULL);
        policy_content_unref(c);
    }
}

static void test_many_entries(void **state)
{
    (void)state;
    struct buf text = BUF_EMPTY, networks = BUF_EMPTY;
    const unsigned count = 100000;
    for (unsigned i = 0; i < count; i++) {
        unsigned n = i * 7919 % count; /* in no order */
        buf_printf(&text, "host-%u.example.org %s\n", n, n % 2 ? "reject" : "defer Later");
        buf_printf(&networks, "10.%u.%u.%u/31\n", n >> 15, n >> 7 & 255, n << 1 & 255);
    }
    struct policy_content *c = parse_n(TABLE_DOMAIN, buf_str(&text));
    assert_int_equal(policy_content_count(c), count);
    assert_true(policy_content_memory(c) < count * 48);
    domain(c, "host-0.example.org", "defer Later");
    domain(c, "host-99999.example.org", "reject");
    domain(c, "x.host-77777.example.org", "reject");
    domain(c, "host-100000.example.org", NULL);
    policy_content_unref(c);
    c = parse_n(TABLE_NETWORK, buf_str(&networks));
    assert_true(policy_content_memory(c) < count * 24);
    network(c, "10.0.0.1", "");
    network(c, "10.3.13.63", "");
    network(c, "10.3.13.64", NULL);
    policy_content_unref(c);
    buf_free(&text);
    buf_free(&networks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exact),
        cmocka_unit_test(test_addresses_only),
        cmocka_unit_test(test_domain),
        cmocka_unit_test(test_network),
        cmocka_unit_test(test_pattern),
        cmocka_unit_test(test_no_pattern_runs_for_long),
        cmocka_unit_test(test_mistakes_name_their_line),
        cmocka_unit_test(test_nothing_in_it),
        cmocka_unit_test(test_many_entries),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
