/* Where Maildirs are, finding them, and whose they are; names of folders in other forms. */
#include "store_helper.h"

#include "store/folder_disk.h"
#include "store/folder_name.h"
#include "store/homes.h"
#include "store/layout.h"

static void test_layouts(void **state)
{
    (void)state;
    static const struct {
        const char *layout, *path;
    } cases[] = {
        {"%d/%n/Maildir", "example.test/alice/Maildir"},
        {"%u/Maildir", "alice@example.test/Maildir"},
        {"%n/Maildir", "alice/Maildir"},
        {"%d/%n", "example.test/alice"},
        {"domains/%Ld/users/%Ln/mail", "domains/example.test/users/alice/mail"},
        {"vmail/%n@%d/Maildir", "vmail/alice@example.test/Maildir"},
        {"%n.%d/x-%u/Maildir", "alice.example.test/x-alice@example.test/Maildir"},
        {"%d/%1n/%1.1n/%2.2Ln/%u", "example.test/a/l/ic/alice@example.test"},
        {"%08n/%4.03n%n", "000alice/00ealice"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct buf path = BUF_EMPTY;
        struct str layout = str_from_c(cases[i].layout);
        struct err e;
        assert_true(layout_check(layout, &e));
        assert_true(layout_add_path(&path, layout, STR("example.test/alice")));
        assert_string_equal(buf_c(&path), cases[i].path);
        buf_free(&path);
    }
    const char *wrong[] = {"",           "%d/Maildir", "/%u/Maildir", "%u//Maildir", "%",
                           "%h/Maildir", "Maildir",    "%n%",         "../%u",       "%u/%",
                           "%1n/%d",     "%999n/%n",   "%1.n/%n",     "%u/.x",       "%u/"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
        assert_false(layout_check(str_from_c(wrong[i]), NULL));
    /* Names that have no such piece, or one that is a path. */
    struct buf path = BUF_EMPTY;
    assert_false(layout_add_path(&path, STR("%5.1n/%n"), STR("example.test/alice")));
    assert_false(layout_add_path(&path, STR("%1.1n/%n"), STR("example.test/a.b")));
    assert_false(layout_add_path(&path, STR("%n"), STR("example.test/a/b")));
    assert_false(layout_add_path(&path, STR("%n"), STR("alice")));
    assert_int_equal(path.n, 0);
    buf_free(&path);
}

static void make_at(const char *root, const char *dir, const char *marker)
{
    struct buf path = BUF_EMPTY;
    struct err e;

    buf_printf(&path, "%s/%s", root, dir);
    assert_true(disk_make_dirs(buf_c(&path), 0700, &e));
    if (marker) {
        buf_add_c(&path, "/" FOLDER_MARKER);
        write_test_file(buf_c(&path), str_from_c(marker));
    }
    buf_free(&path);
}

/* Users may be called as directories of a Maildir are. */
static void test_homes(void **state)
{
    (void)state;
    char *root = make_directory();
    make_at(root, "example.test/alice/Maildir", "");
    make_at(root, "example.test/cur", "example.test/cur");
    make_at(root, "example.test/cur/.Work/cur", NULL);
    make_at(root, "b/bob@example.test/Maildir", "example.test/bob");
    make_at(root, "cur", "example.test/other");
    make_at(root, "untouched/Maildir/cur/not-below-here", "wrong");
    make_at(root, "untouched/Maildir/new", NULL);
    make_at(root, "untouched/Maildir/tmp", NULL);
    struct homes h = {.path = root};
    struct buf owners = BUF_EMPTY, path = BUF_EMPTY;
    size_t count = 0;
    bool more = true;
    while (more) {
        more = homes_next(&h, 1);
        for (size_t at = 0; at < h.found.n; at += strlen(h.found.p + at) + 1) {
            buf_clear(&path);
            buf_printf(&path, "%s/%s", root, h.found.p + at);
            assert_true(folder_disk_add_owner(&owners, buf_c(&path), root));
            buf_add_char(&owners, ' ');
            count++;
        }
    }
    homes_free(&h);
    assert_int_equal(count, 4);
    assert_true(str_find(buf_str(&owners), STR("example.test/alice ")) >= 0);
    assert_true(str_find(buf_str(&owners), STR("example.test/bob ")) >= 0);
    assert_true(str_find(buf_str(&owners), STR("example.test/cur ")) >= 0);
    assert_true(str_find(buf_str(&owners), STR("example.test/other ")) >= 0);
    buf_free(&owners);
    buf_free(&path);
    remove_directory(root);
}

/* A layout without a domain: the second account of that name is not let into the first one's mail.
 */
static void one_maildir(void *arg)
{
    static const struct account other = {
        .id = 9, .login = {"alice@example.org", 17}, .home = {"example.org/alice", 17}};
    struct fixture *f = arg;
    struct mailbox *m;
    struct err e;
    f->maildir = "mail/%1n/%n";
    fixture_open(f, f->root);
    deliver(f, &alice, "INBOX", STR(""), STR("one\n"));
    for (int i = 0; i < 2; i++) {
        assert_false(mailbox_open(f->store, &other, STR("INBOX"), &m, &e));
        assert_int_equal(e.kind, ERR_PERM);
        m = open_box(f, &alice, "INBOX");
        assert_message(m, 1, "one\n");
        mailbox_unref(m);
        fixture_close(f);
        assert_int_equal(files_in(f->root, "mail/a/alice/new", "S=4", NULL), 1);
        fixture_open(f, f->root);
    }
    fixture_close(f);
}

static void test_one_maildir(void **state)
{
    (void)state;
    with_store(one_maildir);
}

static void check_name(const struct folder_naming *naming, const char *name, const char *dir)
{
    struct buf b = BUF_EMPTY, back = BUF_EMPTY;
    folder_name_add_dir(&b, naming, str_from_c(name));
    assert_string_equal(buf_c(&b), dir);
    assert_true(folder_name_add_decoded(&back, naming, buf_str(&b)));
    assert_string_equal(buf_c(&back), name);
    buf_free(&b);
    buf_free(&back);
}

static void test_namings(void **state)
{
    (void)state;
    const struct folder_naming plain = {0}, percent = {.escape = '%'}, utf8 = {.utf8 = true};
    struct buf b = BUF_EMPTY;
    check_name(&plain, "a.b/\303\244", ".a\\2eb.&AOQ-");
    check_name(&percent, "a.b/50%/~x\\", ".a%2eb.50%25.%7ex\\");
    check_name(&percent, "sep%2Finside", ".sep%2Finside");
    check_name(&utf8, "a.b/\303\244&", ".a\\2eb.\303\244&");
    assert_false(folder_name_add_decoded(&b, &utf8, STR(".\344")));
    assert_false(folder_escape_is_usable('.'));
    assert_false(folder_escape_is_usable('a'));
    assert_false(folder_escape_is_usable('\0'));
    buf_free(&b);
}

/* A disk can lose what was in the file that says whose a Maildir is. */
static void lost_marker(void *arg)
{
    static const char marker[] = "example.test/alice/Maildir/" FOLDER_MARKER;
    const struct str lost[] = {STR(""), STR("\0"), STR("\0\0\0\0\0\0\0\0")};
    struct fixture *f = arg;
    struct buf path = BUF_EMPTY;
    buf_printf(&path, "%s/mail/%s", f->root, marker);
    fixture_open(f, f->root);
    deliver(f, &alice, "INBOX", STR(""), STR("one\n"));
    mailbox_unref(open_box(f, &alice, "INBOX"));
    for (size_t i = 0; i < sizeof lost / sizeof *lost; i++) {
        fixture_close(f);
        write_test_file(buf_c(&path), lost[i]);
        fixture_open(f, f->root);
        struct mailbox *m = open_box(f, &alice, "INBOX");
        assert_message(m, 1, "one\n");
        mailbox_unref(m);
        struct buf found = file_content(f->root, marker);
        assert_string_equal(buf_c(&found), "example.test/alice");
        buf_free(&found);
    }
    buf_free(&path);
    fixture_close(f);
}

static void test_lost_marker(void **state)
{
    (void)state;
    with_store(lost_marker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layouts),     cmocka_unit_test(test_homes),
        cmocka_unit_test(test_one_maildir), cmocka_unit_test(test_lost_marker),
        cmocka_unit_test(test_namings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
