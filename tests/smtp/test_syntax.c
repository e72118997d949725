/* Arguments of MAIL, RCPT and BDAT as they come over the wire: every odd form that RFC 5321 4.1.2
 * allows, and what it does not. */
#include "smtp/syntax.h"

#include "mime/address.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* After the above. */
#include <cmocka.h>

#define A16   "aaaaaaaaaaaaaaaa"
#define A64   A16 A16 A16 A16
#define LABEL "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb" /* 63 */

struct row {
    const char *argument; /* behind "MAIL FROM:" */
    const char *address;  /* as it is written then; NULL: refused */
    const char *params;
};

/* Without SMTPUTF8. */
static const struct row rows[] = {
    {"<a@b.test>", "a@b.test", ""},
    {" <a@b.test>", "a@b.test", ""}, /* not of the RFC, but of many clients */
    {"<a@b.test> SIZE=1 BODY=7BIT", "a@b.test", " SIZE=1 BODY=7BIT"},
    {"<>", "", ""},
    {"<> SIZE=1", "", " SIZE=1"},
    {"<A.B@B.Test>", "A.B@b.test", ""},
    {"<a@localhost>", "a@localhost", ""},
    {"<1@2.3>", "1@2.3", ""},
    {"<a@3com.test>", "a@3com.test", ""},
    {"<a@x--y.test>", "a@x--y.test", ""},
    {"<a@xn--bcher-kva.test>", "a@xn--bcher-kva.test", ""},
    {"<!#$%&'*+-/=?^_`{|}~@b.test>", "!#$%&'*+-/=?^_`{|}~@b.test", ""},
    {"<a+tag=x@b.test>", "a+tag=x@b.test", ""},
    {"<\"a\"@b.test>", "a@b.test", ""},
    {"<\"a.b\"@b.test>", "a.b@b.test", ""},
    {"<\"a b\"@b.test>", "\"a b\"@b.test", ""},
    {"<\"a..b\"@b.test>", "\"a..b\"@b.test", ""},
    {"<\".\"@b.test>", "\".\"@b.test", ""},
    {"<\"a@c\"@b.test>", "\"a@c\"@b.test", ""},
    {"<\"<a>\"@b.test>", "\"<a>\"@b.test", ""},
    {"<\"a\\\"b\"@b.test> X", "\"a\\\"b\"@b.test", " X"},
    {"<\"a\\\\\"@b.test>", "\"a\\\\\"@b.test", ""},
    {"<\"\\a\\b\"@b.test>", "ab@b.test", ""},
    {"<\" \"@b.test>", "\" \"@b.test", ""},
    {"<@r.test:a@b.test>", "a@b.test", ""},
    {"<@r.test,@s.test:a@b.test>", "a@b.test", ""},
    {"<@[192.0.2.1]:a@b.test>", "a@b.test", ""},
    {"<a@[192.0.2.1]>", "a@[192.0.2.1]", ""},
    {"<a@[IPv6:2001:db8::1]>", "a@[ipv6:2001:db8::1]", ""},
    {"<a@[IPv6:::ffff:192.0.2.1]>", "a@[ipv6:::ffff:192.0.2.1]", ""},
    {"<" A64 "@b.test>", A64 "@b.test", ""},
    {"<a@" LABEL ".test>", "a@" LABEL ".test", ""},
    /* No path. */
    {"", NULL, NULL},
    {"a@b.test", NULL, NULL},
    {"<a@b.test", NULL, NULL},
    {"a@b.test>", NULL, NULL},
    {"<", NULL, NULL},
    {">", NULL, NULL},
    {"<\"a@b.test>", NULL, NULL},
    {"<\"a\\\"@b.test>", NULL, NULL},
    {"<a@b.test>SIZE=1", NULL, NULL},
    {"<a@b.test>,<c@b.test>", NULL, NULL},
    {"<<a@b.test>>", NULL, NULL},
    {"Alice <a@b.test>", NULL, NULL},
    {"(comment)<a@b.test>", NULL, NULL},
    /* A path without an address. */
    {"< >", NULL, NULL},
    {"<@>", NULL, NULL},
    {"<a>", NULL, NULL},
    {"<@b.test>", NULL, NULL},
    {"<a@>", NULL, NULL},
    {"<\"\">", NULL, NULL},
    {"<\"\"@b.test>", NULL, NULL},
    {"< a@b.test>", NULL, NULL},
    {"<a@b.test >", NULL, NULL},
    {"<a b@b.test>", NULL, NULL},
    {"<a\tb@b.test>", NULL, NULL},
    {"<a @b.test>", NULL, NULL},
    {"<a@ b.test>", NULL, NULL},
    {"<a@b@c.test>", NULL, NULL},
    {"<a,b@b.test>", NULL, NULL},
    {"<a;b@b.test>", NULL, NULL},
    {"<a:b@b.test>", NULL, NULL},
    {"<a(b)@b.test>", NULL, NULL},
    {"<a[b]@b.test>", NULL, NULL},
    {"<a\\b@b.test>", NULL, NULL},
    {"<a\"b\"@b.test>", NULL, NULL},
    {"<\"a\"b@b.test>", NULL, NULL},
    {"<\"a\".\"b\"@b.test>", NULL, NULL}, /* of RFC 822 only */
    {"<a.@b.test>", NULL, NULL},
    {"<.a@b.test>", NULL, NULL},
    {"<a..b@b.test>", NULL, NULL},
    {"<\"a\001\"@b.test>", NULL, NULL},
    {"<\"a\tb\"@b.test>", NULL, NULL},
    {"<a\177@b.test>", NULL, NULL},
    {"<a@b..test>", NULL, NULL},
    {"<a@.test>", NULL, NULL},
    {"<a@b.test.>", NULL, NULL},
    {"<a@-b.test>", NULL, NULL},
    {"<a@b-.test>", NULL, NULL},
    {"<a@b_c.test>", NULL, NULL},
    {"<a@b*.test>", NULL, NULL},
    {"<a@" LABEL "b.test>", NULL, NULL},
    {"<a@[192.0.2]>", NULL, NULL},
    {"<a@[192.0.2.256]>", NULL, NULL},
    {"<a@[192.0.2.1>", NULL, NULL},
    {"<a@192.0.2.1]>", NULL, NULL},
    {"<a@[ 192.0.2.1 ]>", NULL, NULL},
    {"<a@[2001:db8::1]>", NULL, NULL},
    {"<a@[IPv6:2001:db8::1::2]>", NULL, NULL},
    {"<a@[IPv6:]>", NULL, NULL},
    {"<a@[x-tag:text]>", NULL, NULL},
    {"<a@[]>", NULL, NULL},
    {"<@r.test>", NULL, NULL},
    {"<@r.test:>", NULL, NULL},
    {"<@:a@b.test>", NULL, NULL},
    {"<@r.test,:a@b.test>", NULL, NULL},
    {"<@r.test,s.test:a@b.test>", NULL, NULL},
    {"<r.test:a@b.test>", NULL, NULL},
    {"<\xc3\xa4@b.test>", NULL, NULL},
    {"<a@\xc3\xa4.test>", NULL, NULL},
};

