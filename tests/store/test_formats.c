/*
 * What stands on disk: names of files and folders, the UID list, keywords, subscriptions, UIDs in
 * records. Samples as Dovecot writes them.
 */
#include "store_helper.h"

#include "store/folder_name.h"
#include "store/keywords.h"
#include "store/maildir_name.h"
#include "store/record.h"
#include "store/subscriptions.h"
#include "store/uidlist.h"

static const struct folder_naming naming;

static void test_file_names(void **state)
{
    (void)state;
    struct str base, info;
    uint64_t size;
    uint8_t flags;
    uint32_t keywords;
    char out[MAILDIR_INFO_MAX];

    maildir_name_split(STR("1417710800.M5P2.host,S=4521,W=4632:2,RSab"), &base, &info);
    assert_true(str_equal(base, STR("1417710800.M5P2.host,S=4521,W=4632")));
    assert_true(maildir_name_get_size(base, 'S', &size));
    assert_int_equal(size, 4521);
    assert_true(maildir_name_get_size(base, 'W', &size));
    assert_int_equal(size, 4632);
    assert_true(maildir_info_parse(info, &flags, &keywords));
    assert_int_equal(flags, MESSAGE_ANSWERED | MESSAGE_SEEN);
    assert_int_equal(keywords, 3);
    size_t n = maildir_info_format(out, flags, keywords);
    assert_true(str_equal(str_from(out, n), STR(":2,RSab")));

    assert_false(maildir_name_get_size(STR("1.x.host,S=12x"), 'S', &size));
    assert_false(maildir_name_get_size(STR("1.x.host"), 'S', &size));
    assert_false(maildir_info_parse(STR(":2,SR"), &flags, &keywords));
    assert_int_equal(flags, MESSAGE_ANSWERED | MESSAGE_SEEN);
    assert_false(maildir_info_parse(STR(""), &flags, &keywords));
    assert_false(maildir_info_parse(STR(":2,PS,more"), &flags, &keywords));
    assert_int_equal(flags, MESSAGE_SEEN);

    struct buf b = BUF_EMPTY;
    maildir_info_merge(&b, STR(":2,PS,more"), MESSAGE_FLAGGED | MESSAGE_DELETED, 4);
    assert_string_equal(buf_c(&b), ":2,FPTc,more");
    buf_clear(&b);
    maildir_name_make(&b, 1700000000000042, 99, 'Q', 7, "mx", 10, 12);
    assert_true(str_starts_with(buf_str(&b), STR("1700000000.M42P99Q7.mx")));
    assert_true(str_ends_with_nocase(buf_str(&b), STR("Q7.mx,S=10,W=12")));
    assert_true(maildir_name_is_ours(buf_str(&b)));
    assert_false(maildir_name_is_ours(STR("1417710800.M5P2.host,S=4521")));
    buf_clear(&b);
    maildir_name_add_host(&b, "a/b:c");
    assert_string_equal(buf_c(&b), "a\\057b\\072c");
    buf_free(&b);
    /* As numbers, not as text. */
    assert_true(maildir_name_compare(STR("999.M1.x"), STR("1000.M0.x")) < 0);
    assert_true(maildir_name_compare(STR("1000.M9P1.x"), STR("1000.M10P1.x")) < 0);
    assert_true(maildir_name_compare(STR("1000.M9P1.a"), STR("1000.M9P1.b")) < 0);
}

static void folder(const char *name, const char *dir)
{
    struct buf b = BUF_EMPTY;
    folder_name_add_dir(&b, &naming, str_from_c(name));
    assert_string_equal(buf_c(&b), dir);
    buf_clear(&b);
    assert_true(folder_name_add_decoded(&b, &naming, str_from_c(dir)));
    assert_string_equal(buf_c(&b), name);
    buf_free(&b);
}

static void checked(const char *name, enum err_kind kind, const char *canonical)
{
    struct buf b = BUF_EMPTY;
    struct err e = {0};
    bool ok = folder_name_check(str_from_c(name), &b, &e);
    assert_int_equal(e.kind, kind);
    assert_int_equal(ok, kind == ERR_NONE);
    assert_string_equal(buf_c(&b), canonical);
    buf_free(&b);
}

