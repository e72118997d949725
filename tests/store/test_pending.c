/*
 * Files that cannot be written: accepted messages stay readable and are written when it works
 * again; new ones for that mailbox are refused, others are not held up; the checkpoint waits.
 */
#include "store_helper.h"

#include "store/store_internal.h"

#include <sys/mount.h>

#define MAILDIR "example.test/alice/Maildir"

static void deliver_fails(struct fixture *f, const struct account *to, enum err_kind kind)
{
    struct err e = {0};
    struct spool *s = make_message(f, STR("refused\n"));
    struct store_delivery d = {.account = to, .mailbox = STR("INBOX")};
    assert_false(store_deliver(f->store, s, STR(""), &d, 1, &e));
    assert_false(d.delivered);
    assert_int_equal(d.error.kind, kind);
    assert_true(err_is_temporary(kind));
    spool_unref(s);
}

static void wait_pending(struct fixture *f, size_t most)
{
    struct store_stats st;
    struct err e;
    for (int i = 0; i < 6000; i++) {
        store_get_stats(f->store, &st);
        if (st.files_pending <= most)
            return;
        fiber_sleep(10 * USEC_MSEC, &e);
    }
    fail_msg("files stay pending");
}

static void one_mailbox(void *arg)
{
    struct fixture *f = arg;
    struct err e = {0};
    fixture_open(f, f->root);
    deliver(f, &alice, "INBOX", STR(""), STR("first\n"));
    wait_pending(f, 0);
    struct mailbox *m = open_box(f, &alice, "INBOX");
    char *tmp = path_in(f->root, "mail/" MAILDIR "/tmp");
    assert_true(disk_remove_dir(tmp, &e));
    write_test_file(tmp, STR("in the way"));
    deliver(f, &alice, "INBOX", STR("P: q\n"), STR("second\n"));
    for (int i = 0; i < 6000 && !m->write_failed; i++)
        fiber_sleep(10 * USEC_MSEC, &e);
    assert_true(m->write_failed);
    assert_message(m, 2, "P: q\nsecond\n");
    deliver_fails(f, &alice, ERR_IO);
    deliver(f, &bob, "INBOX", STR(""), STR("for bob\n"));
    wait_pending(f, 1);
    assert_false(journal_checkpoint(f->journal, &e));
    /* Flags and expunges go on. */
    uint32_t uid = 1;
    assert_true(change_flags(m, &uid, 1, FLAGS_ADD, MESSAGE_SEEN, NULL, 0, &e));
    char *copy = crash_copy(f->root);
    assert_true(disk_unlink(tmp, &e));
    assert_true(disk_make_dir(tmp, 0700, &e));
    wait_pending(f, 0);
    checkpoint(f);
    deliver(f, &alice, "INBOX", STR(""), STR("third\n"));
    assert_message(m, 2, "P: q\nsecond\n");
    mailbox_unref(m);
    fixture_close(f);
    assert_int_equal(files_in(f->root, MAILDIR "/new", NULL, NULL), 2);
    /* A crash in between loses nothing either, once the disk is right again. */
    char *original = f->root;
    free(tmp);
    tmp = path_in(copy, "mail/" MAILDIR "/tmp");
    assert_true(disk_unlink(tmp, &e));
    free(tmp);
    fixture_open(f, copy);
    m = open_box(f, &alice, "INBOX");
    assert_int_equal(count_messages(m), 2);
    assert_message(m, 2, "P: q\nsecond\n");
    assert_int_equal(mailbox_find_uid(m, 1)->flags, MESSAGE_SEEN);
    mailbox_unref(m);
    fixture_close(f);
    remove_directory(copy);
    f->root = original;
}

static void test_one_mailbox(void **state)
{
    (void)state;
    with_store(one_mailbox);
}

/* Each is tried again in its own time, whoever failed before. */
static void one_after_the_other(void *arg)
{
    static const char *const maildirs[] = {"mail/" MAILDIR "/tmp",
                                           "mail/example.test/bob/Maildir/tmp"};
    const struct account *accounts[] = {&alice, &bob};
    struct fixture *f = arg;
    struct err e = {0};
    char *tmp[2];
    fixture_open(f, f->root);
    for (int i = 0; i < 2; i++) {
        deliver(f, accounts[i], "INBOX", STR(""), STR("first\n"));
        wait_pending(f, 0);
        tmp[i] = path_in(f->root, maildirs[i]);
        assert_true(disk_remove_dir(tmp[i], &e));
        write_test_file(tmp[i], STR("in the way"));
    }
    deliver(f, &alice, "INBOX", STR(""), STR("second\n"));
    assert_true(fiber_sleep(300 * USEC_MSEC, &e));
    deliver(f, &bob, "INBOX", STR(""), STR("second\n"));
    assert_true(fiber_sleep(100 * USEC_MSEC, &e));
    wait_pending(f, 2);
    for (int i = 0; i < 2; i++) {
        assert_true(disk_unlink(tmp[i], &e));
        assert_true(disk_make_dir(tmp[i], 0700, &e));
        free(tmp[i]);
    }
    wait_pending(f, 0);
    fixture_close(f);
}

