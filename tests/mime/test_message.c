/* The structure of messages: BODY and BODYSTRUCTURE as clients get them, and sections cut out. */
#include "core/in_arena.h"

#include "core/buf.h"
#include "mime/message.h"

#define NOTHING    " NIL NIL NIL NIL"
#define PLAIN_TYPE "\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" "

static void structure_of(struct str message, bool extended, const char *expected)
{
    struct buf out = BUF_EMPTY;
    for (int copy = 0; copy < 2; copy++) {
        buf_clear(&out);
        const struct mime_part *root = mime_parse(a, message, NULL, copy);
        mime_write_bodystructure(&out, root, message, extended);
        assert_string_equal(buf_c(&out), expected);
    }
    buf_free(&out);
}

/* The same whether stored with LF or CRLF. */
static void structure_is(const char *message, bool extended, const char *expected)
{
    struct buf crlf = BUF_EMPTY;
    structure_of(str_from_c(message), extended, expected);
    mime_add_crlf(&crlf, str_from_c(message), 0);
    structure_of(buf_str(&crlf), extended, expected);
    buf_free(&crlf);
}

static const struct mime_part *find(const struct mime_part *root, const char *path)
{
    unsigned numbers[20];
    size_t n = 0;
    for (; *path; path++)
        if (*path != '.')
            numbers[n++] = (unsigned)(*path - '0');
    return mime_find_part(root, numbers, n);
}

static void section_is(struct str message, const char *path, const char *header, const char *body)
{
    const struct mime_part *part = find(mime_parse(a, message, NULL, false), path);
    if (body == NULL) {
        assert_null(part);
        return;
    }
    assert_non_null(part);
    struct str h = str_from(message.p + part->header_start, part->header_end - part->header_start);
    struct str b = str_from(message.p + part->header_end, part->body_end - part->header_end);
    assert_string_equal(arena_c(a, h), header);
    assert_string_equal(arena_c(a, b), body);
}

static void test_plain(void **state)
{
    (void)state;
    structure_is("Subject: x\n\nhello\nworld\n", false, "(" PLAIN_TYPE "14 2)");
    structure_is("Subject: x\n\nhello\nworld\n", true, "(" PLAIN_TYPE "14 2" NOTHING ")");
    structure_is("Subject: x\n\nno line end", false, "(" PLAIN_TYPE "11 0)");
    structure_is("Subject: x\n\n", false, "(" PLAIN_TYPE "0 0)");
    structure_is("Subject: x\n", false, "(" PLAIN_TYPE "0 0)");
    structure_is("Subject: x", false, "(" PLAIN_TYPE "0 0)");
    structure_is("", false, "(" PLAIN_TYPE "0 0)");
    structure_is("\n", false, "(" PLAIN_TYPE "0 0)");
    structure_is("\nbody\n", false, "(" PLAIN_TYPE "6 1)");
    structure_is("Subject: x\n\n\n\nbody\n", false, "(" PLAIN_TYPE "10 3)");
}

static void test_fields(void **state)
{
    (void)state;
    structure_is("Content-Type: text/html; charset=\"utf-8\"; format=flowed\n"
                 "Content-Transfer-Encoding: Quoted-Printable\n"
                 "Content-ID: <a@b>\n"
                 "Content-Description: a\n \"description\"\n"
                 "Content-MD5: Q2hlY2sgSW50ZWdyaXR5IQ==\n"
                 "Content-Disposition: inline; foo=bar; filename=\"a b\"\n"
                 "Content-Language: en, fi (Finnish), se\n"
                 "Content-Location: http://example.com/test.txt\n"
                 "\nx\n",
                 true,
                 "(\"text\" \"html\" (\"charset\" \"utf-8\" \"format\" \"flowed\") \"<a@b>\" "
                 "\"a \\\"description\\\"\" \"Quoted-Printable\" 3 1 "
                 "\"Q2hlY2sgSW50ZWdyaXR5IQ==\" "
                 "(\"inline\" (\"foo\" \"bar\" \"filename\" \"a b\")) (\"en\" \"fi\" \"se\") "
                 "\"http://example.com/test.txt\")");
    structure_is(
        "Content-Type: application/octet-stream\nContent-Disposition: attachment\n\nx\n", true,
        "(\"application\" \"octet-stream\" NIL NIL NIL \"7bit\" 3 NIL (\"attachment\" NIL) "
        "NIL NIL)");
    structure_is("Content-Type: text/plain\nContent-Type: text/html\n\n", false,
                 "(" PLAIN_TYPE "0 0)");
}