static void test_folder_names(void **state)
{
    (void)state;
    folder("Sent", ".Sent");
    folder("A/B/C", ".A.B.C");
    folder("a.b/c", ".a\\2eb.c");
    folder("~x/~y", ".\\7ex.\\7ey");
    folder("x~", ".x~");
    folder("back\\slash", ".back\\5cslash");
    folder("Entw\xc3\xbcrfe & mehr", ".Entw&APw-rfe &- mehr");
    folder("INBOX/x", ".INBOX.x");
    folder("other\\2fsep", ".other\\2fsep");
    static const char *const no_folder[] = {".", "..", "cur", ".a..b", ".a.", ".&", ".\xc3\xbc"};
    for (size_t i = 0; i < sizeof(no_folder) / sizeof(*no_folder); i++) {
        struct buf b = BUF_EMPTY;
        assert_false(folder_name_add_decoded(&b, &naming, str_from_c(no_folder[i])));
        assert_int_equal(b.n, 0);
        buf_free(&b);
    }
    checked("inbox", ERR_NONE, "INBOX");
    checked("iNbOx/a", ERR_NONE, "INBOX/a");
    checked("Inboxes", ERR_NONE, "Inboxes");
    checked("", ERR_SYNTAX, "");
    checked("a//b", ERR_SYNTAX, "");
    checked("/a", ERR_SYNTAX, "");
    checked("a/", ERR_SYNTAX, "");
    checked("a/../b", ERR_SYNTAX, "");
    checked("a\nb", ERR_SYNTAX, "");
    checked("\xff", ERR_SYNTAX, "");
    char longer[300];
    memset(longer, 'x', 255);
    longer[255] = '\0';
    checked(longer, ERR_LIMIT, "");
    longer[254] = '\0';
    checked(longer, ERR_NONE, longer);
    assert_true(folder_name_compare(STR("INBOX"), STR("A")) < 0);
    assert_true(folder_name_compare(STR("A/b"), STR("A b")) < 0);
    assert_true(folder_name_compare(STR("A"), STR("A/b")) < 0);
    assert_true(folder_name_is_below(STR("A/b"), STR("A")));
    assert_false(folder_name_is_below(STR("Ab"), STR("A")));
}

static void test_uidlist(void **state)
{
    (void)state;
    struct uidlist_header h;
    struct uidlist_line line;
    bool damaged;
    struct str text = STR("3 V1275660208 N25022 G3085f01b7f11094c501100008c4a11c1 Pold X1\n"
                          "25006 :1276528487.M364837P9451.kurkku,S=1355,W=1394:2,\n"
                          "25017 W2481 S2000 P12.3 O7 :1276533073.M242911P3632.kurkku\n");
    assert_true(uidlist_read_header(&text, &h));
    assert_int_equal(h.validity, 1275660208);
    assert_int_equal(h.next, 25022);
    assert_true(h.has_guid);
    assert_true(str_equal(h.extra, STR("Pold X1")));
    assert_true(uidlist_read_line(&text, 0, &line, &damaged));
    assert_int_equal(line.uid, 25006);
    assert_true(str_equal(line.base, STR("1276528487.M364837P9451.kurkku,S=1355,W=1394")));
    assert_false(line.has_size);
    assert_true(uidlist_read_line(&text, 25006, &line, &damaged));
    assert_int_equal(line.size_crlf, 2481);
    assert_int_equal(line.size, 2000);
    assert_true(str_equal(line.extra, STR("P12.3 O7")));
    assert_true(str_equal(line.base, STR("1276533073.M242911P3632.kurkku")));
    struct buf b = BUF_EMPTY;
    uidlist_add_header(&b, &h);
    uidlist_add_line(&b, &line);
    assert_string_equal(buf_c(&b),
                        "3 V1275660208 N25022 G3085f01b7f11094c501100008c4a11c1 Pold X1\n"
                        "25017 S2000 W2481 P12.3 O7 :1276533073.M242911P3632.kurkku\n");
    buf_free(&b);
    assert_false(uidlist_read_line(&text, 25017, &line, &damaged));
    assert_false(damaged);

    text = STR("1 1275660208 12\n3 name.a\n5 name.b:2,S\n");
    assert_true(uidlist_read_header(&text, &h));
    assert_int_equal(h.next, 12);
    assert_false(h.has_guid);
    assert_true(uidlist_read_line(&text, 0, &line, &damaged));
    assert_true(str_equal(line.base, STR("name.a")));
    assert_true(uidlist_read_line(&text, 3, &line, &damaged));
    assert_true(str_equal(line.base, STR("name.b")));

    static const char *const bad_lines[] = {"5 :a\n",          "7\n", "x :a\n", "7 :a/b\n", "7 :\n",
                                            "4294967295 :a\n", "7 :a"};
    for (size_t i = 0; i < sizeof(bad_lines) / sizeof(*bad_lines); i++) {
        text = str_from_c(bad_lines[i]);
        assert_false(uidlist_read_line(&text, 5, &line, &damaged));
        assert_true(damaged);
        assert_int_equal(text.n, 0);
    }
    static const char *const bad_headers[] = {"", "2 V1 N1\n", "3 N1\n", "3 Vx\n", "3 V1 N2"};
    for (size_t i = 0; i < sizeof(bad_headers) / sizeof(*bad_headers); i++) {
        text = str_from_c(bad_headers[i]);
        assert_false(uidlist_read_header(&text, &h));
    }
}

