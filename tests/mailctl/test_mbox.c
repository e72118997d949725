/*
 * Mailboxes in one file: as others write them, and as they are written here.
 */
#include "mailctl/mbox.h"
#include "store/mailbox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

struct source {
    struct str rest;
    size_t step;
};

static bool from_source(void *arg, void *p, size_t n, size_t *got, struct err *e)
{
    struct source *s = arg;
    (void)e;
    *got = s->step && s->step < n ? s->step : n;
    *got = *got < s->rest.n ? *got : s->rest.n;
    memcpy(p, s->rest.p, *got);
    s->rest = str_skip(s->rest, *got);
    return true;
}

/* Every message as "date flags keywords|header|body;". */
static void read_all(struct str text, size_t step, struct buf *out)
{
    struct source s = {text, step};
    struct mbox_reader r = {.from = {from_source, &s}};
    struct mbox_message m = {0};
    struct err e;
    struct str piece;
    bool end;
    for (;;) {
        if (!mbox_read_message(&r, &m, &end, &e)) {
            buf_add_c(out, e.text);
            break;
        }
        if (end)
            break;
        buf_printf(out, "%lld %d %.*s|%.*s|", (long long)(m.date == INT64_MIN ? -1 : m.date),
                   m.flags, STR_ARG(buf_str(&m.keywords)), STR_ARG(buf_str(&m.header)));
        do {
            assert_true(mbox_read(&r, &piece, &e));
            buf_add_str(out, piece);
        } while (piece.n > 0);
        buf_add_char(out, ';');
    }
    mbox_message_free(&m);
    mbox_reader_free(&r);
}

static void expect(const char *text, const char *wanted)
{
    for (size_t step = 0; step < 8; step++) {
        struct buf out = BUF_EMPTY;
        read_all(str_from_c(text), step, &out);
        assert_string_equal(buf_c(&out), wanted);
        buf_free(&out);
    }
}

#define FROM "From bob@example.test Sat Nov 21 12:00:00 2026\n"
#define AT   "1795262400"

static void test_reading(void **state)
{
    (void)state;
    expect("", "");
    expect(FROM "Subject: a\n\nbody\n", AT " 0 |Subject: a\n\n|body\n;");
    expect(FROM "S: a\n\nbody\n\n" FROM "S: b\n\nx\n\ny\n\n",
           AT " 0 |S: a\n\n|body\n;" AT " 0 |S: b\n\n|x\n\ny\n;");
    expect(FROM "S: a\n\n" FROM "S: b\n\n\n" FROM "S: c\n",
           AT " 0 |S: a\n\n|;" AT " 0 |S: b\n\n|;" AT " 0 |S: c\n|;");
    expect("\n\n" FROM "S: a\r\n\r\nb\r\n\r\n" FROM "S: b\r\n\r\nc",
           AT " 0 |S: a\r\n\r\n|b\r\n;" AT " 0 |S: b\r\n\r\n|c;");
    expect("From MAILER-DAEMON\nS: a\n\n", "-1 0 |S: a\n\n|;");
    expect("Subject: a\n\nbody\n", "this is no mbox: it does not begin with a line \"From \"");
}

static void test_lines_that_look_like_separators(void **state)
{
    (void)state;
    expect(FROM "S: a\n\n>From here\n>>From there\n\nFrom now on\n\n> From\n",
           AT " 0 |S: a\n\n|From here\n>From there\n\nFrom now on\n\n> From\n;");
    expect(FROM "S: a\n\nx\n" FROM "y\n", AT " 0 |S: a\n\n|x\n" FROM "y\n;");
}

static void test_flags(void **state)
{
    (void)state;
    expect(FROM
           "Status: RO\nX-Status: AF\nX-Keywords: $Work  later\nX-Keywords: c\nS: a\n\nStatus: R\n",
           AT " 7 $Work later c|S: a\n\n|Status: R\n;");
}

static void test_long_lines(void **state)
{
    (void)state;
    struct buf text = BUF_EMPTY, out = BUF_EMPTY;
    buf_add_c(&text, FROM "S: a\n\n");
    for (int i = 0; i < 300000; i++)
        buf_add_char(&text, 'x');
    buf_add_c(&text, "\n\n" FROM "S: b\n\nend\n");
    read_all(buf_str(&text), 0, &out);
    assert_int_equal(out.n, 300000 + strlen(AT " 0 |S: a\n\n|\n;" AT " 0 |S: b\n\n|end\n;"));
    buf_free(&text);
    buf_free(&out);
}

static void write_message(struct buf *out, const char *text, size_t step)
{
    struct mbox_writer w = {.sender = STR("bob@example.test"),
                            .date = 1795262400,
                            .flags = MESSAGE_SEEN | MESSAGE_FLAGGED,
                            .keywords = STR("$Work a")};
    struct str rest = str_from_c(text);
    mbox_write_begin(&w);
    while (rest.n > 0) {
        mbox_write(&w, out, str_head(rest, step));
        rest = str_skip(rest, step);
    }
    mbox_write_end(&w, out);
}

static void test_what_is_written_is_read_again(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "S: a\n\nbody\n",          "S: a\n\n",
        "S: a\n\n\n\nx\n\n\n",     "S: a\n\nFrom here\n>From there\n>>>From\nFro\n>\n>>\n",
        "S: a\n\n" FROM "\n" FROM, "\nno header\n",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        for (size_t step = 1; step < 20; step += 3) {
            struct buf out = BUF_EMPTY, back = BUF_EMPTY, wanted = BUF_EMPTY;
            const char *body = texts[i][0] == '\n' ? texts[i] : strstr(texts[i], "\n\n") + 1;
            write_message(&out, texts[i], step);
            write_message(&out, texts[i], step);
            read_all(buf_str(&out), step, &back);
            for (int k = 0; k < 2; k++)
                buf_printf(&wanted, AT " 5 $Work a|%.*s\n|%s;", (int)(body - texts[i]), texts[i],
                           body + 1);
            assert_string_equal(buf_c(&back), buf_c(&wanted));
            buf_free(&out);
            buf_free(&back);
            buf_free(&wanted);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reading),
        cmocka_unit_test(test_lines_that_look_like_separators),
        cmocka_unit_test(test_flags),
        cmocka_unit_test(test_long_lines),
        cmocka_unit_test(test_what_is_written_is_read_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