static void type_is(const char *field, const char *expected)
{
    structure_is(arena_c(a, arena_printf(a, "Content-Type: %s\n\n", field)), false,
                 arena_c(a, arena_printf(a, "(%s NIL NIL \"7bit\" 0%s)", expected,
                                         strncasecmp(expected, "\"text", 5) ? "" : " 0")));
}

static void test_types(void **state)
{
    (void)state;
    type_is("text", "\"text\" \"plain\" (\"charset\" \"us-ascii\")");
    type_is("TEXT/Plain (comment) ; CharSet = UTF-8 (c)",
            "\"TEXT\" \"Plain\" (\"CharSet\" \"UTF-8\")");
    type_is("application", "\"application\" \"unknown\" NIL");
    type_is("", "\"text\" \"plain\" (\"charset\" \"us-ascii\")");
    type_is(";charset=x", "\"text\" \"plain\" (\"charset\" \"us-ascii\")");
    type_is("image/png; name=a b.png", "\"image\" \"png\" (\"name\" \"a b.png\")");
    type_is("image/png; name=a(1).png;", "\"image\" \"png\" (\"name\" \"a(1).png\")");
    type_is("image/png; name=", "\"image\" \"png\" (\"name\" \"\")");
    type_is("image/png; =x; ;; y; name=\"a\\\"b\\\\c\"",
            "\"image\" \"png\" (\"name\" \"a\\\"b\\\\c\")");
    type_is("image/png; name=\"open", "\"image\" \"png\" (\"name\" \"open\")");
    type_is("image/png; name=\"a\\\n b\"", "\"image\" \"png\" (\"name\" \"a\\\\ b\")");
    type_is("image/png; name=J\xf6", "\"image\" \"png\" (\"name\" {2}\r\nJ\xf6)");
    type_is("image/png garbage; a=b", "\"image\" \"png\" (\"a\" \"b\")");
}

static void test_parameters_2231(void **state)
{
    (void)state;
    type_is("a/b; filename*=UTF-8''na%C3%AFve.txt",
            "\"a\" \"b\" (\"filename*\" \"UTF-8''na%C3%AFve.txt\")");
    type_is("message/external-body; access-type=URL; URL*0=\"ftp://\"; URL*1=\"cs.utk.edu/pub\"",
            "\"message\" \"external-body\" (\"access-type\" \"URL\" \"URL\" "
            "\"ftp://cs.utk.edu/pub\")");
    type_is("a/b; title*1*=%2A%2A; title*2=\" isn't it!\"; title*0*=us-ascii'en'This%20is",
            "\"a\" \"b\" (\"title*\" \"us-ascii'en'This%20is%2A%2A%20isn%27t%20it!\")");
    type_is("a/b; x*1=lost; y*0=a; y*2=c",
            "\"a\" \"b\" (\"x*1\" \"lost\" \"y\" \"a\" \"y*2\" \"c\")");

    const struct mime_part *p = mime_parse(
        a,
        STR("Content-Type: a/b; name=\"=?utf-8?q?x?=\"; filename=plain; "
            "filename*0*=iso-8859-1''na%EFve; filename*1=\" file\"; z*=klingon''%e9; w*=100%\n\n"),
        NULL, false);
    struct {
        const char *name, *value;
    } expected[] = {
        {"NAME", "=?utf-8?q?x?="}, {"filename", "na\xc3\xafve file"}, {"z", "\xe9"}, {"w", "100%"}};
    for (size_t i = 0; i < 4; i++) {
        const struct mime_parameter *found =
            mime_parameter_find(p->parameters, p->parameter_count, str_from_c(expected[i].name));
        assert_non_null(found);
        assert_string_equal(arena_c(a, found->value), expected[i].value);
    }
    assert_null(mime_parameter_find(p->parameters, p->parameter_count, STR("boundary")));
}

