/*
 * Summaries: what is in them, what identifies messages and threads, previews, and the form in which
 * they lie in the file: every byte that is wrong is noticed.
 */
#include "core/disk.h"
#include "core/helper.h"
#include "core/mem.h"
#include "store/summary_check.h"
#include "store/summary_file.h"

#define NESTED                                                                                     \
    "From: a@example.test\nSubject: nested\nX-Not-Kept: 1\nReferences: <root@x> <b@x>\n"           \
    "Date: Sat, 21 Nov 2026 10:00:00 -0300\nMessage-ID: <c@x>\nMIME-Version: 1.0\n"                \
    "Content-Type: multipart/mixed; boundary=b\n\npreamble\n"                                      \
    "--b\nContent-Type: text/plain\nContent-Transfer-Encoding: x-odd\n\none\n"                     \
    "--b\nContent-Type: message/rfc822\n\nSubject: inner\nContent-Type: multipart/alternative; "   \
    "boundary=c\n\n--c\n\ntext\n--c\nContent-Type: text/html\nContent-Transfer-Encoding: "         \
    "base64\n\nPGI+\n--c--\n--b\nContent-Type: multipart/mixed\n\nno boundary\n--b--\n"

static struct message_summary summary_of(struct arena *a, const char *text)
{
    struct message_summary s;
    summary_build(a, str_from_c(text), strlen(text), &s);
    summary_check(&s, str_from_c(text));
    return s;
}

static void expect(struct str s, const char *text)
{
    if (!str_equal(s, str_from_c(text)))
        fail_msg("\"%.*s\" is not \"%s\"", STR_ARG(s), text);
}

static void test_build(void **state)
{
    (void)state;
    struct arena *a = arena_new();
    struct message_summary s = summary_of(a, NESTED);
    expect(s.header, "From: a@example.test\nSubject: nested\nReferences: <root@x> <b@x>\n"
                     "Date: Sat, 21 Nov 2026 10:00:00 -0300\nMessage-ID: <c@x>\nMIME-Version: 1.0\n"
                     "Content-Type: multipart/mixed; boundary=b\n");
    assert_int_equal(s.sent, 1795266000);
    assert_int_equal(s.sent_zone, -180);
    expect(s.preview, "one");
    s = summary_of(a, "");
    assert_int_equal(s.sent, INT64_MIN);
    assert_int_equal(s.header_size, 0);
    expect(s.preview, "");
    s = summary_of(a, "no header at all, and no line end");
    s = summary_of(a, "Subject: header only");
    expect(s.header, "Subject: header only");
    s = summary_of(a, "\r\r\nSubject: behind it\r\n");
    assert_int_equal(s.header_size, 3);
    s = summary_of(a, "Subject: a\r\n b\r\nTo: x\r\n\r\nbody");
    expect(s.header, "Subject: a\r\n b\r\nTo: x\r\n");
    arena_free(a);
}

/* These never change: clients keep them. */
static void test_identifiers(void **state)
{
    (void)state;
    struct arena *a = arena_new();
    struct buf hex = BUF_EMPTY;
    struct message_summary s = summary_of(a, "Message-ID: <1@example.test>\n\nbody\n"), t;
    buf_add_hex(&hex, str_from((char *)s.hash, SUMMARY_HASH_SIZE));
    buf_add_char(&hex, ' ');
    buf_add_hex(&hex, str_from((char *)s.thread, SUMMARY_HASH_SIZE));
    assert_string_equal(buf_c(&hex), "95db6ac3dcbf54533e02460d7fb88bd550cabdcc "
                                     "0207e1dc1cbe67160d4609ba1315720a17b32835");
    t = summary_of(a, "Message-ID: <2@example.test>\nIn-Reply-To: <1@example.test>\n\nx\n");
    assert_memory_equal(s.thread, t.thread, SUMMARY_HASH_SIZE);
    t = summary_of(a, "Message-ID: <3@example.test>\nIn-Reply-To: <2@example.test>\n"
                      "References: (first)\n < 1@example.test > <2@example.test>\n\nx\n");
    assert_memory_equal(s.thread, t.thread, SUMMARY_HASH_SIZE);
    t = summary_of(a, "Subject: alone\n\nx\n");
    assert_memory_equal(t.hash, t.thread, SUMMARY_HASH_SIZE);
    /* The size counts as well: of a very large message only the beginning is looked at. */
    summary_build(a, STR("x\n"), 3, &s);
    summary_build(a, STR("x\n"), 2, &t);
    assert_memory_not_equal(s.hash, t.hash, SUMMARY_HASH_SIZE);
    buf_free(&hex);
    arena_free(a);
}

