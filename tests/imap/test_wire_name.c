/* Names of mailboxes as clients know them from the server before. */
#include "imap/wire_name.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static const struct wire_naming plain = {0}, dots = {.dots = true}, below = {.below_inbox = true},
                                courier = {.dots = true, .below_inbox = true};

static void same(struct wire_naming w, const char *name, const char *wire)
{
    struct buf b = BUF_EMPTY;

    wire_name_add(&b, w, str_from_c(name));
    assert_string_equal(buf_c(&b), wire);
    buf_clear(&b);
    assert_true(wire_name_parse(&b, w, str_from_c(wire)));
    assert_string_equal(buf_c(&b), name);
    buf_free(&b);
}

static void test_both_ways(void **state)
{
    (void)state;
    const struct wire_naming all[] = {plain, dots, below, courier};
    for (size_t i = 0; i < 4; i++) {
        same(all[i], "INBOX", "INBOX");
        same(all[i], "", "");
    }
    same(plain, "a.b/c", "a.b/c");
    same(plain, "INBOX/x", "INBOX/x");
    same(dots, "a.b/c\303\244/..", "a\\2eb.c\303\244.\\2e\\2e");
    same(dots, "INBOX/x", "INBOX.x");
    same(dots, "INBOX.x", "INBOX\\2ex");
    same(below, "Sent/2024", "INBOX/Sent/2024");
    same(below, "INBOX/x", "INBOX/INBOX/x");
    same(courier, "Sent/2024", "INBOX.Sent.2024");
    same(courier, "v1.0", "INBOX.v1\\2e0");
    same(dots, "a\\2eb", "a\\5c2eb");
    same(dots, "\\\\5C.", "\\\\5c5C\\2e");
    /* An escape that is none. */
    same(dots, "a\\2fb", "a\\2fb");
}

/* What is public has one name, whatever all others are below. */
static void test_public(void **state)
{
    (void)state;
    struct wire_naming w = courier;
    struct buf b = BUF_EMPTY;
    w.public = STR("Public");
    same(w, "Public", "Public");
    same(w, "Public/v1.0/x", "Public.v1\\2e0.x");
    same(w, "Public/INBOX", "Public.INBOX");
    same(w, "Publicity/x", "INBOX.Publicity.x");
    same(w, "a/Public", "INBOX.a.Public");
    same(w, "Sent", "INBOX.Sent");
    assert_false(wire_name_parse(&b, w, STR("INBOX.Public")));
    assert_false(wire_name_parse(&b, w, STR("INBOX.Public.x")));
    assert_false(wire_name_parse(&b, w, STR("Public/x")));
    assert_false(wire_name_parse(&b, w, STR("Publicity")));
    assert_int_equal(b.n, 0);
    w.below_inbox = false;
    same(w, "Public/x", "Public.x");
    same(w, "Sent", "Sent");
    assert_true(wire_name_is_below(STR("Public/x"), w.public));
    assert_true(wire_name_is_below(STR("Public"), w.public));
    assert_false(wire_name_is_below(STR("Publi"), w.public));
    assert_false(wire_name_is_below(STR("public/x"), w.public));
    assert_false(wire_name_is_below(STR("Public"), STR("")));
    buf_free(&b);
}

static void test_parse(void **state)
{
    (void)state;
    struct buf b = BUF_EMPTY;
    assert_true(wire_name_parse(&b, courier, STR("inbox.inbox.x")));
    assert_string_equal(buf_c(&b), "INBOX/x");
    buf_clear(&b);
    assert_true(wire_name_parse(&b, dots, STR("iNbox.a\\2Eb.")));
    assert_string_equal(buf_c(&b), "INBOX/a.b/");
    buf_clear(&b);
    assert_true(wire_name_parse(&b, plain, STR("inbox")));
    assert_string_equal(buf_c(&b), "INBOX");
    buf_clear(&b);
    assert_false(wire_name_parse(&b, courier, STR("Sent")));
    assert_false(wire_name_parse(&b, courier, STR("INBOX/Sent")));
    assert_false(wire_name_parse(&b, courier, STR("INBOXES")));
    assert_false(wire_name_parse(&b, courier, STR("INBOX.INBOX")));
    assert_false(wire_name_parse(&b, dots, STR("a/b")));
    assert_int_equal(b.n, 0);
    /* Nothing: whoever takes names says so. */
    assert_true(wire_name_parse(&b, plain, STR("")));
    assert_true(wire_name_parse(&b, courier, STR("INBOX.")));
    assert_int_equal(b.n, 0);
    char text[] = "a.b/c";
    wire_name_swap(plain, text, 5);
    assert_string_equal(text, "a.b/c");
    wire_name_swap(dots, text, 5);
    assert_string_equal(text, "a/b.c");
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_ways),
        cmocka_unit_test(test_public),
        cmocka_unit_test(test_parse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