static void test_one_after_the_other(void **state)
{
    (void)state;
    with_store(one_after_the_other);
}

/* Somebody removed the whole directory of a mailbox in use: what was promised is written. */
static void vanished_directory(void *arg)
{
    struct fixture *f = arg;
    struct err e = {0};
    fixture_open(f, f->root);
    deliver(f, &alice, "Box", STR(""), STR("first\n"));
    wait_pending(f, 0);
    char *dir = path_in(f->root, "mail/" MAILDIR "/.Box");
    assert_true(disk_remove_tree(dir, &e));
    deliver(f, &alice, "Box", STR(""), STR("second\n"));
    wait_pending(f, 0);
    assert_int_equal(files_in(f->root, MAILDIR "/.Box/new", NULL, NULL), 1);
    free(dir);
    fixture_close(f);
    fixture_open(f, f->root);
    struct mailbox *m = open_box(f, &alice, "Box");
    assert_int_equal(count_messages(m), 1);
    mailbox_unref(m);
    fixture_close(f);
}

static void test_vanished_directory(void **state)
{
    (void)state;
    with_store(vanished_directory);
}

/* A message that is expunged before its file is written never gets one. */
static void never_written(void *arg)
{
    struct fixture *f = arg;
    struct err e = {0};
    fixture_open(f, f->root);
    struct mailbox *m = open_box(f, &alice, "INBOX");
    for (int i = 0; i < 50; i++) {
        uint32_t uid = deliver(f, &alice, "INBOX", STR(""), STR("x\n"));
        assert_true(mailbox_expunge(m, &uid, 1, &e));
    }
    mailbox_unref(m);
    fixture_close(f);
    assert_int_equal(files_in(f->root, MAILDIR "/new", NULL, NULL), 0);
    assert_int_equal(files_in(f->root, MAILDIR "/tmp", NULL, NULL), 0);
    fixture_open(f, f->root);
    assert_int_equal(deliver(f, &alice, "INBOX", STR(""), STR("x\n")), 51);
    fixture_close(f);
}

static void test_never_written(void **state)
{
    (void)state;
    with_store(never_written);
}

/* A full disk: what was accepted stays readable, new mail is refused, and deleting helps. */
static void full_disk(void *arg)
{
    struct fixture *f = arg;
    struct err e = {0};
    char text[8000];
    uint32_t uids[2000], delivered = 0;
    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\n';
    fixture_open(f, f->root);
    struct store_delivery d = {.account = &alice, .mailbox = STR("INBOX"), .delivered = true};
    for (int i = 0; i < 2000 && d.delivered; i++) {
        struct spool *s = make_message(f, str_from(text, sizeof(text)));
        delivered += store_deliver(f->store, s, STR(""), &d, 1, &e);
        spool_unref(s);
        fiber_sleep(USEC_MSEC, &e);
    }
    assert_false(d.delivered);
    assert_int_equal(d.error.kind, ERR_NO_SPACE);
    struct mailbox *m = open_box(f, &alice, "INBOX");
    assert_int_equal(count_messages(m), delivered);
    struct buf b = read_message(m, delivered);
    assert_int_equal(b.n, sizeof(text));
    buf_free(&b);
    /* However far behind the disk is: room for the rest. */
    uint32_t gone = delivered - 10;
    for (uint32_t i = 0; i < gone; i++)
        uids[i] = i + 1;
    assert_true(change_flags(m, uids, gone, FLAGS_ADD, MESSAGE_DELETED, NULL, 0, &e));
    assert_true(mailbox_expunge(m, uids, gone, &e));
    wait_pending(f, 0);
    /* The journal looks at the disk once a second. */
    for (int i = 0; i < 100 && !d.delivered; i++) {
        struct spool *s = make_message(f, STR("again\n"));
        delivered += store_deliver(f->store, s, STR(""), &d, 1, &e);
        spool_unref(s);
        fiber_sleep(100 * USEC_MSEC, &e);
    }
    assert_true(d.delivered);
    mailbox_unref(m);
    fixture_close(f);
    fixture_open(f, f->root);
    m = open_box(f, &alice, "INBOX");
    assert_int_equal(count_messages(m), delivered - gone);
    mailbox_unref(m);
    fixture_close(f);
}

/* Needs the right to mount. */
static void test_full_disk(void **state)
{
    (void)state;
    struct fixture f = {.root = make_directory()};
    char *mail = path_in(f.root, "mail");
    struct err e;
    assert_true(disk_make_dir(mail, 0700, &e));
    bool mounted = mount("none", mail, "tmpfs", 0, "size=2m") == 0;
    if (mounted) {
        run_in_fiber(full_disk, &f);
        assert_int_equal(umount(mail), 0);
    }
    free(mail);
    remove_directory(f.root);
    if (!mounted) {
        print_message("mounting a small file system needs root\n");
        skip();
    }
}

int main(void)
{
    log_set_level(LOG_LEVEL_ERROR + 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_mailbox),        cmocka_unit_test(test_one_after_the_other),
        cmocka_unit_test(test_vanished_directory), cmocka_unit_test(test_never_written),
        cmocka_unit_test(test_full_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