static void test_preview(void **state)
{
    (void)state;
    static const struct {
        const char *message, *preview;
    } cases[] = {
        {"\n  Hello,\n\n\tworld \n> quoted\nend\n", "Hello, world end"},
        {"Content-Type: text/html\n\n<html><head><title>no</title><style>p {}</style></head>"
         "<body><!-- <p>no</p> --><p>Gr&uuml;&szlig;e&nbsp;&amp; <b>b</b>old&#8217;s</p><p>2 &lt; 3"
         "</p>a &unknown; & b <3</body>",
         "Gr\u00fc\u00dfe & bold\u2019s 2 < 3 a &unknown; & b <3"},
        {"Content-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: "
         "quoted-printable\n\ngr=FC=\n=DFe\n",
         "gr\u00fc\u00dfe"},
        {"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: image/png\n\nx\n--b\n"
         "Content-Type: text/plain\nContent-Disposition: attachment\n\nno\n--b\n\nyes\n--b--\n",
         "yes"},
        {"Content-Type: image/png\n\nx\n", ""},
        {"Content-Type: text/html\n\n<style>unclosed", ""},
        {"Content-Type: text/html\n\n<a href='unclosed", ""},
        {"\n\xe2\x80\x8b\xef\xbb\xbf z\xe2\x80\x8cw\n", "zw"},
    };
    struct arena *a = arena_new();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        expect(summary_of(a, cases[i].message).preview, cases[i].preview);
    struct buf text = BUF_EMPTY;
    buf_add_c(&text, "Content-Type: text/html\n\n<style>");
    for (int i = 0; i < 20000; i++)
        buf_add_c(&text, "x ");
    buf_add_c(&text, "</style>");
    for (int i = 0; i < 300; i++)
        buf_add_c(&text, "\u00e4");
    struct str preview = summary_of(a, buf_c(&text)).preview;
    assert_int_equal(preview.n, 400);
    buf_free(&text);
    arena_free(a);
}

/* --- the file --- */

static const struct summary_identity identity = {.guid = {1, 2, 3}, .uid_validity = 77};
static const char *const messages[] = {NESTED, "Subject: second\n\nx\n", "", "\n"};
enum { MESSAGES = sizeof(messages) / sizeof(messages[0]) };

static void make_entries(struct arena *a, struct summary_entry entries[MESSAGES])
{
    for (uint32_t i = 0; i < MESSAGES; i++)
        entries[i] = (struct summary_entry){
            .uid = 10 + i,
            .size = strlen(messages[i]),
            .record = summary_record_of(a, str_from_c(messages[i]), strlen(messages[i]))};
}

static void free_entries(struct summary_entry entries[MESSAGES])
{
    for (size_t i = 0; i < MESSAGES; i++)
        summary_record_unref(entries[i].record);
}

static struct str column(const struct summary_block *b, struct str bytes, unsigned f)
{
    return str_from(bytes.p + b->columns[f].offset, b->columns[f].length);
}