/* All that an IMAP client of a mailing list would see. */
static const char nested[] =
    "From: user@domain.org\n"
    "Date: Sat, 24 Mar 2007 23:00:00 +0200\n"
    "Mime-Version: 1.0\n"
    "Content-Type: multipart/mixed; boundary=\"foo\n"
    " bar\"\n"
    "\n"
    "Root MIME prologue\n"
    "\n"
    "--foo bar\n"
    "Content-Type: text/x-myown; charset=us-ascii; foo=\"quoted\\\"string\"\n"
    "Content-Disposition: inline; foo=bar\n"
    "\n"
    "hello\n"
    "\n"
    "--foo bar  \n"
    "Content-Type: message/rfc822\n"
    "\n"
    "From: sub@domain.org\n"
    "To: sub-to1@domain.org, sub-to2@domain.org\n"
    "Subject: submsg\n"
    "Content-Type: multipart/alternative; boundary=\"sub1\"\n"
    "\n"
    "Sub MIME prologue\n"
    "--sub1\n"
    "Content-Type: text/html\n"
    "Content-Transfer-Encoding: 8bit\n"
    "\n"
    "<p>Hello world</p>\n"
    "\n"
    "--sub1\n"
    "Content-Type: text/plain\n"
    "Content-Transfer-Encoding: ?invalid\n"
    "\n"
    "Hello another world\n"
    "\n"
    "--sub1--\n"
    "Sub MIME epilogue\n"
    "\n"
    "--foo bar--\n"
    "Root MIME epilogue\n";

static void test_nested(void **state)
{
    (void)state;
    structure_is(nested, true,
                 "((\"text\" \"x-myown\" (\"charset\" \"us-ascii\" \"foo\" \"quoted\\\"string\") "
                 "NIL NIL \"7bit\" 7 1 NIL (\"inline\" (\"foo\" \"bar\")) NIL NIL)"
                 "(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 373 "
                 "(NIL \"submsg\" ((NIL NIL \"sub\" \"domain.org\")) "
                 "((NIL NIL \"sub\" \"domain.org\")) ((NIL NIL \"sub\" \"domain.org\")) "
                 "((NIL NIL \"sub-to1\" \"domain.org\")(NIL NIL \"sub-to2\" \"domain.org\")) "
                 "NIL NIL NIL NIL) "
                 "((\"text\" \"html\" (\"charset\" \"us-ascii\") NIL NIL \"8bit\" 20 1 NIL NIL NIL "
                 "NIL)"
                 "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 21 1 NIL NIL NIL "
                 "NIL) "
                 "\"alternative\" (\"boundary\" \"sub1\") NIL NIL NIL) 20 NIL NIL NIL NIL) "
                 "\"mixed\" (\"boundary\" \"foo bar\") NIL NIL NIL)");
    structure_is(nested, false,
                 "((\"text\" \"x-myown\" (\"charset\" \"us-ascii\" \"foo\" \"quoted\\\"string\") "
                 "NIL NIL \"7bit\" 7 1)"
                 "(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 373 "
                 "(NIL \"submsg\" ((NIL NIL \"sub\" \"domain.org\")) "
                 "((NIL NIL \"sub\" \"domain.org\")) ((NIL NIL \"sub\" \"domain.org\")) "
                 "((NIL NIL \"sub-to1\" \"domain.org\")(NIL NIL \"sub-to2\" \"domain.org\")) "
                 "NIL NIL NIL NIL) "
                 "((\"text\" \"html\" (\"charset\" \"us-ascii\") NIL NIL \"8bit\" 20 1)"
                 "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 21 1) "
                 "\"alternative\") 20) "
                 "\"mixed\")");
    struct str m = str_from_c(nested);
    section_is(m, "1",
               "Content-Type: text/x-myown; charset=us-ascii; foo=\"quoted\\\"string\"\n"
               "Content-Disposition: inline; foo=bar\n\n",
               "hello\n");
    section_is(m, "2.1", "Content-Type: text/html\nContent-Transfer-Encoding: 8bit\n\n",
               "<p>Hello world</p>\n");
    section_is(m, "2.2", "Content-Type: text/plain\nContent-Transfer-Encoding: ?invalid\n\n",
               "Hello another world\n");
    section_is(m, "3", NULL, NULL);
    section_is(m, "0", NULL, NULL);
    section_is(m, "1.1", NULL, NULL);
    section_is(m, "2.3", NULL, NULL);
    section_is(m, "2.1.1", NULL, NULL);
    const struct mime_part *root = mime_parse(a, m, NULL, false);
    assert_ptr_equal(find(root, ""), root);
    assert_true(root->is_multipart);
    assert_int_equal(root->child_count, 2);
    assert_true(find(root, "2")->is_message);
    assert_true(str_starts_with(str_skip(m, find(root, "2")->header_end), STR("From: sub@")));
}

