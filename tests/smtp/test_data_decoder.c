/*
 * The decoder of message data against a slow model: all short sequences of the bytes that matter,
 * cut at every place.
 */
#include "core/mem.h"
#include "smtp/data_decoder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static struct buf decode(struct str wire, size_t cut, enum data_form form, size_t *taken,
                         struct data_decoder *d)
{
    struct buf out = BUF_EMPTY;
    data_decoder_init(d, form);
    *taken = data_decoder_feed(d, str_head(wire, cut), &out);
    if (*taken == cut)
        *taken += data_decoder_feed(d, str_skip(wire, cut), &out);
    return out;
}

static void assert_decodes(const char *wire, const char *expected, bool ended)
{
    struct str w = str_from_c(wire);
    for (size_t cut = 0; cut <= w.n; cut++) {
        struct data_decoder d;
        size_t taken;
        struct buf out = decode(w, cut, DATA_DOTTED, &taken, &d);
        assert_string_equal(buf_c(&out), expected);
        assert_int_equal(d.ended, ended);
        buf_free(&out);
    }
}

static void test_lines_and_dots(void **state)
{
    (void)state;
    assert_decodes("a\r\nb\r\n.\r\n", "a\nb\n", true);
    assert_decodes(".\r\n", "", true);
    assert_decodes("..\r\n.\r\n", ".\n", true);
    assert_decodes("..a\r\n.b\r\n.\r\n", ".a\nb\n", true);
    assert_decodes("a.\r\n.\r\n", "a.\n", true);
    assert_decodes("a\r\n", "a\n", false);
}

static void test_nothing_else_ends_a_message(void **state)
{
    (void)state;
    assert_decodes("a\n.\r\nb\r\n.\r\n", "a\n.\nb\n", true);
    assert_decodes("a\r\n.\nb\r\n.\r\n", "a\n\nb\n", true);
    assert_decodes("a\r\n.\rb\r\n.\r\n", "a\n b\n", true);
    assert_decodes("a\r.\r\nb\r\n.\r\n", "a .\nb\n", true);
    assert_decodes("a\n.\nb\r\n.\r\n", "a\n.\nb\n", true);
    assert_decodes("a\r\r\n.\r\n", "a \n", true);
    assert_decodes("a\r\n.\r\r\n.\r\n", "a\n \n", true);
}

/* The model: the message ends at the first CRLF.CRLF (with a CRLF thought before it) and nowhere
 * else. */
static size_t model_end(struct str wire)
{
    if (str_starts_with(wire, STR(".\r\n")))
        return 3;
    ptrdiff_t at = str_find(wire, STR("\r\n.\r\n"));
    return at < 0 ? 0 : (size_t)at + 5;
}

static void test_all_short_sequences(void **state)
{
    (void)state;
    static const char alphabet[] = {'\r', '\n', '.', 'x', '\0'};
    enum { LENGTH = 8, COUNT = 390625 };
    for (unsigned number = 0; number < COUNT; number++) {
        char bytes[LENGTH];
        unsigned rest = number;
        for (size_t i = 0; i < LENGTH; i++, rest /= 5)
            bytes[i] = alphabet[rest % 5];
        struct str wire = str_from(bytes, LENGTH);
        struct data_decoder d, again;
        size_t taken, taken_again;
        struct buf out = decode(wire, 0, DATA_DOTTED, &taken, &d);
        struct buf cut = decode(wire, number % (LENGTH + 1), DATA_DOTTED, &taken_again, &again);
        size_t end = model_end(wire);
        assert_int_equal(d.ended, end != 0);
        assert_int_equal(taken, end ? end : LENGTH);
        assert_true(str_equal(buf_str(&out), buf_str(&cut)));
        assert_int_equal(taken, taken_again);
        assert_null(memchr(buf_str(&out).p, '\r', out.n));
        buf_free(&out);
        buf_free(&cut);
    }
}

