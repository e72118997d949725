/* 8-bit messages for servers that take 7 bits, in whatever pieces they come; and what cannot be
 * converted. */
#include "mime/downgrade.h"
#include "mime/message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const char *convert(struct str message, size_t piece, struct buf *out)
{
    struct mime_downgrade *d = mime_downgrade_new();
    for (size_t at = 0; at < message.n; at += piece)
        mime_downgrade_look(d, str_head(str_skip(message, at), piece));
    const char *problem = mime_downgrade_decide(d);
    assert_int_equal(mime_downgrade_is_needed(d), !str_is_ascii(message));
    for (size_t at = 0; !problem && at < message.n; at += piece)
        mime_downgrade_write(d, str_head(str_skip(message, at), piece), out);
    if (!problem)
        mime_downgrade_write_end(d, out);
    mime_downgrade_free(d);
    return problem;
}

static void becomes(struct str message, struct str wanted)
{
    for (size_t piece = 1; piece <= message.n; piece = piece < 8 ? piece + 1 : piece * 3) {
        struct buf out = BUF_EMPTY;
        const char *problem = convert(message, piece, &out);
        if (problem)
            fail_msg("%s", problem);
        if (!str_equal(buf_str(&out), wanted))
            fail_msg("in pieces of %zu:\n%.*s\n--- is not ---\n%.*s", piece, STR_ARG(buf_str(&out)),
                     STR_ARG(wanted));
        buf_free(&out);
    }
}

static void cannot(struct str message, const char *why)
{
    struct buf out = BUF_EMPTY;
    const char *problem = convert(message, 5, &out);
    assert_non_null(problem);
    if (!strstr(problem, why))
        fail_msg("%s", problem);
    buf_free(&out);
}

#define LATIN                                                                                      \
    "viele Gr\xc3\xbc\xc3\x9f"                                                                     \
    "e, und noch etwas Text, damit es sich lohnt"
#define LATIN_QUOTED "viele Gr=C3=BC=C3=9Fe, und noch etwas Text, damit es sich lohnt"

static void test_text(void **state)
{
    (void)state;
    becomes(STR("MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n"
                "Content-Transfer-Encoding: 8bit\nSubject: x\n\n" LATIN "\nend \n"),
            STR("MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n"
                "Subject: x\nContent-Transfer-Encoding: quoted-printable\n\n" LATIN_QUOTED
                "\nend=20\n"));
    /* Without saying so. */
    becomes(STR("MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n\n" LATIN "=\n"),
            STR("MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n"
                "Content-Transfer-Encoding: quoted-printable\n\n" LATIN_QUOTED "=3D\n"));
    /* Of text that is not mostly ASCII base64 is shorter; with CRLF, as on the wire. */
    becomes(STR("MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n\n\xd0\xb4\xd0\xb0\n"),
            STR("MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n"
                "Content-Transfer-Encoding: base64\n\n0LTQsA0K"));
    /* Nothing to do. */
    becomes(STR("Subject: x\n\nplain\n"), STR("Subject: x\n\nplain\n"));
    becomes(STR("Subject: x\n"), STR("Subject: x\n"));
}

static void test_long_lines(void **state)
{
    (void)state;
    struct buf message = BUF_EMPTY, out = BUF_EMPTY;
    buf_add_c(&message, "MIME-Version: 1.0\n\n");
    for (int i = 0; i < 500; i++)
        buf_add_c(&message, i % 20 ? "word " : "\xc3\xa9 ");
    buf_add_c(&message, "\n");
    assert_null(convert(buf_str(&message), 64, &out));
    struct str rest = buf_str(&out), line;
    while (line = str_split(&rest, '\n'), line.p != NULL)
        assert_true(line.n <= 76);
    /* And back. */
    struct arena *a = arena_new();
    struct str all = buf_str(&out);
    const struct mime_part *root = mime_parse(a, all, NULL, false);
    struct buf plain = BUF_EMPTY;
    mime_decode_body(&plain, root->encoding,
                     str_head(str_skip(all, root->header_end), root->body_end - root->header_end));
    assert_true(str_equal(buf_str(&plain), str_skip(buf_str(&message), 19)));
    buf_free(&plain);
    buf_free(&message);
    buf_free(&out);
    arena_free(a);
}