static void test_message_in_message(void **state)
{
    (void)state;
    struct str m = STR("From: user@domain.org\n"
                       "Content-Type: message/rfc822\n\n"
                       "From: user2@domain.org\n"
                       "Content-Type: message/rfc822\n\n"
                       "From: sub@domain.org\nSubject: submsg\n\n"
                       "Hello world\n");
    section_is(m, "1", "From: user@domain.org\nContent-Type: message/rfc822\n\n",
               "From: user2@domain.org\nContent-Type: message/rfc822\n\n"
               "From: sub@domain.org\nSubject: submsg\n\nHello world\n");
    section_is(m, "1.1", "From: user2@domain.org\nContent-Type: message/rfc822\n\n",
               "From: sub@domain.org\nSubject: submsg\n\nHello world\n");
    section_is(m, "1.1.1", "From: sub@domain.org\nSubject: submsg\n\n", "Hello world\n");
    section_is(m, "1.1.1.1", NULL, NULL);
    section_is(m, "2", NULL, NULL);
    section_is(STR("A: b\n\nbody"), "1", "A: b\n\n", "body");
    section_is(STR("A: b\n\nbody"), "1.1", NULL, NULL);

    structure_is("Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\nRnJvbTo=\n",
                 false,
                 "(\"message\" \"rfc822\" NIL NIL NIL \"base64\" 10 "
                 "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL) "
                 "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 0 0) 1)");
    structure_is("Content-Type: message/rfc822\n\n", false,
                 "(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 0 "
                 "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL) (" PLAIN_TYPE "0 0) 0)");
}

static void test_digest(void **state)
{
    (void)state;
    structure_is("Content-Type: multipart/digest; boundary=d\n\n"
                 "--d\n\nSubject: one\n\nbody\n"
                 "--d\nContent-Type: text/plain\n\nplain\n--d--\n",
                 false,
                 "((\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 20 "
                 "(NIL \"one\" NIL NIL NIL NIL NIL NIL NIL NIL) (" PLAIN_TYPE "4 0) 2)"
                 "(" PLAIN_TYPE "5 0) \"digest\")");
}

