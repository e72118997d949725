/*
 * The parser: what a client writes becomes the tree it meant, and what is malformed is refused with
 * the place where it went wrong.
 */
#include "imap/parser.h"

#include "core/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void write_list(struct buf *out, const struct imap_argument *first);

static void write_argument(struct buf *out, const struct imap_argument *a)
{
    switch (a->type) {
    case IMAP_ATOM:
        buf_add_str(out, a->text);
        if (a->has_section) {
            buf_add_char(out, '[');
            write_list(out, a->children);
            buf_add_char(out, ']');
            if (a->partial.p)
                buf_printf(out, "<%.*s>", STR_ARG(a->partial));
        }
        break;
    case IMAP_QUOTED:
        buf_printf(out, "'%.*s'", STR_ARG(a->text));
        break;
    case IMAP_LITERAL:
        buf_printf(out, "{%.*s}", STR_ARG(a->text));
        break;
    case IMAP_LIST:
        buf_add_char(out, '(');
        write_list(out, a->children);
        buf_add_char(out, ')');
        break;
    }
}

static void write_list(struct buf *out, const struct imap_argument *first)
{
    for (const struct imap_argument *a = first; a; a = a->next) {
        write_argument(out, a);
        if (a->next)
            buf_add_char(out, '|');
    }
}

/* Lines and literals in turn: line, literal, line ... */
static const char *parse_pieces(struct arena *arena, const char *const *pieces, bool sections)
{
    struct imap_parser p;
    imap_parser_init(&p, arena, (struct imap_parser_limits){50, 8});
    p.sections = sections;
    imap_parser_line(&p, str_from_c(*pieces++));
    struct str tag, name;
    if (!imap_parser_tag(&p, &tag) || !imap_parser_name(&p, &name))
        return p.error.p;
    enum imap_parse r;
    while ((r = imap_parser_arguments(&p)) == IMAP_PARSE_LITERAL) {
        assert_int_equal(p.literal_size, strlen(*pieces));
        imap_parser_literal(&p, str_from_c(*pieces++), NULL);
        imap_parser_line(&p, str_from_c(*pieces++));
    }
    if (r == IMAP_PARSE_BAD)
        return p.error.p;
    struct buf out = BUF_EMPTY;
    buf_printf(&out, "%.*s %.*s: ", STR_ARG(tag), STR_ARG(name));
    write_list(&out, p.arguments);
    const char *text = arena_c(arena, buf_str(&out));
    buf_free(&out);
    return text;
}

static void expect(const char *line, const char *wanted)
{
    struct arena *a = arena_new();
    assert_string_equal(parse_pieces(a, (const char *const[]){line}, false), wanted);
    arena_free(a);
}

static void expect_fetch(const char *line, const char *wanted)
{
    struct arena *a = arena_new();
    assert_string_equal(parse_pieces(a, (const char *const[]){line}, true), wanted);
    arena_free(a);
}

static void test_plain_arguments(void **state)
{
    (void)state;
    expect("a NOOP", "a NOOP: ");
    expect("a.1 LOGIN alice \"se \\\"cr\\\\et\"", "a.1 LOGIN: alice|'se \"cr\\et'");
    expect("a LIST \"\" %", "a LIST: ''|%");
    expect("a SELECT [Gmail]/All", "a SELECT: [Gmail]/All");
    expect("a STORE 1:*,7 +FLAGS.SILENT (\\Seen $Junk)",
           "a STORE: 1:*,7|+FLAGS.SILENT|(\\Seen|$Junk)");
    expect("a SEARCH OR (SEEN (NOT 1)) ()", "a SEARCH: OR|(SEEN|(NOT|1))|()");
}

static void test_spaces(void **state)
{
    (void)state;
    expect("a NOOP  ", "a NOOP: ");
    expect("a STORE 1 FLAGS (\\Seen )", "a STORE: 1|FLAGS|(\\Seen)");
    expect("a STORE  1", "Expected an argument at byte 8");
    expect(" a NOOP", "Expected a tag at byte 0");
    expect("a  NOOP", "Expected a command at byte 2");
    expect("a", "Expected a space and a command at byte 1");
    expect("", "Expected a tag at byte 0");
}