/* What MAIL makes of it. */
static bool parse(struct arena *a, const char *argument, int flags, struct str *address,
                  struct str *params)
{
    struct str path;
    struct address parsed;
    struct str whole = arena_printf(a, "FROM:%s", argument);
    if (!smtp_split_path(whole, STR("FROM:"), &path, params) ||
        !address_parse(a, path, ADDRESS_NULL | flags, &parsed, NULL))
        return false;
    *address = address_text(a, &parsed);
    return true;
}

static void assert_text(const char *argument, struct str got, const char *expected)
{
    if (!str_equal(got, str_from_c(expected)))
        fail_msg("%s: \"%.*s\", not \"%s\"", argument, STR_ARG(got), expected);
}

static void test_paths(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct arena *a = arena_new();
        const struct row *r = &rows[i];
        struct str address, params;
        bool taken = parse(a, r->argument, 0, &address, &params);
        if (taken != (r->address != NULL))
            fail_msg("%s is %s", r->argument, taken ? "accepted" : "refused");
        if (taken) {
            assert_text(r->argument, address, r->address);
            assert_text(r->argument, params, r->params);
        }
        arena_free(a);
    }
}

static void test_paths_with_smtputf8(void **state)
{
    (void)state;
    struct arena *a = arena_new();
    struct str address, params;
    assert_true(parse(a, "<\xc3\xa4@\xc3\x9c.test> X", ADDRESS_UTF8, &address, &params));
    assert_text("both", address, "\xc3\xa4@\xc3\xbc.test");
    assert_text("both", params, " X");
    assert_true(parse(a, "<\"\xc3\xa4 b\"@b.test>", ADDRESS_UTF8, &address, &params));
    assert_text("quoted", address, "\"\xc3\xa4 b\"@b.test");
    static const char *const wrong[] = {"<\xe4@b.test>", "<a@b\xc3.test>", "<\xc0\x80@b.test>",
                                        "<\xed\xa0\x80@b.test>", "<\xc2\x85@b.test>"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_false(parse(a, wrong[i], ADDRESS_UTF8, &address, &params));
    arena_free(a);
}

static void test_keyword(void **state)
{
    (void)state;
    struct str path, params;
    assert_true(smtp_split_path(STR("to:<a@b>"), STR("TO:"), &path, &params));
    assert_false(smtp_split_path(STR("TO <a@b>"), STR("TO:"), &path, &params));
    assert_false(smtp_split_path(STR("TO :<a@b>"), STR("TO:"), &path, &params));
    assert_false(smtp_split_path(STR("FROM:<a@b>"), STR("TO:"), &path, &params));
    assert_false(smtp_split_path(STR(""), STR("TO:"), &path, &params));
}

static void test_chunks(void **state)
{
    (void)state;
    static const struct {
        const char *argument;
        uint64_t size;
        bool last;
    } right[] = {{"0", 0, false},
                 {"1 LAST", 1, true},
                 {"86 last", 86, true},
                 {" 12  LAST ", 12, true},
                 {"007", 7, false},
                 {"0 LAST", 0, true},
                 {"1099511627776", (uint64_t)1 << 40, false}};
    static const char *const wrong[] = {"",
                                        "LAST",
                                        "-1",
                                        "+1",
                                        "1.0",
                                        "0x10",
                                        "1 FIRST",
                                        "1LAST",
                                        "1 LAST x",
                                        "1 2",
                                        "1,LAST",
                                        "\xb2",
                                        "1 LAS",
                                        "1 LASTING",
                                        "1099511627777",
                                        "18446744073709551616",
                                        "99999999999999999999999"};
    uint64_t size;
    bool last;
    for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
        assert_true(smtp_parse_chunk(str_from_c(right[i].argument), &size, &last));
        assert_int_equal(size, right[i].size);
        assert_int_equal(last, right[i].last);
    }
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        if (smtp_parse_chunk(str_from_c(wrong[i]), &size, &last))
            fail_msg("BDAT %s is accepted", wrong[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_paths_with_smtputf8),
        cmocka_unit_test(test_keyword),
        cmocka_unit_test(test_chunks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
