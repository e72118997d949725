/*
 * Files of aliases, as distributions and sysadmins write them.
 */
#include "core/buf.h"
#include "mailctl/aliases.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* "line type name: destination destination;" and "line! problem;" or "line? what is not done;". */
static void tell(const struct alias_file *file, struct buf *out)
{
    json_t *record, *item;
    size_t i, j;
    json_array_foreach(file->records, i, record)
    {
        json_t *list = json_object_get(record, "members");
        if (!list)
            list = json_object_get(record, "forwards");
        buf_printf(out,
                   "%lld %s %s:", (long long)json_integer_value(json_object_get(record, "line")),
                   json_string_value(json_object_get(record, "type")),
                   json_string_value(json_object_get(record, "address")));
        json_array_foreach(list, j, item) buf_printf(out, " %s", json_string_value(item));
        buf_add_c(out, "; ");
    }
    for (i = 0; i < file->problem_count; i++)
        buf_printf(out, "%lld%c %.*s; ", (long long)file->problems[i].line,
                   file->problems[i].unsupported ? '?' : '!', STR_ARG(file->problems[i].text));
}

static void expect_of(struct str text, const char *wanted)
{
    struct arena *a = arena_new();
    struct alias_file file;
    struct buf out = BUF_EMPTY;
    struct err e;
    if (aliases_read(text, STR("d.test"), a, &file, &e))
        tell(&file, &out);
    else
        buf_add_c(&out, e.text);
    assert_string_equal(buf_c(&out), wanted);
    json_decref(file.records);
    buf_free(&out);
    arena_free(a);
}

static void expect(const char *text, const char *wanted)
{
    expect_of(str_from_c(text), wanted);
}

static void test_entries(void **state)
{
    (void)state;
    expect("", "");
    expect("# only a comment\n\n   \n  # and another\n", "");
    expect("root: alice\n", "1 address root@d.test: alice@d.test; ");
    expect("root:alice", "1 address root@d.test: alice@d.test; ");
    expect("\xef\xbb\xbfroot : alice , bob@far.test,\r\n",
           "1 address root@d.test: alice@d.test bob@far.test; ");
    expect(
        "a: b,\n\tc,\n    d\n# between\n\n  , e\nf: g\n",
        "1 address a@d.test: b@d.test c@d.test d@d.test e@d.test; 7 address f@d.test: g@d.test; ");
    expect("a@other.test: b\n", "1 address a@other.test: b@d.test; ");
}

static void test_forms_of_addresses(void **state)
{
    (void)state;
    expect("\"John Doe\": \"J. Doe\"@far.test\n",
           "1 address \"John Doe\"@d.test: \"J. Doe\"@far.test; ");
    expect("a: Bob B. <bob@far.test>, \"B, C\" <c@far.test> (the, boss)\n",
           "1 address a@d.test: bob@far.test c@far.test; ");
    expect("a (nobody, really): b (x (y) z), c\n", "1 address a@d.test: b@d.test c@d.test; ");
    expect("a: \"b\", \"c d\"\n", "1 address a@d.test: b@d.test \"c d\"@d.test; ");
    expect("a: \"b, c\"@far.test\n", "1 address a@d.test: \"b, c\"@far.test; ");
    expect("gr\xc3\xb6\xc3\x9f"
           "e: b\n",
           "1 address gr\xc3\xb6\xc3\x9f"
           "e@d.test: b@d.test; ");
}

static void test_special_destinations(void **state)
{
    (void)state;
    expect("nobody: /dev/null\n", "1 address nobody@d.test: :discard:; ");
    expect("a: :include:/etc/mail/list, \":include:/etc/mail/o t\", :include:\"/x y\"\n",
           "1 address a@d.test: :include:/etc/mail/list :include:/etc/mail/o t :include:/x y; ");
    expect("a: :blackhole:\n", "1 address a@d.test: :discard:; ");
    expect("a: :include:list\n", "1! the path of an include begins with /: \":include:list\"; ");
}

static void test_who_keeps_his_mail(void **state)
{
    (void)state;
    expect("alice: \\alice, bob@far.test\n", "1 user alice@d.test: bob@far.test; ");
    expect("alice: Alice\n", "");
    expect("alice: alice@D.test, bob\n", "1 user alice@d.test: bob@d.test; ");
    expect("alice: \\alice, :include:/x\n",
           "1? a user's mail is kept and sent to addresses only: alice: \\alice, :include:/x; ");
    expect("staff: \\alice\n", "1 address staff@d.test: alice@d.test; ");
    expect("staff: \\alice\nalice: \\alice, bob\n",
           "1 address staff@d.test: alice@d.test; 2 user alice@d.test: bob@d.test; ");
    expect("staff: \\alice\nAlice: bob\n", "1 address staff@d.test: alice@d.test; "
                                           "2 address Alice@d.test: bob@d.test; "
                                           "1? past the alias of that name: alice@d.test; ");
}

static void test_what_is_not_done(void **state)
{
    (void)state;
    expect("a: |/bin/x\nb: \"|/bin/x a, b\", bob\nc: |\"/bin/x a, b\"\n",
           "2 address b@d.test: bob@d.test; "
           "1? a program; Sieve filters mail here: |/bin/x; "
           "2? a program; Sieve filters mail here: |/bin/x a, b; "
           "3? a program; Sieve filters mail here: |\"/bin/x a, b\"; ");
    expect("a: /var/mail/a, b\n", "1 address a@d.test: b@d.test; "
                                  "1? a file; mail is stored in mailboxes only: /var/mail/a; ");
    expect("a: :fail: gone away\n", "1? not done here: :fail: gone away; ");
}

static void test_what_is_wrong(void **state)
{
    (void)state;
    expect(" a: b\nc: d\n", "2 address c@d.test: d@d.test; "
                            "1! a line that goes on, but nothing is before it: \"a: b\"; ");
    expect("a b\n", "1! \"name: destination, ...\" is expected: \"a b\"; ");
    expect(": b\n", "1! an alias without a name: \": b\"; ");
    expect("a:\nb: ,\n", "1! an alias that leads nowhere: \"a:\"; "
                         "2! an alias that leads nowhere: \"b: ,\"; ");
    expect("a: \"b\nc: d\n",
           "2 address c@d.test: d@d.test; "
           "1! something in quotes, parentheses or brackets does not end: \"a: \"b\"; ");
    expect_of(STR("a: b\0c\n"), "1! control characters, or no UTF-8: \"?\"; ");
    expect("a: b\xff\n", "1! control characters, or no UTF-8: \"?\"; ");
}

static void test_limits(void **state)
{
    (void)state;
    struct buf b = BUF_EMPTY;
    buf_add_c(&b, "a: ");
    for (size_t i = 0; i < 1024 * 1024; i++)
        buf_add_char(&b, 'x');
    expect_of(buf_str(&b), "line 1: an entry of more than 1048576 bytes");
    buf_clear(&b);
    buf_add_c(&b, "ok: b\na: b");
    for (int i = 0; i < 10000; i++)
        buf_add_c(&b, ",c");
    expect_of(buf_str(&b), "line 2: more than 10000 destinations");
    buf_clear(&b);
    for (int i = 0; i < 100001; i++)
        buf_add_c(&b, "x:\n");
    expect_of(buf_str(&b), "more than 100000 problems");
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_entries),
        cmocka_unit_test(test_forms_of_addresses),
        cmocka_unit_test(test_special_destinations),
        cmocka_unit_test(test_who_keeps_his_mail),
        cmocka_unit_test(test_what_is_not_done),
        cmocka_unit_test(test_what_is_wrong),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
