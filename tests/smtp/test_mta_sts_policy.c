/* Texts of MTA-STS: the examples of RFC 8461, and what strangers make of them. */
#include "smtp/mta_sts_policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

/* --- the record --- */

static bool id_is(const char *wanted, const char *first, const char *second)
{
    struct str texts[] = {str_from_c(first), str_from_c(second)}, id;
    if (!mta_sts_find_id(texts, second ? 2 : 1, &id))
        return wanted == NULL;
    return wanted && str_equal(id, str_from_c(wanted));
}

static void test_record(void **state)
{
    (void)state;
    assert_true(id_is("20160831085700Z", "v=STSv1; id=20160831085700Z;", NULL));
    assert_true(id_is("1", "v=STSv1;id=1", NULL));
    assert_true(id_is("1", "v=STSv1 ; foo=bar; id=1 ; x=y", NULL));
    assert_true(id_is("1", "something else", "v=STSv1; id=1"));
    assert_true(id_is("1", "v=STSv1; id=1; id=2", NULL));
    assert_true(id_is(NULL, "v=STSv1; id=1", "v=STSv1; id=1"));
    assert_true(id_is(NULL, "v=STSv1", NULL));
    assert_true(id_is(NULL, "v=STSv1;", NULL));
    assert_true(id_is(NULL, "v=STSv2; id=1", NULL));
    assert_true(id_is(NULL, "V=STSv1; id=1", NULL));
    assert_true(id_is(NULL, " v=STSv1; id=1", NULL));
    assert_true(id_is(NULL, "v=STSv1; id=", NULL));
    assert_true(id_is(NULL, "v=STSv1; id=a-b", NULL));
    assert_true(id_is(NULL, "v=STSv1; id=0123456789abcdef0123456789abcdef0", NULL));
    assert_true(id_is("0123456789abcdef0123456789abcdef",
                      "v=STSv1; id=0123456789abcdef0123456789abcdef", NULL));
}

/* --- the policy --- */

static struct arena *arena;

static struct mta_sts_policy parse(const char *text)
{
    struct mta_sts_policy p;
    struct err e;
    if (!mta_sts_policy_parse(str_from_c(text), arena, &p, &e))
        fail_msg("%s: %s", text, e.text);
    return p;
}

static void refused(const char *text, const char *why)
{
    struct mta_sts_policy p;
    struct err e;
    assert_false(mta_sts_policy_parse(str_from_c(text), arena, &p, &e));
    assert_int_equal(e.kind, ERR_SYNTAX);
    if (!strstr(e.text, why))
        fail_msg("\"%s\" does not say \"%s\"", e.text, why);
}

static bool allows(const struct mta_sts_policy *p, const char *host)
{
    return mta_sts_policy_allows(p, str_from_c(host));
}

static void test_policy(void **state)
{
    (void)state;
    arena = arena_new();
    struct mta_sts_policy p =
        parse("version: STSv1\nmode: enforce\nmx: mail.example.com\n"
              "mx: *.example.net\nmx: backupmx.example.com\nmax_age: 604800\n");
    assert_int_equal(p.mode, MTA_STS_ENFORCE);
    assert_int_equal(p.max_age, 604800);
    assert_int_equal(p.mx_count, 3);
    assert_true(allows(&p, "mail.example.com") && allows(&p, "MAIL.Example.Com."));
    assert_true(allows(&p, "a.example.net"));
    assert_false(allows(&p, "example.net"));
    assert_false(allows(&p, "a.b.example.net"));
    assert_false(allows(&p, ".example.net"));
    assert_false(allows(&p, "xmail.example.com"));
    assert_false(allows(&p, ""));

    struct buf text = BUF_EMPTY;
    mta_sts_policy_write(&text, &p);
    assert_string_equal(buf_c(&text),
                        "version: STSv1\nmode: enforce\nmx: mail.example.com\nmx: *.example.net\n"
                        "mx: backupmx.example.com\nmax_age: 604800\n");
    buf_free(&text);

    p = parse(
        "max_age:1 \r\n  mx :  MX.example \r\nmode:testing\r\nunknown: x: y\r\nversion:STSv1");
    assert_int_equal(p.mode, MTA_STS_TESTING);
    assert_true(allows(&p, "mx.example"));
    p = parse("version: STSv1\nmode: none\nmax_age: 86400\n");
    assert_int_equal(p.mode, MTA_STS_NONE);
    p = parse(
        "version: STSv1\nmode: enforce\nmode: none\nmx: a\nmax_age: 9999999999\nmax_age: 1\n");
    assert_int_equal(p.mode, MTA_STS_ENFORCE);
    assert_int_equal(p.max_age, MTA_STS_AGE_MAX);

    refused("", "version");
    refused("version: STSv1\nmode: enforce\nmax_age: 1\n", "mx");
    refused("version: STSv1\nmx: a\nmax_age: 1\n", "mode");
    refused("version: STSv1\nmode: enforce\nmx: a\n", "max_age");
    refused("version: STSv2\nmode: enforce\nmx: a\nmax_age: 1\n", "version");
    refused("version: STSv1\nmode: Enforce\nmx: a\nmax_age: 1\n", "mode");
    refused("version: STSv1\nmode: enforce\nmx: a b\nmax_age: 1\n", "mx");
    refused("version: STSv1\nmode: enforce\nmx: *.*.a\nmax_age: 1\n", "mx");
    refused("version: STSv1\nmode: enforce\nmx: *\nmax_age: 1\n", "mx");
    refused("version: STSv1\nmode: enforce\nmx: a\nmax_age: -1\n", "max_age");
    refused("version: STSv1\nmode: enforce\nmx: a\nmax_age: 12345678901\n", "max_age");
    refused("<html><body>It works!</body></html>\n", "no field");
    arena_free(arena);
}

static void test_many_hosts(void **state)
{
    (void)state;
    struct buf text = BUF_EMPTY;
    arena = arena_new();
    buf_add_c(&text, "version: STSv1\nmode: enforce\nmax_age: 1\n");
    for (int i = 0; i < MTA_STS_HOSTS_MAX; i++)
        buf_printf(&text, "mx: mx%d.example\n", i);
    assert_int_equal(parse(buf_c(&text)).mx_count, MTA_STS_HOSTS_MAX);
    buf_add_c(&text, "mx: more.example\n");
    refused(buf_c(&text), "more than");
    buf_free(&text);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_record),
        cmocka_unit_test(test_policy),
        cmocka_unit_test(test_many_hosts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