static void test_parts(void **state)
{
    (void)state;
    becomes(STR("MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n"
                "Content-Transfer-Encoding: 8bit\n\n"
                "pre\xc3\xa4mble\n--b\n\n" LATIN "\n--b\nContent-Type: image/x\n"
                "Content-Transfer-Encoding: base64\n\nAAAA\n"
                "--bc is no boundary but begins like one: it is\n\nplain\n"
                "--b\nContent-Type: message/rfc822\nContent-Transfer-Encoding: 8bit\n\n"
                "Subject: inner\nContent-Type: application/x\n\n\xff\n\n--b--\nepilogue\n"),
            STR("MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n"
                "Content-Transfer-Encoding: 7bit\n\n"
                "pre??mble\n--b\nContent-Transfer-Encoding: quoted-printable\n\n" LATIN_QUOTED
                "\n--b\nContent-Type: image/x\n"
                "Content-Transfer-Encoding: base64\n\nAAAA\n"
                "--bc is no boundary but begins like one: it is\n\nplain\n"
                "--b\nContent-Type: message/rfc822\nContent-Transfer-Encoding: 7bit\n\n"
                "Subject: inner\nContent-Type: application/x\n"
                "Content-Transfer-Encoding: base64\n\n/w0K\n--b--\nepilogue\n"));
    /* Cut off within a header by a boundary; an end without any. */
    becomes(STR("MIME-Version: 1.0\nContent-Type: multipart/x; boundary=\"=_\"\n\n--=_\nX: "
                "y\n--=_\n\n\xc3\xa9 and quite some text around"),
            STR("MIME-Version: 1.0\nContent-Type: multipart/x; boundary=\"=_\"\n\n--=_\nX: "
                "y\n--=_\nContent-Transfer-Encoding: quoted-printable\n\n=C3=A9 and quite some "
                "text around"));
}

static void test_what_cannot_be(void **state)
{
    (void)state;
    cannot(STR("Subject: x\n\n\xc3\xa9\n"), "no MIME message");
    cannot(STR("MIME-Version: 1.0\nSubject: \xc3\xa9\n\nx\n"), "header");
    cannot(STR("MIME-Version: 1.0\nContent-Transfer-Encoding: base64\n\n\xc3\xa9\n"), "encoding");
    cannot(STR("MIME-Version: 1.0\nContent-Type: multipart/signed; boundary=b\n\n--b\n\n" LATIN
               "\n--b\n\nsignature\n--b--\n"),
           "signed");
    cannot(STR("MIME-Version: 1.0\nContent-Type: message/partial\n\n\xc3\xa9\n"), "part");
    /* What is signed may be there when it has 7 bits. */
    becomes(STR("MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=o\n\n--o\n"
                "Content-Type: multipart/signed; boundary=b\n\n--b\n\nx\n--b--\n--o\n\n" LATIN
                "\n--o--\n"),
            STR("MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=o\n\n--o\n"
                "Content-Type: multipart/signed; boundary=b\n\n--b\n\nx\n--b--\n--o\n"
                "Content-Transfer-Encoding: quoted-printable\n\n" LATIN_QUOTED "\n--o--\n"));
}

/* Deeper than anybody looks. */
static void test_limits(void **state)
{
    (void)state;
    struct buf message = BUF_EMPTY, out = BUF_EMPTY;
    buf_add_c(&message, "MIME-Version: 1.0\n");
    for (int i = 0; i < 300; i++)
        buf_printf(&message, "Content-Type: multipart/x; boundary=%d\n\n--%d\n", i + 1000,
                   i + 1000);
    buf_add_c(&message, "\n" LATIN "\n");
    assert_non_null(strstr(convert(buf_str(&message), 100, &out), "too"));
    buf_free(&message);
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),   cmocka_unit_test(test_long_lines),
        cmocka_unit_test(test_parts),  cmocka_unit_test(test_what_cannot_be),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