static void test_counted_chunks(void **state)
{
    (void)state;
    struct data_decoder d;
    struct buf out = BUF_EMPTY;
    data_decoder_init(&d, DATA_COUNTED);
    assert_int_equal(data_decoder_feed(&d, STR("a\r\n.\r"), &out), 5);
    assert_int_equal(data_decoder_feed(&d, STR("\nb"), &out), 2);
    data_decoder_finish(&d, &out);
    assert_string_equal(buf_c(&out), "a\n.\nb\n");
    assert_false(d.ended || d.bare_cr || d.bare_lf);
    buf_free(&out);
}

static void test_what_is_noticed(void **state)
{
    (void)state;
    struct data_decoder d;
    size_t taken;
    struct buf out = decode(str_from("a\rb\nc\0\xc3\r\n.\r\nREST", 17), 0, DATA_DOTTED, &taken, &d);
    assert_true(d.bare_cr && d.bare_lf && d.nul && d.eight_bit && d.ended);
    assert_int_equal(taken, 12);
    assert_true(str_equal(buf_str(&out), STR("a b\nc\xc3\n")));
    buf_free(&out);
}

static struct buf decode_broken(struct str wire, size_t piece, struct data_decoder *d)
{
    struct buf out = BUF_EMPTY;
    data_decoder_init(d, DATA_DOTTED);
    d->line_max = 10;
    d->break_lines = true;
    for (size_t at = 0; at < wire.n; at += piece)
        data_decoder_feed(d, str_head(str_skip(wire, at), piece), &out);
    return out;
}

static void assert_breaks(const char *wire, const char *expected)
{
    struct str w = str_from_c(wire);
    for (size_t piece = 1; piece <= w.n; piece++) {
        struct data_decoder d;
        struct buf out = decode_broken(w, piece, &d);
        assert_string_equal(buf_c(&out), expected);
        assert_true(d.ended);
        buf_free(&out);
    }
}

static void test_long_lines_are_broken(void **state)
{
    (void)state;
    assert_breaks("0123456789\r\n.\r\n", "0123456789\n");
    assert_breaks("0123456789A\r\n.\r\n", "0123456789\n A\n");
    assert_breaks("0123456789ABCDEFGHIJKLM\r\nx\r\n.\r\n", "0123456789\n ABCDEFGHI\n JKLM\nx\n");
    assert_breaks("..234567890\r\n.\r\n", ".234567890\n");
    /* No character of UTF-8 is cut in two; bytes that are none go anywhere. */
    assert_breaks("012345678\xc3\xa4\xc3\xa4\r\n.\r\n", "012345678\n \xc3\xa4\xc3\xa4\n");
    assert_breaks("0123456\xf0\x9f\x98\x80x\r\n.\r\n", "0123456\n \xf0\x9f\x98\x80x\n");
    assert_breaks("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\r\n.\r\n",
                  "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\n \x80\x80\n");
}

static void test_a_line_of_8_mb(void **state)
{
    (void)state;
    static char piece[64 * 1024];
    memset(piece, 'x', sizeof(piece));
    struct data_decoder d;
    struct buf out = BUF_EMPTY;
    uint64_t lines = 0;
    data_decoder_init(&d, DATA_DOTTED);
    d.line_max = 998;
    d.break_lines = true;
    for (int i = 0; i < 128; i++) {
        data_decoder_feed(&d, str_from(piece, sizeof(piece)), &out);
        assert_true(out.n < 2 * sizeof(piece));
        for (size_t k = 0; k < out.n; k++)
            lines += out.p[k] == '\n';
        buf_clear(&out);
    }
    assert_true(d.long_line);
    assert_int_equal(lines, (uint64_t)128 * 64 * 1024 / 997);
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines_and_dots),
        cmocka_unit_test(test_nothing_else_ends_a_message),
        cmocka_unit_test(test_all_short_sequences),
        cmocka_unit_test(test_counted_chunks),
        cmocka_unit_test(test_what_is_noticed),
        cmocka_unit_test(test_long_lines_are_broken),
        cmocka_unit_test(test_a_line_of_8_mb),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