static void test_broken_multiparts(void **state)
{
    (void)state;
    /* No boundary, none found, an empty one: the body is the one part. */
    structure_is("Content-Type: multipart/mixed\n\nbody\n", false,
                 "((" PLAIN_TYPE "6 1) \"mixed\")");
    structure_is("Content-Type: multipart/mixed; boundary=x\n\nbody\n", true,
                 "((" PLAIN_TYPE
                 "6 1 NIL NIL NIL NIL) \"mixed\" (\"boundary\" \"x\") NIL NIL NIL)");
    structure_is("Content-Type: multipart/mixed; boundary=\"\"\n\n--\n\nbody\n", false,
                 "((" PLAIN_TYPE "12 3) \"mixed\")");
    structure_is("Content-Type: multipart\n\nbody\n", false, "((" PLAIN_TYPE "6 1) \"x-unknown\")");
    /* Closed at once; only the closing line; no closing line. */
    structure_is("Content-Type: multipart/mixed; boundary=x\n\n--x--\nbody\n", false,
                 "((" PLAIN_TYPE "13 2) \"mixed\")");
    structure_is("Content-Type: multipart/mixed; boundary=x\n\n--x\n\none\n", false,
                 "((" PLAIN_TYPE "5 1) \"mixed\")");
    structure_is("Content-Type: multipart/mixed; boundary=x\n\n--x\n\none", false,
                 "((" PLAIN_TYPE "3 0) \"mixed\")");
    /* Parts without content, without header, of which only the boundary is there. */
    structure_is("Content-Type: multipart/mixed; boundary=x\n\n--x\n--x\n\n--x\n\n\n--x--", false,
                 "((" PLAIN_TYPE "0 0)(" PLAIN_TYPE "0 0)(" PLAIN_TYPE "0 0) \"mixed\")");
    structure_is("Content-Type: multipart/mixed; boundary=x\n\n--x", false,
                 "((" PLAIN_TYPE "0 0) \"mixed\")");
    /* A boundary within a header. */
    structure_is("Content-Type: multipart/mixed; boundary=\":foo\"\n\n"
                 "--:foo\n--:foo\nContent-Type: text/plain\n--:foo\n"
                 "Content-Type: text/html\n--:foo--\n",
                 false,
                 "((" PLAIN_TYPE "0 0)(" PLAIN_TYPE "0 0)"
                 "(\"text\" \"html\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 0 0) \"mixed\")");
    /* The closed boundary again is the epilogue's. */
    structure_is("Content-Type: multipart/mixed; boundary=x\n\n--x\n\na\n--x--\n--x\n\nb\n", false,
                 "((" PLAIN_TYPE "1 0) \"mixed\")");
    /* The body as a section: in the message itself, and of a part. */
    struct str m = STR("Content-Type: multipart/mixed; boundary=x\n\n"
                       "--x\nContent-Type: multipart/mixed; boundary=y\n\nbody\n--x--\n");
    const struct mime_part *root = mime_parse(a, m, NULL, false);
    assert_ptr_equal(find(root, "1.1"), find(root, "1"));
    assert_null(find(root, "1.2"));
    assert_null(find(root, "1.1.1"));
    root = mime_parse(a, STR("Content-Type: multipart/mixed\n\nbody\n"), NULL, false);
    assert_ptr_equal(find(root, "1"), root);
    assert_null(find(root, "1.1"));
}

static void test_boundary_clashes(void **state)
{
    (void)state;
    /* The inner boundary is the beginning of the outer one: the longer counts. */
    structure_is("Content-Type: multipart/mixed; boundary=ab\n\n"
                 "--ab\nContent-Type: multipart/mixed; boundary=a\n\n"
                 "--ab\nContent-Type: text/plain\n\n--a\n\n",
                 false, "(((" PLAIN_TYPE "0 0) \"mixed\")(" PLAIN_TYPE "7 2) \"mixed\")");
    structure_is("Content-Type: multipart/mixed; boundary=a\n\n"
                 "--a\nContent-Type: multipart/mixed; boundary=ab\n\n"
                 "--ab\n\none\n--ab--\n--a\n\ntwo\n--a--\n",
                 false, "(((" PLAIN_TYPE "3 0) \"mixed\")(" PLAIN_TYPE "3 0) \"mixed\")");
    /* The same one twice: the inner multipart's. */
    structure_is("Content-Type: multipart/mixed; boundary=a\n\n"
                 "--a\nContent-Type: multipart/mixed; boundary=a\n\n"
                 "--a\nContent-Type: text/plain\n\nbody\n",
                 false, "(((" PLAIN_TYPE "6 1) \"mixed\") \"mixed\")");
    /* The outer boundary closes an inner multipart that was left open. */
    structure_is("Content-Type: multipart/mixed; boundary=out\n\n"
                 "--out\nContent-Type: multipart/alternative; boundary=in\n\n"
                 "--in\n\none\n\n--out\nContent-Type: image/png\n\ntwo\n--out--\n",
                 false,
                 "(((" PLAIN_TYPE "5 1) \"alternative\")"
                 "(\"image\" \"png\" NIL NIL NIL \"7bit\" 3) \"mixed\")");
    /* Not at the start of a line, too short, only hyphens. */
    structure_is("Content-Type: multipart/mixed; boundary=out\n\n"
                 "--out\n\n --out\nx--out\n--ou\n--\n---\n--out--",
                 false, "((" PLAIN_TYPE "29 4) \"mixed\")");
}

