/*
 * Files that cannot be written: accepted messages stay readable and are written when it works
 * again; new ones for that mailbox are refused, others are not held up; the checkpoint waits.
 */
#include "store_helper.h"

#define MAILDIR "example.test/alice/Maildir"

static void deliver_fails(struct fixture *f, const struct account *to, enum err_kind kind)
{
    struct err e = {0};
    struct spool *s = make_message(f, STR("refused\n"));
    struct store_delivery d = {.account = to, .mailbox = STR("INBOX")};
    assert_false(store_deliver(f->store, "test", s, STR(""), &d, 1, &e));
    assert_false(d.delivered);
    assert_int_equal(d.error.kind, kind);
    assert_true(err_is_temporary(kind));
    spool_unref(s);
}

static void wait_pending(struct fixture *f, size_t most)
{
    struct store_stats st;
    struct err e;
    for (int i = 0; i < 1000; i++) {
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
    fiber_sleep(50 * USEC_MSEC, &e);
    assert_message(m, 2, "P: q\nsecond\n");
    deliver_fails(f, &alice, ERR_IO);
    deliver(f, &bob, "INBOX", STR(""), STR("for bob\n"));
    wait_pending(f, 1);
    assert_false(journal_checkpoint(f->journal, &e));
    /* Flags and expunges go on. */
    uint32_t uid = 1;
    assert_true(mailbox_change_flags(m, &uid, 1, FLAGS_ADD, MESSAGE_SEEN, NULL, 0, &e));
    char *copy = crash_copy(f);
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

int main(void)
{
    log_set_level(LOG_LEVEL_ERROR + 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_mailbox),
        cmocka_unit_test(test_vanished_directory),
        cmocka_unit_test(test_never_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
