/*
 * xtext, the attributes of XCLIENT and XFORWARD, and lists of hosts.
 */
#include "net/host_list.h"
#include "smtp/smtp_attributes.h"
#include "smtp/xtext.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void assert_xtext(const char *encoded, const char *expected)
{
    struct arena *a = arena_new();
    struct str text;
    bool ok = xtext_decode(a, str_from_c(encoded), &text);
    assert_int_equal(ok, expected != NULL);
    if (ok)
        assert_true(str_equal(text, str_from_c(expected)));
    arena_free(a);
}

static void test_xtext(void **state)
{
    (void)state;
    assert_xtext("", "");
    assert_xtext("e+3Dmc2@example.com", "e=mc2@example.com");
    assert_xtext("+2B+2b", "++");
    assert_xtext("a=b", "a=b");
    assert_xtext("+", NULL);
    assert_xtext("+2", NULL);
    assert_xtext("a+2x", NULL);
    assert_xtext("+0A", NULL);
    assert_xtext("+7F", NULL);
    assert_xtext("+00", NULL);
    for (int c = ' '; c < 256; c++) {
        char byte = (char)c, expected[2] = {byte, '\0'};
        struct buf out = BUF_EMPTY;
        if (c == 127)
            continue;
        xtext_encode(&out, str_from(&byte, 1));
        assert_true(out.n == 1 ? c > ' ' && c < 127 && c != '+' && c != '=' : out.n == 3);
        assert_xtext(buf_c(&out), expected);
        buf_free(&out);
    }
}

struct fixture {
    struct arena *arena;
    struct smtp_attributes x;
    struct str wrong;
};

static bool parse(struct fixture *f, enum smtp_attribute_command command, const char *text)
{
    return smtp_attributes_parse(&f->x, command, f->arena, str_from_c(text), &f->wrong);
}

static int setup(void **state)
{
    static struct fixture f;
    f = (struct fixture){.arena = arena_new()};
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    arena_free(((struct fixture *)*state)->arena);
    return 0;
}

static void test_values(void **state)
{
    struct fixture *f = *state;
    assert_true(parse(f, OF_XCLIENT, "NAME=spike.example addr=IPv6:2001:db8::1  PORT=25"));
    assert_string_equal(smtp_attributes_get(&f->x, ATTRIBUTE_NAME), "spike.example");
    assert_string_equal(smtp_attributes_get(&f->x, ATTRIBUTE_ADDR), "2001:db8::1");
    assert_string_equal(smtp_attributes_get(&f->x, ATTRIBUTE_PORT), "25");
    assert_null(smtp_attributes_get(&f->x, ATTRIBUTE_LOGIN));
    assert_int_equal(f->x.of[ATTRIBUTE_LOGIN].state, ATTRIBUTE_NOT_GIVEN);
    /* What the next command does not name stays. */
    assert_true(parse(f, OF_XCLIENT, "NAME=[tempunavail] LOGIN=[UNAVAILABLE]"));
    assert_int_equal(f->x.of[ATTRIBUTE_NAME].state, ATTRIBUTE_TEMPORARY);
    assert_int_equal(f->x.of[ATTRIBUTE_LOGIN].state, ATTRIBUTE_UNAVAILABLE);
    assert_null(smtp_attributes_get(&f->x, ATTRIBUTE_NAME));
    assert_string_equal(smtp_attributes_get(&f->x, ATTRIBUTE_PORT), "25");
}

static void test_refused_whole(void **state)
{
    static const char *const wrong[] = {
        "NAME",       "NAME=",      "NAME=a..b",    "ADDR=::1%lo",   "ADDR=1.2.3",
        "ADDR=unix",  "PORT=65536", "PORT=-1",      "PORT=",         "DESTPORT=x",
        "PROTO=LMTP", "IDENT=1",    "SOURCE=LOCAL", "DESTADDR=here", "HELO=a+0D+0A"};
    struct fixture *f = *state;
    assert_true(parse(f, OF_XCLIENT, "NAME=first.example"));
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct arena *a = arena_new();
        struct str text = arena_printf(a, "%s %s", i % 2 ? "NAME=second.example" : "", wrong[i]);
        assert_false(parse(f, OF_XCLIENT, text.p));
        arena_free(a);
        assert_string_equal(smtp_attributes_get(&f->x, ATTRIBUTE_NAME), "first.example");
    }
    assert_false(parse(f, OF_XCLIENT, " "));
    assert_null(f->wrong.p);
    assert_false(parse(f, OF_XFORWARD, "LOGIN=x"));
    assert_false(parse(f, OF_XFORWARD, "DESTADDR=192.0.2.1"));
    assert_true(parse(f, OF_XFORWARD, "ADDR=bitnet:node SOURCE=local IDENT=x PROTO=UUCP"));
}

/* They stand in log lines and header fields. */
static void test_harmless(void **state)
{
    struct fixture *f = *state;
    assert_true(parse(f, OF_XCLIENT, "HELO=a+20b\"c(d)+3Ce+3E+5C\xff"));
    assert_string_equal(smtp_attributes_get(&f->x, ATTRIBUTE_HELO), "a?b?c?d??e???");
}

static void test_too_long(void **state)
{
    struct fixture *f = *state;
    struct buf text = BUF_EMPTY;
    buf_add_c(&text, "HELO=");
    for (int i = 0; i < 255; i++)
        buf_add_char(&text, 'x');
    assert_true(parse(f, OF_XCLIENT, buf_c(&text)));
    buf_add_char(&text, 'x');
    assert_false(parse(f, OF_XCLIENT, buf_c(&text)));
    buf_free(&text);
}

static bool listed(const char *address, size_t count, const char *const *items)
{
    struct string_list list = {items, count};
    return host_list_has(&list, address);
}

static void test_hosts(void **state)
{
    (void)state;
    static const char *const items[] = {"192.0.2.0/24", "!192.0.2.9", "2001:db8::/32", "unix"};
    static const char *const wrong[] = {"192.0.2.1/33"};
    struct err e;
    assert_false(listed("192.0.2.1", 0, NULL));
    assert_true(listed("192.0.2.1", 4, items));
    assert_false(listed("192.0.2.9", 4, items));
    assert_true(listed("2001:db8::1", 4, items));
    assert_false(listed("2001:db9::1", 4, items));
    assert_true(listed("unix", 4, items));
    assert_false(listed("unix", 3, items));
    assert_false(listed("unknown", 4, items));
    assert_true(host_list_check(&(struct string_list){items, 4}, "some_hosts", &e));
    assert_false(host_list_check(&(struct string_list){wrong, 1}, "some_hosts", &e));
    assert_memory_equal(e.text, "some_hosts: ", 12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_xtext),
        cmocka_unit_test_setup_teardown(test_values, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refused_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(test_harmless, setup, teardown),
        cmocka_unit_test_setup_teardown(test_too_long, setup, teardown),
        cmocka_unit_test(test_hosts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