static void test_line_ends(void **state)
{
    (void)state;
    struct str mixed = STR("Content-Type: multipart/mixed; boundary=x\r\n\n"
                           "--x\n\r\none\r\ntwo\n\r\n--x\r\n\nthree\r\r\n--x--\n");
    structure_of(mixed, false, "((" PLAIN_TYPE "10 2)(" PLAIN_TYPE "6 0) \"mixed\")");
    section_is(mixed, "1", "\r\n", "one\r\ntwo\n");
    section_is(mixed, "2", "\n", "three\r");

    struct str nul = str_from("A: b\0c\n\n\0\nx\0", 13);
    structure_of(nul, false, "(" PLAIN_TYPE "6 1)");
    structure_of(str_from("Content-Type: a/b; c=\"d\0e\"\n\n", 28), false,
                 "(\"a\" \"b\" (\"c\" {3}\r\nd\x80"
                 "e) NIL NIL \"7bit\" 0)");

    struct buf out = BUF_EMPTY;
    mime_add_crlf(&out, STR("\na\n\r\nb\r\n\n"), '\r');
    assert_string_equal(buf_c(&out), "\na\r\n\r\nb\r\n\r\n");
    buf_clear(&out);
    mime_add_crlf(&out, STR("\n"), 'x');
    mime_add_crlf(&out, STR(""), 'x');
    mime_add_crlf(&out, STR("end"), 'x');
    assert_string_equal(buf_c(&out), "\r\nend");
    buf_free(&out);
}

/* Of bytes with any number of line ends, in any pieces. */
static void test_line_ends_of_anything(void **state)
{
    (void)state;
    uint32_t seed = 1;
    for (unsigned sparse = 1; sparse < 200; sparse = sparse * 2 + 1) {
        struct buf stored = BUF_EMPTY, expected = BUF_EMPTY, out = BUF_EMPTY;
        for (size_t i = 0; i < 3000; i++) {
            seed = seed * 1103515245 + 12345;
            unsigned kind = (seed >> 16) % (sparse + 1);
            char c = kind == 0 ? '\n' : kind == 1 && seed >> 30 ? '\r' : (char)(seed >> 24);
            if (c == '\n' && !(stored.n && stored.p[stored.n - 1] == '\r'))
                buf_add_char(&expected, '\r');
            buf_add_char(&expected, c);
            buf_add_char(&stored, c);
        }
        for (size_t at = 0, n; at < stored.n; at += n) {
            seed = seed * 1103515245 + 12345;
            n = (seed >> 16) % 700;
            n = n < stored.n - at ? n : stored.n - at;
            struct str piece = str_from(stored.p + at, n);
            char previous = at ? stored.p[at - 1] : 0;
            size_t before = out.n;
            mime_add_crlf(&out, piece, previous);
            assert_int_equal(out.n - before, mime_crlf_size(piece, previous));
        }
        assert_int_equal(out.n, expected.n);
        assert_memory_equal(out.p, expected.p, out.n);
        buf_free(&stored);
        buf_free(&expected);
        buf_free(&out);
    }
}

static void test_sizes(void **state)
{
    (void)state;
    struct str m = str_from_c(nested);
    const struct mime_part *root = mime_parse(a, m, NULL, true);
    struct buf crlf = BUF_EMPTY;
    mime_add_crlf(&crlf, m, 0);
    assert_int_equal(root->body_end + root->header_lf + root->body_lf, crlf.n);
    assert_int_equal(root->body_end, m.n);
    assert_int_equal(root->header_lf, 6);
    buf_free(&crlf);
}

static void test_limits(void **state)
{
    (void)state;
    struct mime_limits few = {2, 4, 1000};
    struct str m = STR("Content-Type: multipart/mixed; boundary=a\n\n"
                       "--a\nContent-Type: multipart/mixed; boundary=b\n\n"
                       "--b\nContent-Type: multipart/mixed; boundary=c\n\n"
                       "--c\n\nx\n--c--\n--b--\n"
                       "--a\n\none\n--a\n\ntwo\n--a--\n");
    struct buf out = BUF_EMPTY;
    mime_write_bodystructure(&out, mime_parse(a, m, &few, false), m, false);
    assert_string_equal(buf_c(&out),
                        "(((" PLAIN_TYPE "15 3) \"mixed\")(" PLAIN_TYPE "15 3) \"mixed\")");
    buf_clear(&out);
    struct mime_limits short_header = {10, 10, 10};
    m = STR("A: 12345\nContent-Type: text/html\n\nx");
    mime_write_bodystructure(&out, mime_parse(a, m, &short_header, false), m, false);
    assert_string_equal(buf_c(&out), "(" PLAIN_TYPE "1 0)");
    buf_free(&out);
}

