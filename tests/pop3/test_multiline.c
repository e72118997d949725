/* Messages on the way to the client: line ends, dots, and where TOP stops, in pieces of any size.
 */
#include "pop3/multiline.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define WHOLE UINT64_MAX

/* Feeds the message in pieces of n bytes. */
static void convert(const char *message, size_t n, uint64_t lines, struct buf *out)
{
    struct multiline m;
    struct str rest = str_from_c(message);
    bool more = true;
    if (lines == WHOLE)
        multiline_begin(&m);
    else
        multiline_begin_top(&m, lines);
    while (more && rest.n > 0) {
        more = multiline_add(&m, str_head(rest, n), out);
        rest = str_skip(rest, n);
    }
    multiline_end(&m, out);
}

static void assert_sent(const char *message, uint64_t lines, const char *expected)
{
    for (size_t n = 1; n <= strlen(message) + 1; n++) {
        struct buf out = BUF_EMPTY;
        convert(message, n, lines, &out);
        assert_string_equal(buf_c(&out), expected);
        buf_free(&out);
    }
}

static void test_retr(void **state)
{
    (void)state;
    assert_sent("Subject: x\n\nHello\n", WHOLE, "Subject: x\r\n\r\nHello\r\n.\r\n");
    assert_sent("a\n.\n..\n.b\nc.\n", WHOLE, "a\r\n..\r\n...\r\n..b\r\nc.\r\n.\r\n");
    assert_sent("no end", WHOLE, "no end\r\n.\r\n");
    assert_sent(".", WHOLE, "..\r\n.\r\n");
    assert_sent("", WHOLE, ".\r\n");
    assert_sent("\n\n", WHOLE, "\r\n\r\n.\r\n");
}

/* What another program left with CRLF is sent as it is; a lone CR is no line end. */
static void test_carriage_returns(void **state)
{
    (void)state;
    assert_sent("a: b\r\n\r\n.x\r\n", WHOLE, "a: b\r\n\r\n..x\r\n.\r\n");
    assert_sent("a\rb\n\r.\n", WHOLE, "a\rb\r\n\r.\r\n.\r\n");
    assert_sent("a\r\r\nb\r", WHOLE, "a\r\r\nb\r\r\n.\r\n");
}

static void test_top(void **state)
{
    (void)state;
    const char *message = "A: 1\nB: 2\n\none\n\n.three\nfour\n";
    assert_sent(message, 0, "A: 1\r\nB: 2\r\n\r\n.\r\n");
    assert_sent(message, 1, "A: 1\r\nB: 2\r\n\r\none\r\n.\r\n");
    assert_sent(message, 3, "A: 1\r\nB: 2\r\n\r\none\r\n\r\n..three\r\n.\r\n");
    assert_sent(message, 4, "A: 1\r\nB: 2\r\n\r\none\r\n\r\n..three\r\nfour\r\n.\r\n");
    assert_sent(message, 99, "A: 1\r\nB: 2\r\n\r\none\r\n\r\n..three\r\nfour\r\n.\r\n");
    assert_sent("A: 1\r\n\r\none\r\ntwo\r\n", 1, "A: 1\r\n\r\none\r\n.\r\n");
    assert_sent("\nbody\n", 0, "\r\n.\r\n");
    assert_sent("A: 1\n", 0, "A: 1\r\n.\r\n");
    assert_sent("A: 1", 5, "A: 1\r\n.\r\n");
    assert_sent("A: 1\n\nno end", 1, "A: 1\r\n\r\nno end\r\n.\r\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_retr),
        cmocka_unit_test(test_carriage_returns),
        cmocka_unit_test(test_top),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