/* Everything in the bytes is as it was written. */
static bool block_is_right(struct str bytes, const struct summary_entry *entries)
{
    struct summary_block b;
    if (!summary_block_parse(bytes, 64, &b))
        return false;
    assert_int_equal(b.count, MESSAGES);
    for (unsigned f = 0; f < SUMMARY_FIELDS; f++) {
        if (b.columns[f].offset + b.columns[f].length > bytes.n ||
            !summary_column_check(&b, f, column(&b, bytes, f)))
            return false;
    }
    for (uint32_t i = 0; i < MESSAGES; i++) {
        assert_int_equal(b.uids[i], entries[i].uid);
        assert_int_equal(b.sizes[i], entries[i].size);
        for (unsigned f = 0; f < SUMMARY_FIELDS; f++)
            assert_true(str_equal(summary_column_get(&b, column(&b, bytes, f), i),
                                  entries[i].record->fields[f]));
    }
    return true;
}

static void test_every_wrong_byte(void **state)
{
    (void)state;
    struct arena *a = arena_new();
    struct summary_entry entries[MESSAGES];
    struct buf b = BUF_EMPTY;
    make_entries(a, entries);
    summary_block_format(&b, entries, MESSAGES);
    assert_int_equal(b.n % 8, 0);
    assert_true(block_is_right(buf_str(&b), entries));
    size_t unseen = 0;
    for (size_t i = 0; i < b.n; i++) {
        for (int bit = 1; bit < 256; bit *= 16) {
            b.p[i] = (char)(b.p[i] ^ bit);
            unseen += block_is_right(buf_str(&b), entries);
            b.p[i] = (char)(b.p[i] ^ bit);
        }
    }
    assert_in_range(unseen, 0, 2 * 7); /* the zeros at the end */
    for (size_t n = 0; n + 8 <= b.n; n++) {
        /* In memory of its own, so that reading behind it is noticed. */
        char *cut = mem_dup(b.p, n);
        assert_false(block_is_right(str_from(cut, n), entries));
        free(cut);
    }
    free_entries(entries);
    buf_free(&b);
    arena_free(a);
}

static void test_identity(void **state)
{
    (void)state;
    struct summary_identity other = identity;
    struct buf b = BUF_EMPTY;
    summary_file_header(&b, &identity);
    assert_int_equal(b.n, SUMMARY_FILE_HEADER);
    assert_true(summary_file_is(buf_str(&b), &identity));
    other.uid_validity++;
    assert_false(summary_file_is(buf_str(&b), &other));
    other = identity;
    other.guid[15] = 1;
    assert_false(summary_file_is(buf_str(&b), &other));
    for (size_t i = 0; i < b.n; i++) {
        b.p[i] ^= 4;
        assert_false(summary_file_is(buf_str(&b), &identity));
        b.p[i] ^= 4;
    }
    assert_false(summary_file_is(str_head(buf_str(&b), 63), &identity));
    buf_free(&b);
}

/* Appended, loaded, cut at any length, loaded again. */
static void test_cut_anywhere(void **state)
{
    (void)state;
    char *dir = make_directory(), *path = path_in(dir, SUMMARY_FILE_NAME);
    struct arena *a = arena_new();
    struct summary_entry entries[MESSAGES];
    struct summary_blocks blocks;
    struct err e;
    uint64_t end = 0, at[3];
    int fd;
    make_entries(a, entries);
    for (size_t i = 0; i < 3; i++)
        assert_true(summary_file_append(path, &identity, entries, MESSAGES, &end, &at[i], &e));
    for (uint64_t size = end; size > 0; size -= size > 40 ? 37 : size) {
        assert_true(disk_open(path, O_WRONLY, 0, &fd, &e));
        assert_true(disk_truncate(fd, size, path, &e));
        disk_close(fd);
        summary_file_load(path, &identity, &blocks);
        /* A block whose header is whole counts; what its columns lack shows when they are read. */
        assert_true(blocks.count <= 3 && blocks.end <= end);
        for (size_t i = 0; i < blocks.count; i++)
            assert_int_equal(blocks.list[i].at, at[i]);
        summary_blocks_free(&blocks);
    }
    free_entries(entries);
    arena_free(a);
    free(path);
    remove_directory(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_build),    cmocka_unit_test(test_identifiers),
        cmocka_unit_test(test_preview),  cmocka_unit_test(test_every_wrong_byte),
        cmocka_unit_test(test_identity), cmocka_unit_test(test_cut_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
