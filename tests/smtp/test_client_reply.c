#include "smtp/client_encoder.h"
#include "smtp/client_reply.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

/* Lines separated by '|'; the last status. */
static enum client_reply_status add(struct client_reply *r, const char *text)
{
    enum client_reply_status status = CLIENT_REPLY_MORE;
    struct str rest = str_from_c(text);
    client_reply_clear(r);
    while (rest.p && status == CLIENT_REPLY_MORE)
        status = client_reply_add_line(r, str_split(&rest, '|'));
    return status;
}

static void test_replies(void **state)
{
    static const struct {
        const char *text;
        enum client_reply_status status;
        int code;
        const char *enhanced;
        const char *written;
    } cases[] = {
        {"250 ok", CLIENT_REPLY_COMPLETE, 250, "", "250 ok"},
        {"250", CLIENT_REPLY_COMPLETE, 250, "", "250"},
        {"250 ", CLIENT_REPLY_COMPLETE, 250, "", "250"},
        {"250-", CLIENT_REPLY_MORE, 250, "", "250"},
        {"550-5.1.1 one|550 5.1.1 two", CLIENT_REPLY_COMPLETE, 550, "5.1.1",
         "550 5.1.1 one 5.1.1 two"},
        {"550 5.1.10 x", CLIENT_REPLY_COMPLETE, 550, "5.1.10", "550 5.1.10 x"},
        {"550 4.1.1 x", CLIENT_REPLY_COMPLETE, 550, "", "550 4.1.1 x"},
        {"550 5.1.1x", CLIENT_REPLY_COMPLETE, 550, "", "550 5.1.1x"},
        {"550 5.1234.1 x", CLIENT_REPLY_COMPLETE, 550, "", "550 5.1234.1 x"},
        {"354 3.0.0 go", CLIENT_REPLY_COMPLETE, 354, "", "354 3.0.0 go"},
        {"250-a|251 b", CLIENT_REPLY_BAD, 250, "", "250 a"},
        {"150 x", CLIENT_REPLY_BAD, 0, "", "0"},
        {"650 x", CLIENT_REPLY_BAD, 0, "", "0"},
        {"25", CLIENT_REPLY_BAD, 0, "", "0"},
        {"", CLIENT_REPLY_BAD, 0, "", "0"},
        {"2 50 x", CLIENT_REPLY_BAD, 0, "", "0"},
        {"250x", CLIENT_REPLY_BAD, 0, "", "0"},
        {"250 a\x1b[31m\x7f", CLIENT_REPLY_COMPLETE, 250, "", "250 a?[31m?"},
        {"250 caf\xc3\xa9", CLIENT_REPLY_COMPLETE, 250, "", "250 caf\xc3\xa9"},
        {"250 caf\xe9", CLIENT_REPLY_COMPLETE, 250, "", "250 caf?"},
    };
    struct client_reply r = {.code = 0};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct buf out = BUF_EMPTY;
        assert_int_equal(add(&r, cases[i].text), cases[i].status);
        assert_int_equal(r.code, cases[i].code);
        assert_string_equal(r.enhanced, cases[i].enhanced);
        client_reply_write(&out, &r);
        assert_string_equal(buf_c(&out), cases[i].written);
        buf_free(&out);
    }
    client_reply_free(&r);
}

static void encode(const char *stored, size_t piece, const char *wire)
{
    struct client_encoder x = {.in_line = false};
    struct buf out = BUF_EMPTY;
    struct str rest = str_from_c(stored);
    while (rest.n > 0) {
        client_encode(&x, &out, str_head(rest, piece));
        rest = str_skip(rest, piece);
    }
    client_encode_end(&x, &out);
    assert_string_equal(buf_c(&out), wire);
    buf_free(&out);
}

static void test_encoding(void **state)
{
    static const char *const cases[][2] = {
        {"", ".\r\n"},
        {"a", "a\r\n.\r\n"},
        {"a\n", "a\r\n.\r\n"},
        {"\n", "\r\n.\r\n"},
        {".\n", "..\r\n.\r\n"},
        {"a\n.\nb\n..c\n", "a\r\n..\r\nb\r\n...c\r\n.\r\n"},
        {"a.b\n", "a.b\r\n.\r\n"},
        {"a\r\nb\r\n", "a\r\nb\r\n.\r\n"},
        {"a\r.\rb\n", "a . b\r\n.\r\n"},
        {"\r.\n", " .\r\n.\r\n"},
        {"\r\r\n", " \r\n.\r\n"},
        {"a\r", "a\r\n.\r\n"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        for (size_t piece = 1; piece < 5; piece++)
            encode(cases[i][0], piece, cases[i][1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_replies),
        cmocka_unit_test(test_encoding),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