/* Messages built to take long: each has to be through in an instant (the test has a time limit). */
static void repeat(struct buf *b, const char *piece, size_t times)
{
    for (size_t i = 0; i < times; i++)
        buf_add_c(b, piece);
}

static void survives(struct buf *message)
{
    struct arena *own = arena_new();
    struct buf out = BUF_EMPTY;
    const struct mime_part *root = mime_parse(own, buf_str(message), NULL, false);
    mime_write_bodystructure(&out, root, buf_str(message), true);
    assert_true(out.n > 0 && out.n < 20000000);
    assert_true(arena_size(own) < 30000000);
    buf_free(&out);
    arena_free(own);
    buf_free(message);
}

static void test_hostile(void **state)
{
    (void)state;
    struct buf m = BUF_EMPTY;
    for (int i = 0; i < 10000; i++)
        buf_printf(&m, "Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n", i, i);
    survives(&m);
    repeat(&m, "Content-Type: message/rfc822\n\n", 100000);
    survives(&m);
    buf_add_c(&m, "Content-Type: multipart/digest; boundary=b\n\n");
    repeat(&m, "--b\n", 1000000);
    survives(&m);
    buf_add_c(&m, "Content-Type: multipart/digest; boundary=b\n\n");
    repeat(&m, "--b\n\n", 1000000);
    survives(&m);
    buf_add_c(&m, "Content-Type: a/b");
    repeat(&m, "; a*0*=b", 200000);
    survives(&m);
    buf_add_c(&m, "Content-Type: a/b");
    repeat(&m, "; a=\"", 200000);
    survives(&m);
    buf_add_c(&m, "Content-Type: a/b; ");
    repeat(&m, "(", 1000000);
    survives(&m);
    repeat(&m, "Content-Type: text/plain\n", 100000);
    survives(&m);
    for (int i = 0; i < 99; i++)
        buf_printf(&m, "Content-Type: multipart/mixed; boundary=---\n\n-----\n");
    repeat(&m, "--\n", 1000000);
    survives(&m);
    repeat(&m, "Subject: x\n ", 100000);
    survives(&m);
    repeat(&m, "\n", 1000000);
    survives(&m);
    repeat(&m, "\r", 1000000);
    survives(&m);
    for (int i = 0; i < 90; i++) {
        buf_add_c(&m, "Content-Type: message/rfc822\n");
        repeat(&m, "From:a\n", 30000);
        buf_add_c(&m, "\n");
    }
    survives(&m);
}

static void decoded(const char *encoding, const char *body, const char *expected)
{
    struct buf out = BUF_EMPTY;
    mime_decode_body(&out, str_from_c(encoding), str_from_c(body));
    assert_string_equal(buf_c(&out), expected);
    buf_free(&out);
}

static void test_decode(void **state)
{
    (void)state;
    decoded("7bit", "a=20b\n", "a=20b\n");
    decoded("BASE64", "aGVs\nbG8g\r\nd29ybGQ=\n", "hello world");
    decoded("base64", "aGVsbG8gd29ybGQ", "hello world");
    decoded("base64", "aGk=aGk=", "hihi");
    decoded("base64", "a!G\xffk=", "hi");
    decoded("base64", "a", "");
    decoded("base64", "====", "");
    decoded("base64", "", "");
    decoded("base64", "YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXo", "abcdefghijklmnopqrstuvwxyz");
    decoded("quoted-printable", "J=C3=B6rg=\n x  \r\ny=3d\n", "J\xc3\xb6rg x\r\ny=\n");
    decoded("Quoted-Printable ", "100%=zz=4=", "100%=zz=4");
    decoded("quoted-printable", "a= \n b =\r\nc", "a b c");
    decoded("quoted-printable", "=", "");
    decoded("quoted-printable", "", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_parameters_2231),
        cmocka_unit_test(test_nested),
        cmocka_unit_test(test_message_in_message),
        cmocka_unit_test(test_digest),
        cmocka_unit_test(test_broken_multiparts),
        cmocka_unit_test(test_boundary_clashes),
        cmocka_unit_test(test_line_ends),
        cmocka_unit_test(test_line_ends_of_anything),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_decode),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