static void test_keywords(void **state)
{
    (void)state;
    struct keyword_table k = {0};
    keywords_parse(&k, STR("0 $Label1\n2 NonJunk\n30 x\nbad\n3 two words\n2 again\n"));
    assert_int_equal(k.count, 3);
    assert_int_equal(keywords_find(&k, STR("nonjunk")), 2);
    assert_int_equal(keywords_add(&k, STR("NONJUNK")), 2);
    assert_int_equal(keywords_add(&k, STR("new")), 1);
    assert_int_equal(keywords_add(&k, STR("a b")), -1);
    assert_true(keywords_name_used(&k, 1u << 5));
    struct buf b = BUF_EMPTY;
    keywords_format(&k, &b);
    assert_string_equal(buf_c(&b), "0 $Label1\n1 new\n2 NonJunk\n5 unknown-5\n");
    buf_free(&b);
    for (int i = 0; i < KEYWORDS_MAX - 4; i++) {
        char name[20];
        snprintf(name, sizeof(name), "k%d", i);
        assert_true(keywords_add(&k, str_from_c(name)) >= 0);
    }
    assert_int_equal(keywords_add(&k, STR("full")), -1);
    keywords_free(&k);
}

static void test_subscriptions(void **state)
{
    (void)state;
    char *dir = make_directory(), *path = path_in(dir, "subscriptions");
    struct arena *a = arena_new();
    struct str *names;
    size_t count;
    struct err e;

    assert_true(subscriptions_read(dir, &naming, a, &names, &count, &e));
    assert_int_equal(count, 0);
    write_test_file(path, STR("INBOX\nA.B\nEntw&APw-rfe\n&bad\n"));
    assert_true(subscriptions_read(dir, &naming, a, &names, &count, &e));
    assert_int_equal(count, 3);
    assert_true(str_equal(names[1], STR("A/B")));
    assert_true(str_equal(names[2], STR("Entw\xc3\xbcrfe")));
    assert_true(subscriptions_change(dir, &naming, STR("a.b/c"), true, &e));
    assert_true(subscriptions_change(dir, &naming, STR("INBOX"), false, &e));
    assert_true(subscriptions_change(dir, &naming, STR("A/B"), true, &e));
    struct buf b = BUF_EMPTY;
    assert_true(disk_read_file(path, 1000, &b, &e));
    assert_string_equal(buf_c(&b), "V\t2\n\nA\tB\nEntw&APw-rfe\n&bad\na\\2eb\tc\n");
    buf_free(&b);
    assert_true(subscriptions_read(dir, &naming, a, &names, &count, &e));
    assert_int_equal(count, 3);
    assert_true(str_equal(names[2], STR("a.b/c")));
    arena_free(a);
    free(path);
    remove_directory(dir);
}

static void test_record_uids(void **state)
{
    (void)state;
    const uint32_t uids[] = {1, 2, 3, 7, 200, 201, 100000, 4294967290u};
    struct arena *a = arena_new();
    struct buf b = BUF_EMPTY;
    size_t count;

    record_add_uids(&b, uids, 8);
    struct reader r = {.p = b.p, .n = b.n};
    uint32_t *read = record_read_uids(&r, a, &count);
    assert_false(r.bad);
    assert_int_equal(r.n, 0);
    assert_int_equal(count, 8);
    assert_memory_equal(read, uids, sizeof(uids));
    for (size_t n = 0; n < b.n; n++) {
        r = (struct reader){.p = b.p, .n = n};
        record_read_uids(&r, a, &count);
        assert_true(r.bad);
    }
    buf_free(&b);
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_file_names),    cmocka_unit_test(test_folder_names),
        cmocka_unit_test(test_uidlist),       cmocka_unit_test(test_keywords),
        cmocka_unit_test(test_subscriptions), cmocka_unit_test(test_record_uids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