static void test_malformed(void **state)
{
    (void)state;
    expect("+ NOOP", "Expected a tag at byte 0");
    expect("a X \"abc", "Expected a closing double quote at byte 8");
    expect("a X \"abc\\", "Expected a closing double quote at byte 9");
    expect("a X (b", "Expected a space or \")\" at byte 6");
    expect("a X b)", "Expected a space or the end of the line at byte 5");
    expect("a X )", "Expected an argument at byte 4");
    expect("a X b\"c\"", "Expected a space or the end of the line at byte 5");
    expect("a X {3} b",
           "Expected a literal: {number} or {number+} at the end of the line at byte 4");
    expect("a X {-3}",
           "Expected a literal: {number} or {number+} at the end of the line at byte 4");
    expect("a X {99999999999999999999}",
           "Expected a literal: {number} or {number+} at the end of the line at byte 4");
    expect("a X \xc3\xa4", "Expected an argument at byte 4");
    expect("a X ((((((((()))))))))", "Lists nested too deeply (limit 8) at byte 12");
}

static void test_limit_of_arguments(void **state)
{
    (void)state;
    struct buf line = BUF_EMPTY;
    buf_add_c(&line, "a X");
    for (int i = 0; i < 51; i++)
        buf_add_c(&line, " b");
    expect(buf_c(&line), "Too many arguments (limit 50)");
    buf_free(&line);
}

static void test_sections(void **state)
{
    (void)state;
    expect_fetch("a FETCH 1 BODY[]", "a FETCH: 1|BODY[]");
    expect_fetch("a FETCH 1 (FLAGS BODY.PEEK[1.2.MIME]<0.100> UID)",
                 "a FETCH: 1|(FLAGS|BODY.PEEK[1.2.MIME]<0.100>|UID)");
    expect_fetch("a FETCH 1 BODY[HEADER.FIELDS (From \"To\")]",
                 "a FETCH: 1|BODY[HEADER.FIELDS|(From|'To')]");
    expect_fetch("a FETCH 1 BODY[TEXT", "Expected a space or \"]\" at byte 19");
    expect_fetch("a FETCH 1 BODY[]<0.5", "Expected \"<\" with a closing \">\" at byte 16");
    expect_fetch("a FETCH 1 BODY[A[B]]", "Expected \"]\" at byte 16");
}

static void test_literals(void **state)
{
    (void)state;
    struct arena *a = arena_new();
    assert_string_equal(
        parse_pieces(a, (const char *const[]){"a LOGIN {5}", "al ce", " {2+}", "\"x", ""}, false),
        "a LOGIN: {al ce}|{\"x}");
    assert_string_equal(
        parse_pieces(a, (const char *const[]){"a FETCH 1 BODY[HEADER.FIELDS ({2}", "To", ")]"},
                     true),
        "a FETCH: 1|BODY[HEADER.FIELDS|({To})]");
    assert_string_equal(parse_pieces(a, (const char *const[]){"a X {2}", "To", "b"}, false),
                        "Expected a space or the end of the line at byte 11");
    arena_free(a);
}

static void test_literal_header_at_end_of_any_line(void **state)
{
    (void)state;
    uint64_t size;
    bool sync;
    assert_true(imap_line_literal(STR("!! )( {12+}"), &size, &sync));
    assert_int_equal(size, 12);
    assert_false(sync);
    assert_true(imap_line_literal(STR("x {7}"), &size, &sync));
    assert_true(sync);
    assert_false(imap_line_literal(STR("x {}"), &size, &sync));
    assert_false(imap_line_literal(STR("x {+}"), &size, &sync));
    assert_false(imap_line_literal(STR("x 7}"), &size, &sync));
    assert_false(imap_line_literal(STR(""), &size, &sync));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain_arguments),
        cmocka_unit_test(test_spaces),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_limit_of_arguments),
        cmocka_unit_test(test_sections),
        cmocka_unit_test(test_literals),
        cmocka_unit_test(test_literal_header_at_end_of_any_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
