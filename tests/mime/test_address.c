/* Envelope addresses: what is accepted, what is refused, and how it is written back. */
#include "core/in_arena.h"

#include "mime/address.h"

static void assert_str(struct str s, const char *expected)
{
    assert_int_equal(s.n, strlen(expected));
    assert_memory_equal(s.p, expected, s.n);
}

static void accepts(const char *text, int flags, const char *local, const char *domain,
                    const char *written)
{
    struct address address;
    const char *reason;
    if (!address_parse(a, str_from_c(text), flags, &address, &reason))
        fail_msg("%s refused: %s", text, reason);
    assert_null(reason);
    assert_str(address.local, local);
    assert_str(address.domain, domain);
    assert_str(address_text(a, &address), written);
}

static void refuses_bytes(const char *text, size_t n, int flags)
{
    struct address address;
    const char *reason = NULL;
    if (address_parse(a, str_from(text, n), flags, &address, &reason))
        fail_msg("%s accepted", text);
    assert_non_null(reason);
    assert_false(address_parse(a, str_from(text, n), flags, &address, NULL));
}

static void refuses(const char *text, int flags)
{
    refuses_bytes(text, strlen(text), flags);
}

static void test_ordinary(void **state)
{
    (void)state;
    accepts("alice@example.test", 0, "alice", "example.test", "alice@example.test");
    accepts("Alice.B+tag@Example.TEST", 0, "Alice.B+tag", "example.test",
            "Alice.B+tag@example.test");
    accepts("!#$%&'*+-/=?^_`{|}~@x", 0, "!#$%&'*+-/=?^_`{|}~", "x", "!#$%&'*+-/=?^_`{|}~@x");
    accepts("a@xn--bcher-kva.example", 0, "a", "xn--bcher-kva.example", "a@xn--bcher-kva.example");
    accepts("a@3com.com", 0, "a", "3com.com", "a@3com.com");
}

static void test_quoted(void **state)
{
    (void)state;
    accepts("\"alice\"@x.test", 0, "alice", "x.test", "alice@x.test");
    accepts("\"two words\"@x.test", 0, "two words", "x.test", "\"two words\"@x.test");
    accepts("\"a@b\"@x.test", 0, "a@b", "x.test", "\"a@b\"@x.test");
    accepts("\"q\\\"b\\\\s\"@x.test", 0, "q\"b\\s", "x.test", "\"q\\\"b\\\\s\"@x.test");
    accepts("\".dots..\"@x.test", 0, ".dots..", "x.test", "\".dots..\"@x.test");
    refuses("\"\"@x.test", 0);
    refuses("\"open@x.test", 0);
    refuses("\"open\\", 0);
    refuses("\"a\"b@x.test", 0);
    refuses("\"a\tb\"@x.test", 0);
    refuses("\"a\r\nb\"@x.test", 0);
    refuses("\"\\\n\"@x.test", 0);
}

static void test_routes(void **state)
{
    (void)state;
    accepts("@relay.test:alice@x.test", 0, "alice", "x.test", "alice@x.test");
    accepts("@a.test,@b.test:alice@x.test", 0, "alice", "x.test", "alice@x.test");
    refuses("@relay.test", 0);
    refuses("@:alice@x.test", 0);
    refuses("@a.test,b.test:alice@x.test", 0);
    refuses("@a.test:", 0);
}

static void test_literals(void **state)
{
    (void)state;
    accepts("a@[192.0.2.1]", 0, "a", "[192.0.2.1]", "a@[192.0.2.1]");
    accepts("a@[IPv6:2001:DB8::1]", 0, "a", "[ipv6:2001:db8::1]", "a@[ipv6:2001:db8::1]");
    refuses("a@[192.0.2.256]", 0);
    refuses("a@[2001:db8::1]", 0);
    refuses("a@[]", 0);
    refuses("a@[192.0.2.1", 0);
    refuses("a@[IPv6:]", 0);
    refuses_bytes("a@[192.0.2.1\0]", 15, 0);
}

static void test_flags(void **state)
{
    (void)state;
    accepts("", ADDRESS_NULL, "", "", "");
    refuses("", 0);
    accepts("postmaster", ADDRESS_NO_DOMAIN, "postmaster", "", "postmaster");
    refuses("postmaster", 0);
    refuses("alice@", ADDRESS_NO_DOMAIN);
    accepts("jos\xc3\xa9@b\xc3\x9c"
            "cher.test",
            ADDRESS_UTF8, "jos\xc3\xa9",
            "b\xc3\xbc"
            "cher.test",
            "jos\xc3\xa9@b\xc3\xbc"
            "cher.test");
    refuses("jos\xc3\xa9@x.test", 0);
    refuses("jos\xe9@x.test", ADDRESS_UTF8);
    refuses("jos\xc2\x85@x.test", ADDRESS_UTF8);
    refuses("a@\xc2\x85.test", ADDRESS_UTF8);
}

