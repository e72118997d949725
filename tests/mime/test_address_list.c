/* Address lists of header fields, as people write them. */
#include "core/buf.h"
#include "mime/address.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* name|route|local|domain; with "-" for what is absent, ";" between elements. */
static void is_parsed_as(const char *value, const char *expected)
{
    struct arena *a = arena_new();
    struct buf out = BUF_EMPTY;
    size_t count;
    struct mailbox_address *m = address_list_parse(a, str_from_c(value), &count);
    for (size_t i = 0; i < count; i++) {
        struct str parts[] = {m[i].name, m[i].route, m[i].local, m[i].domain};
        for (int k = 0; k < 4; k++) {
            buf_add_str(&out, parts[k].p ? parts[k] : STR("-"));
            buf_add_char(&out, k < 3 ? '|' : ';');
        }
    }
    assert_string_equal(buf_c(&out), expected);
    buf_free(&out);
    arena_free(a);
}

static void test_plain(void **state)
{
    (void)state;
    is_parsed_as("user@domain", "-|-|user|domain;");
    is_parsed_as(" <user@domain> ", "-|-|user|domain;");
    is_parsed_as("a@x, b@y ,c@z", "-|-|a|x;-|-|b|y;-|-|c|z;");
    is_parsed_as("foo bar <user@domain>", "foo bar|-|user|domain;");
    is_parsed_as("\"foo, \\\"bar\\\"\" <user@domain>", "foo, \"bar\"|-|user|domain;");
    is_parsed_as("John Q. Public <jqp@x>", "John Q. Public|-|jqp|x;");
    is_parsed_as("=?utf-8?q?J=C3=B6rg?=\r\n =?utf-8?q?_B?= <j@x>",
                 "=?utf-8?q?J=C3=B6rg?= =?utf-8?q?_B?=|-|j|x;");
    is_parsed_as("J\xc3\xb6rg <j@x>", "J\xc3\xb6rg|-|j|x;");
    is_parsed_as("\"quoted local\"@x", "-|-|quoted local|x;");
    is_parsed_as("a . b @ x . y", "-|-|a.b|x.y;");
    is_parsed_as("a@[192.0.2.1]", "-|-|a|[192.0.2.1];");
}

static void test_comments(void **state)
{
    (void)state;
    is_parsed_as("user@domain (Real Name)", "Real Name|-|user|domain;");
    is_parsed_as("user@domain (Real (nested) \\) Name), b@y",
                 "Real (nested) ) Name|-|user|domain;-|-|b|y;");
    is_parsed_as("Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>",
                 "Pete|-|pete|silly.test;");
    is_parsed_as("(c)a@x", "c|-|a|x;");
    is_parsed_as("user (hello)", "hello|-|user|;");
    is_parsed_as("()a@x", "-|-|a|x;");
}

static void test_groups(void **state)
{
    (void)state;
    is_parsed_as("undisclosed-recipients:;", "-|-|undisclosed-recipients|-;-|-|-|-;");
    is_parsed_as("group: g1@d1.org, g2@d2.org;, group2: g3@d3.org;",
                 "-|-|group|-;-|-|g1|d1.org;-|-|g2|d2.org;-|-|-|-;"
                 "-|-|group2|-;-|-|g3|d3.org;-|-|-|-;");
    is_parsed_as("group:;, group2: (foo) ;", "-|-|group|-;-|-|-|-;-|-|group2|-;-|-|-|-;");
    is_parsed_as(
        "A Group:Ed Jones <c@a.test>,joe@where.test,John <jdoe@one.test>;",
        "-|-|A Group|-;Ed Jones|-|c|a.test;-|-|joe|where.test;John|-|jdoe|one.test;-|-|-|-;");
    is_parsed_as("open: a@x", "-|-|open|-;-|-|a|x;-|-|-|-;");
    is_parsed_as("g: h: a@x;", "-|-|g|-;-|-|a|x;-|-|-|-;");
}

static void test_routes(void **state)
{
    (void)state;
    is_parsed_as("<@route:user@domain>", "-|@route|user|domain;");
    is_parsed_as("hello <@route ,@route2:user@domain>", "hello|@route,@route2|user|domain;");
    is_parsed_as("<@route@route2:user@domain>", "-|@route,@route2|user|domain;");
}

static void test_broken(void **state)
{
    (void)state;
    is_parsed_as("", "");
    is_parsed_as(" \r\n ", "");
    is_parsed_as(",,, ,", "");
    is_parsed_as(";", "");
    is_parsed_as("user", "-|-|user|;");
    is_parsed_as("Display Name", "Display Name|-||;");
    is_parsed_as("\"Display Name\"", "Display Name|-||;");
    is_parsed_as("@domain", "-|-||domain;");
    is_parsed_as("<>", "-|-||;");
    is_parsed_as("MAILER-DAEMON <>", "MAILER-DAEMON|-||;");
    is_parsed_as("hello <user>", "hello|-|user|;");
    is_parsed_as("a@x <a@x>", "a@x|-|a|x;");
    is_parsed_as("a@x; b@y", "-|-|a|x;-|-|b|y;");
    is_parsed_as("Joe Doe joe@x", "Joe Doe|-|joe|x;");
    is_parsed_as("a@x garbage \"with, comma\", b@y", "-|-|a|x;-|-|b|y;");
    is_parsed_as("\"open <a@x>, b@y", "open <a@x>, b@y|-||;");
    is_parsed_as("Name <a@x, b@y", "Name|-|a|x;-|-|b|y;");
    is_parsed_as("Name <<a@x>>", "Name|-||;");
    is_parsed_as("a b@x>", "a|-|b|x;");
    is_parsed_as("[Tag] Name <a@x>", "Tag Name|-|a|x;");
    is_parsed_as("\"\"x <a@x>", "x|-|a|x;");
    is_parsed_as("a@[192.\r\n 0.2.1", "-|-|a|[192.0.2.1;");
}

static void test_hostile(void **state)
{
    (void)state;
    const char *pieces[] = {"(", "<",  "\"", ":", "a,",  "a@",   "@",
                            ";", "a:", "\\", "[", "a@[", "((\\", "<@"};
    for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
        struct arena *a = arena_new();
        struct buf text = BUF_EMPTY;
        size_t count;
        while (text.n < 1000000)
            buf_add_c(&text, pieces[i]);
        address_list_parse(a, buf_str(&text), &count);
        assert_true(count <= 20001);
        buf_free(&text);
        arena_free(a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),  cmocka_unit_test(test_comments),
        cmocka_unit_test(test_groups), cmocka_unit_test(test_routes),
        cmocka_unit_test(test_broken), cmocka_unit_test(test_hostile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
