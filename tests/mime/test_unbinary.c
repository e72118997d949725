/* Binary parts become base64 on their way in, in whatever pieces they come. */
#include "mime/unbinary.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static bool convert(struct str wire, size_t piece, struct buf *out)
{
    struct mime_unbinary *u = mime_unbinary_new();
    for (size_t at = 0; at < wire.n; at += piece)
        mime_unbinary_feed(u, str_head(str_skip(wire, at), piece), out);
    bool ok = mime_unbinary_end(u, out);
    mime_unbinary_free(u);
    return ok;
}

static void becomes(struct str wire, struct str wanted)
{
    for (size_t piece = 1; piece <= wire.n; piece = piece < 8 ? piece + 1 : piece * 3) {
        struct buf out = BUF_EMPTY;
        assert_true(convert(wire, piece, &out));
        if (!str_equal(buf_str(&out), wanted))
            fail_msg("in pieces of %zu:\n%.*s\n--- is not ---\n%.*s", piece, STR_ARG(buf_str(&out)),
                     STR_ARG(wanted));
        buf_free(&out);
    }
}

static void test_nothing_binary(void **state)
{
    (void)state;
    struct str text = STR("Subject: a\r\n\r\none\r\ntwo\rthree\nfour\r\r\n--x\r\n-\r");
    becomes(text, text);
    becomes(STR("Subject: a"), STR("Subject: a"));
}

static void test_the_message_itself(void **state)
{
    (void)state;
    becomes(STR("Content-Type: image/png\r\nContent-Transfer-Encoding: BINARY\r\nX: "
                "y\r\n\r\n\0\1\r\n\xff"),
            STR("Content-Type: image/png\r\nX: y\r\nContent-Transfer-Encoding: "
                "base64\r\n\r\nAAENCv8="));
}

/* The line end in front of the boundary belongs to it; the one before that is content. */
static void test_parts(void **state)
{
    (void)state;
    becomes(STR("Content-Type: multipart/mixed; boundary=b\r\n"
                "Content-Transfer-Encoding: binary\r\n\r\n"
                "preamble\r\n--b\r\n\r\ntext\r\n--b\r\n"
                "Content-Type: application/octet-stream\r\n"
                "Content-Transfer-Encoding: binary\r\n\r\n\0\r\n--\r\n-\r\n\r\r\n--b--\r\nend\r\n"),
            STR("Content-Type: multipart/mixed; boundary=b\r\n"
                "Content-Transfer-Encoding: 8bit\r\n\r\n"
                "preamble\r\n--b\r\n\r\ntext\r\n--b\r\n"
                "Content-Type: application/octet-stream\r\n"
                "Content-Transfer-Encoding: base64\r\n\r\nAA0KLS0NCi0NCg0=\r\n--b--\r\nend\r\n"));
    becomes(STR("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
                "Content-Transfer-Encoding: binary\r\n\r\n\r\n--b--"),
            STR("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
                "Content-Transfer-Encoding: base64\r\n\r\n\r\n--b--"));
}

/* Bytes of all kinds, also such that look like half of a boundary or a line end. */
static void test_every_byte_is_kept(void **state)
{
    (void)state;
    static const char alphabet[] = "\r\n-b\0\xff";
    uint32_t seed = 1;
    for (int round = 0; round < 300; round++) {
        struct buf body = BUF_EMPTY, wire = BUF_EMPTY, out = BUF_EMPTY, back = BUF_EMPTY;
        for (int i = 0; i < 200; i++) {
            seed = seed * 1664525 + 1013904223;
            buf_add_char(&body, alphabet[(seed >> 24) % 6]);
        }
        if (str_find(buf_str(&body), STR("\n--b")) >= 0 ||
            str_starts_with(buf_str(&body), STR("--b"))) {
            buf_free(&body);
            continue;
        }
        buf_add_c(&wire, "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
                         "Content-Transfer-Encoding: binary\r\n\r\n");
        buf_add_str(&wire, buf_str(&body));
        buf_add_c(&wire, "\r\n--b--\r\n");
        assert_true(convert(buf_str(&wire), 1 + (seed >> 20) % 30, &out));
        ptrdiff_t start = str_find(buf_str(&out), STR("base64\r\n\r\n"));
        struct str encoded = str_skip(buf_str(&out), (size_t)start + 10);
        ptrdiff_t end = str_find(encoded, STR("\r\n--b--"));
        struct buf joined = BUF_EMPTY;
        for (struct str rest = str_head(encoded, (size_t)end), line;
             line = str_split(&rest, '\n'), line.p;)
            buf_add_str(&joined, str_trim(line));
        assert_true(buf_add_base64_decoded(&back, buf_str(&joined)));
        assert_int_equal(back.n, body.n);
        assert_memory_equal(back.p, body.p, body.n);
        buf_free(&body);
        buf_free(&wire);
        buf_free(&out);
        buf_free(&back);
        buf_free(&joined);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_binary),
        cmocka_unit_test(test_the_message_itself),
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_every_byte_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