static void test_refused(void **state)
{
    (void)state;
    const char *wrong[] = {
        "@x.test",      "alice@",       "alice",       "a b@x.test",       " a@x.test",
        "a@x.test ",    "a@x .test",    ".a@x.test",   "a.@x.test",        "a..b@x.test",
        "a@b@x.test",   "a@.x.test",    "a@x.test.",   "a@x..test",        "a@-x.test",
        "a@x-.test",    "a@x_y.test",   "<a@x.test>",  "a@x.test>",        "a,b@x.test",
        "a;b@x.test",   "a:b@x.test",   "a(c)@x.test", "a\\b@x.test",      "a@x.test(c)",
        "a\x01@x.test", "a\x7f@x.test", "a\n@x.test",  "a@x.test\r\nRCPT", "a@x/../y",
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        refuses(wrong[i], 0);
    refuses_bytes("a\0b@x.test", 10, 0);
    refuses_bytes("a@x\0.test", 9, ADDRESS_UTF8);
}

static void test_lengths(void **state)
{
    (void)state;
    char text[2000];
    struct address address;

    /* A local part of 64 has to work, longer ones of mailing lists do. */
    memset(text, 'a', 200);
    strcpy(text + 200, "@x.test");
    assert_true(address_parse(a, str_from(text, 207), 0, &address, NULL));
    memset(text, 'a', 256);
    strcpy(text + 256, "@x.test");
    refuses(text, 0);
    text[0] = text[256] = '"';
    strcpy(text + 257, "@x.test");
    assert_true(address_parse(a, str_from_c(text), 0, &address, NULL));
    assert_int_equal(address.local.n, 255);

    strcpy(text, "a@");
    memset(text + 2, 'b', 63);
    strcpy(text + 65, ".test");
    assert_true(address_parse(a, str_from_c(text), 0, &address, NULL));
    memset(text + 2, 'b', 64);
    strcpy(text + 66, ".test");
    refuses(text, 0);

    strcpy(text, "a@");
    for (int i = 0; i < 128; i++)
        strcpy(text + 2 + 2 * i, "b.");
    text[2 + 255] = '\0';
    assert_true(address_parse(a, str_from(text, 257), 0, &address, NULL));
    strcpy(text + 256, "bb");
    refuses(text, 0);

    /* Both parts at their limits are too long together. */
    memset(text, 'a', 100);
    text[100] = '@';
    for (int i = 0; i < 128; i++)
        strcpy(text + 101 + 2 * i, "b.");
    text[101 + 255] = '\0';
    refuses(text, 0);
    memset(text, 'a', sizeof(text));
    refuses_bytes(text, sizeof(text), 0);
}

static void test_key(void **state)
{
    (void)state;
    struct address address;
    address_parse(a, STR("Alice.Smith@EXAMPLE.test"), 0, &address, NULL);
    assert_str(address_key(a, &address), "alice.smith@example.test");
    address_parse(a, STR("\"Alice.Smith\"@example.test"), 0, &address, NULL);
    assert_str(address_key(a, &address), "alice.smith@example.test");
    address_parse(a, STR("Postmaster"), ADDRESS_NO_DOMAIN, &address, NULL);
    assert_str(address_key(a, &address), "postmaster");
    /* The composed and the decomposed spelling are the same mailbox. */
    address_parse(a, STR("JOS\xc3\x89@x.test"), ADDRESS_UTF8, &address, NULL);
    assert_str(address_key(a, &address), "jos\xc3\xa9@x.test");
    address_parse(a, STR("JOSE\xcc\x81@x.test"), ADDRESS_UTF8, &address, NULL);
    assert_str(address_key(a, &address), "jos\xc3\xa9@x.test");
}

static void test_domain(void **state)
{
    (void)state;
    assert_true(domain_is_valid(STR("mail.example.test"), false));
    assert_true(domain_is_valid(STR("[127.0.0.1]"), false));
    assert_true(domain_is_valid(STR("localhost"), false));
    assert_false(domain_is_valid(STR(""), false));
    assert_false(domain_is_valid(STR("."), false));
    assert_false(domain_is_valid(STR("a b"), false));
    assert_false(domain_is_valid(STR("b\xc3\xbc"), false));
    assert_true(domain_is_valid(STR("b\xc3\xbc"), true));
    assert_false(domain_is_valid(STR("b\xc3"), true));
}

static void test_brackets(void **state)
{
    (void)state;
    assert_str(address_without_brackets(STR("<a@x.test>")), "a@x.test");
    assert_str(address_without_brackets(STR("<>")), "");
    assert_str(address_without_brackets(STR("a@x.test>")), "a@x.test>");
    assert_str(address_without_brackets(STR("<")), "<");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ordinary), cmocka_unit_test(test_quoted),
        cmocka_unit_test(test_routes),   cmocka_unit_test(test_literals),
        cmocka_unit_test(test_flags),    cmocka_unit_test(test_refused),
        cmocka_unit_test(test_lengths),  cmocka_unit_test(test_key),
        cmocka_unit_test(test_domain),   cmocka_unit_test(test_brackets),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
