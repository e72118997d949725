/*
 * Items of FETCH: how the response names them, what has to be read for them, and whether they set
 * \Seen.
 */
#include "imap/fetch.h"
#include "imap/imap_test.h"

/* "name, name ... [summary] [file] [header] [structure] [section] [seen]", or the result when
 * malformed. */
static const char *described(struct arena *a, const char *arguments)
{
    struct imap_command *c = command_from(a, NULL, arguments, true);
    struct fetch_request r;
    struct buf out = BUF_EMPTY;
    if (fetch_take_items(c, &r)) {
        for (const struct fetch_item *item = r.items; item; item = item->next)
            buf_printf(&out, "%s%.*s", item == r.items ? "" : ", ", STR_ARG(item->name));
        buf_printf(&out, ":%s%s%s%s%s%s", r.summary ? " summary" : "", r.needs_file ? " file" : "",
                   r.needs_header ? " header" : "", r.needs_structure ? " structure" : "",
                   r.needs_section ? " section" : "", r.sets_seen ? " seen" : "");
    } else {
        buf_add_str(&out, c->text);
    }
    const char *text = arena_c(a, buf_str(&out));
    buf_free(&out);
    return text;
}

static void expect(const char *arguments, const char *wanted)
{
    struct arena *a = arena_new();
    assert_string_equal(described(a, arguments), wanted);
    arena_free(a);
}

static void test_macros_and_simple_items(void **state)
{
    (void)state;
    expect("fast", "FLAGS, INTERNALDATE, RFC822.SIZE:");
    expect("ALL", "FLAGS, INTERNALDATE, RFC822.SIZE, ENVELOPE: summary");
    expect("FULL", "FLAGS, INTERNALDATE, RFC822.SIZE, ENVELOPE, BODY: summary structure");
    expect("(uid bodystructure)", "UID, BODYSTRUCTURE: summary");
    expect("RFC822", "RFC822: section seen");
    expect("(RFC822.HEADER RFC822.TEXT)", "RFC822.HEADER, RFC822.TEXT: header section seen");
}

static void test_sections(void **state)
{
    (void)state;
    expect("BODY[]", "BODY[]: section seen");
    expect("body.peek[text]<10.20>", "BODY[TEXT]<10>: section");
    expect("BODY.PEEK[HEADER.FIELDS (From \"To\" \"x y\")]",
           "BODY[HEADER.FIELDS (From To \"x y\")]: header");
    expect("BODY.PEEK[HEADER.FIELDS (From TO cc)]", "BODY[HEADER.FIELDS (From TO cc)]: summary");
    expect("BODY.PEEK[header.fields.not (Bcc)]<0.5>", "BODY[HEADER.FIELDS.NOT (Bcc)]<0>: header");
    expect("BODY[1.2.3]", "BODY[1.2.3]: summary file seen");
    expect("BODY.PEEK[4.MIME]", "BODY[4.MIME]: summary file");
    expect("BODY.PEEK[4.1.HEADER]", "BODY[4.1.HEADER]: summary file");
}

static void test_malformed(void **state)
{
    (void)state;
    const char *section =
        "Expected a section as in BODY[1.2.HEADER.FIELDS (Subject)] or BINARY[1.2] at byte 4";
    const char *const sections[] = {"BODY[MIME]",
                                    "BODY[0]",
                                    "BODY[1.]",
                                    "BODY[1..2]",
                                    "BODY[1.FOO]",
                                    "BODY[TEXT.1]",
                                    "BODY[HEADER.]",
                                    "BODY[TEXT (From)]",
                                    "BODY[HEADER.FIELDS]",
                                    "BODY[HEADER.FIELDS From]",
                                    "BODY[HEADER.FIELDS ()]",
                                    "BODY[\"TEXT\"]",
                                    "BODY[-1]",
                                    "BODY[4294967296]"};
    for (size_t i = 0; i < sizeof sections / sizeof *sections; i++)
        expect(sections[i], section);
    expect("BODY[]<0>", "Expected a partial as in BODY[]<0.1024> at byte 4");
    expect("BODY[]<0.0>", "Expected a partial as in BODY[]<0.1024> at byte 4");
    expect("BODY[]<.5>", "Expected a partial as in BODY[]<0.1024> at byte 4");
    expect(
        "FLAGS[]",
        "Expected BODY[...], BINARY[...], each with or without .PEEK, or BINARY.SIZE[] at byte 4");
    expect("(FLAGS FOO)", "Expected an item of FETCH at byte 11");
    expect("(FLAGS ALL)", "Expected an item of FETCH at byte 11");
    expect("()", "Expected items of FETCH in the list at byte 4");
    expect("\"FLAGS\"", "Expected an item of FETCH at byte 4");
}

static void test_path_that_is_too_long(void **state)
{
    (void)state;
    struct buf line = BUF_EMPTY;
    buf_add_c(&line, "BODY[1");
    for (int i = 0; i < SECTION_DEPTH_MAX; i++)
        buf_add_c(&line, ".1");
    buf_add_c(&line, "]");
    expect(buf_c(&line),
           "Expected a section as in BODY[1.2.HEADER.FIELDS (Subject)] or BINARY[1.2] at byte 4");
    buf_free(&line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_macros_and_simple_items),
        cmocka_unit_test(test_sections),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_path_that_is_too_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
