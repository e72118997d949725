/*
 * What message data may look like around a line end, all of it: every sequence of up to seven of
 * CR, LF, CRLF, "." and "..", at the start of a line and inside of one, cut at every place, as DATA
 * and as BDAT. A slow model says what it means. Then our own client sends the result on: for the
 * next server, however lenient it is about line ends, it must be one message and the same.
 */
#include "smtp/client_encoder.h"
#include "smtp/data_decoder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define TOKENS     5
#define LENGTH_MAX 7

static const char *const tokens[TOKENS] = {"\r", "\n", "\r\n", ".", ".."};

struct bench { /* buffers that are used again and again */
    struct buf wire, model, got, sent, again;
};

/* --- the model --- */

/* Bytes up to and including the end; the message is what stands before. */
static size_t model_end(struct str wire)
{
    if (str_starts_with(wire, STR(".\r\n")))
        return 3;
    ptrdiff_t at = str_find(wire, STR("\r\n.\r\n"));
    return at < 0 ? 0 : (size_t)at + 5;
}

/* One line of the protocol without its CRLF. */
static void model_line(struct buf *out, struct str line, bool dotted)
{
    if (dotted && line.n > 0 && line.p[0] == '.')
        line = str_skip(line, 1);
    for (size_t i = 0; i < line.n; i++)
        buf_add_char(out, line.p[i] == '\r' ? ' ' : line.p[i]);
}

static void model_decode(struct buf *out, struct str message, bool dotted)
{
    ptrdiff_t end;
    buf_clear(out);
    while ((end = str_find(message, STR("\r\n"))) >= 0) {
        model_line(out, str_head(message, (size_t)end), dotted);
        buf_add_char(out, '\n');
        message = str_skip(message, (size_t)end + 2);
    }
    model_line(out, message, dotted);
    if (out->n > 0 && out->p[out->n - 1] != '\n')
        buf_add_char(out, '\n');
}

/* --- what is under test --- */

static size_t decode(struct buf *out, struct str wire, size_t cut, enum data_form form)
{
    struct data_decoder d;
    buf_clear(out);
    data_decoder_init(&d, form);
    size_t taken = data_decoder_feed(&d, str_head(wire, cut), out);
    if (taken == cut)
        taken += data_decoder_feed(&d, str_skip(wire, cut), out);
    if (form == DATA_COUNTED)
        data_decoder_finish(&d, out);
    return taken;
}

static void assert_same(struct str a, struct str b, struct str wire)
{
    if (str_equal(a, b))
        return;
    struct buf hex = BUF_EMPTY;
    buf_add_hex(&hex, wire);
    fail_msg("differs for %s", buf_c(&hex));
}

/* A receiver to whom CR, LF and CRLF are line ends, and a line with a dot is the end. */
static size_t lenient_end(struct str wire)
{
    size_t start = 0;
    for (size_t i = 0; i < wire.n; i++) {
        if (wire.p[i] != '\r' && wire.p[i] != '\n')
            continue;
        bool dot = i - start == 1 && wire.p[start] == '.';
        if (wire.p[i] == '\r' && i + 1 < wire.n && wire.p[i + 1] == '\n')
            i++;
        if (dot)
            return i + 1;
        start = i + 1;
    }
    return 0;
}

static void check_sent_on(struct bench *b, struct str stored)
{
    for (size_t cut = 0; cut <= stored.n; cut++) {
        struct client_encoder x = {0};
        buf_clear(&b->sent);
        client_encode(&x, &b->sent, str_head(stored, cut));
        client_encode(&x, &b->sent, str_skip(stored, cut));
        client_encode_end(&x, &b->sent);
        struct str sent = buf_str(&b->sent);
        assert_int_equal(model_end(sent), sent.n);
        assert_int_equal(lenient_end(sent), sent.n);
        for (size_t i = 0; i < sent.n; i++) {
            assert_true(sent.p[i] != '\r' || (i + 1 < sent.n && sent.p[i + 1] == '\n'));
            assert_true(sent.p[i] != '\n' || (i > 0 && sent.p[i - 1] == '\r'));
        }
        assert_int_equal(decode(&b->again, sent, cut % (sent.n + 1), DATA_DOTTED), sent.n);
        assert_same(buf_str(&b->again), stored, sent);
    }
}

static void check_data(struct bench *b)
{
    struct str wire = buf_str(&b->wire);
    size_t end = model_end(wire);
    struct str message = str_head(wire, end == 3 ? 0 : end - 3);
    model_decode(&b->model, message, true);
    for (size_t cut = 0; cut <= wire.n; cut++) {
        assert_int_equal(decode(&b->got, wire, cut, DATA_DOTTED), end);
        assert_same(buf_str(&b->got), buf_str(&b->model), wire);
    }
}

static void check_bdat(struct bench *b)
{
    struct str wire = buf_str(&b->wire);
    model_decode(&b->model, wire, false);
    for (size_t cut = 0; cut <= wire.n; cut++) {
        assert_int_equal(decode(&b->got, wire, cut, DATA_COUNTED), wire.n);
        assert_same(buf_str(&b->got), buf_str(&b->model), wire);
    }
}

static void check_sequence(struct bench *b, unsigned number, unsigned length, const char *before)
{
    buf_clear(&b->wire);
    buf_add_c(&b->wire, before);
    for (unsigned i = 0; i < length; i++, number /= TOKENS)
        buf_add_c(&b->wire, tokens[number % TOKENS]);
    check_bdat(b);
    if (*before || length < LENGTH_MAX - 1)
        check_sent_on(b, buf_str(&b->model));
    buf_add_c(&b->wire, "\r\n.\r\n");
    check_data(b);
}

static void check_all(const char *before)
{
    struct bench b = {BUF_EMPTY, BUF_EMPTY, BUF_EMPTY, BUF_EMPTY, BUF_EMPTY};
    unsigned count = 1;
    for (unsigned length = 1; length <= LENGTH_MAX; length++) {
        count *= TOKENS;
        for (unsigned number = 0; number < count; number++)
            check_sequence(&b, number, length, before);
    }
    buf_free(&b.wire);
    buf_free(&b.model);
    buf_free(&b.got);
    buf_free(&b.sent);
    buf_free(&b.again);
}

static void test_at_the_start_of_a_line(void **state)
{
    (void)state;
    check_all("");
}

static void test_inside_of_a_line(void **state)
{
    (void)state;
    check_all("x");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_at_the_start_of_a_line),
        cmocka_unit_test(test_inside_of_a_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
