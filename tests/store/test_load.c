/*
 * Maildirs that other programs made: Dovecot's, Courier's, one with nothing but files.
 */
#include "store_helper.h"

#define MAILDIR "example.test/alice/Maildir"

static void make_maildir(struct fixture *f)
{
    put_dir(f->root, MAILDIR "/cur");
    put_dir(f->root, MAILDIR "/new");
    put_dir(f->root, MAILDIR "/tmp");
}

static void plain_files(void *arg)
{
    struct fixture *f = arg;
    make_maildir(f);
    put_file(f->root, MAILDIR "/new/1000.M20P1.host", "third\n");
    put_file(f->root, MAILDIR "/new/1000.M3P1.host", "second\r\nmixed\n");
    put_file(f->root, MAILDIR "/cur/999.M1P1.host:2,PSb", "first\n");
    put_file(f->root, MAILDIR "/cur/1001.M1P1.host,S=5,W=6:2,", "its size is a lie\n");
    put_file(f->root, MAILDIR "/cur/.hidden", "no message\n");
    fixture_open(f, f->root);
    struct mailbox *m = open_box(f, &alice, "INBOX");
    assert_int_equal(count_messages(m), 4);
    assert_message(m, 1, "first\n");
    assert_message(m, 2, "second\r\nmixed\n");
    assert_message(m, 3, "third\n");
    assert_message(m, 4, "its size is a lie\n");
    assert_int_equal(mailbox_find_uid(m, 1)->flags, MESSAGE_SEEN);
    assert_keywords(m, 1, "unknown-1");
    assert_int_equal(mailbox_find_uid(m, 2)->size_crlf, 15);
    assert_int_equal(mailbox_find_uid(m, 4)->size_crlf, 19);
    assert_int_equal(mailbox_claim_recent(m, true), 2);
    size_t count;
    const struct str *keywords = mailbox_keywords(m, &count);
    assert_int_equal(count, 2);
    assert_int_equal(keywords[0].n, 0);
    assert_true(str_equal(keywords[1], STR("unknown-1")));
    /* A letter that means nothing here stays. */
    struct err e;
    assert_true(change_flags(m, (uint32_t[]){1}, 1, FLAGS_ADD, MESSAGE_FLAGGED, NULL, 0, &e));
    uint32_t validity = mailbox_uid_validity(m);
    mailbox_unref(m);
    fixture_close(f);
    assert_int_equal(files_in(f->root, MAILDIR "/cur", ":2,FPSb", NULL), 1);
    /* Names stay, whatever they say. */
    assert_int_equal(files_in(f->root, MAILDIR "/cur", "1001.M1P1.host,S=5,W=6:2,", NULL), 1);
    fixture_open(f, f->root);
    m = open_box(f, &alice, "INBOX");
    assert_int_equal(mailbox_uid_validity(m), validity);
    assert_message(m, 4, "its size is a lie\n");
    assert_message(m, 2, "second\r\nmixed\n");
    assert_int_equal(mailbox_find_uid(m, 2)->size_crlf, 15);
    assert_int_equal(mailbox_find_uid(m, 1)->flags, MESSAGE_SEEN | MESSAGE_FLAGGED);
    mailbox_unref(m);
    /* The special folders were made in it. */
    m = open_box(f, &alice, "Sent");
    mailbox_unref(m);
    fixture_close(f);
}

static void test_plain_files(void **state)
{
    (void)state;
    with_store(plain_files);
}

static void dovecot(void *arg)
{
    struct fixture *f = arg;
    make_maildir(f);
    put_file(f->root, MAILDIR "/dovecot-uidlist",
             "3 V1275660208 N40 G3085f01b7f11094c501100008c4a11c1\n"
             "7 :1000.M1P1.host,S=6,W=7\n"
             "12 W8 P5.7 :1001.M1P1.host,S=7\n"
             "13 :1002.M1P1.gone,S=7,W=8\n"
             "39 :1003.M1P1.host,S=5,W=6\n");
    put_file(f->root, MAILDIR "/dovecot-keywords", "0 $Label1\n1 NonJunk\n");
    put_file(f->root, MAILDIR "/cur/1000.M1P1.host,S=6,W=7:2,Sa", "seven\n");
    put_file(f->root, MAILDIR "/cur/1001.M1P1.host,S=7:2,RS", "twelve\n");
    put_file(f->root, MAILDIR "/new/1003.M1P1.host,S=5,W=6", "last\n");
    put_file(f->root, MAILDIR "/new/1004.M1P1.host,S=4,W=5", "new\n");
    put_file(f->root, MAILDIR "/subscriptions", "V\t2\n\nOld\tbox\n");
    put_dir(f->root, MAILDIR "/.Old.box/cur");
    put_dir(f->root, MAILDIR "/.Old.box/new");
    put_dir(f->root, MAILDIR "/.Old.box/tmp");
    fixture_open(f, f->root);
    struct mailbox *m = open_box(f, &alice, "INBOX");
    assert_int_equal(mailbox_uid_validity(m), 1275660208);
    assert_int_equal(count_messages(m), 4);
    assert_message(m, 7, "seven\n");
    assert_message(m, 12, "twelve\n");
    assert_message(m, 39, "last\n");
    assert_message(m, 40, "new\n");
    assert_int_equal(mailbox_uid_next(m), 41);
    assert_true(mailbox_set_has(m, mailbox_find_uid(m, 7)->keywords, 0));
    assert_int_equal(mailbox_find_uid(m, 12)->size_crlf, 8);
    /* What was decided is on disk before anybody is told. */
    struct buf list = file_content(f->root, MAILDIR "/dovecot-uidlist");
    assert_true(str_ends_with_nocase(buf_str(&list), STR("40 :1004.M1P1.host,S=4,W=5\n")));
    buf_free(&list);
    /* What is Dovecot's own stays; a UID of an expunged message does not come again. */
    struct err e;
    deliver(f, &alice, "INBOX", STR(""), STR("more\n"));
    assert_true(mailbox_expunge(m, (uint32_t[]){7, 41}, 2, &e));
    mailbox_unref(m);
    fixture_close(f);
    list = file_content(f->root, MAILDIR "/dovecot-uidlist");
    assert_non_null(strstr(buf_c(&list), "12 W8 P5.7 :1001.M1P1.host,S=7\n"));
    buf_free(&list);
    fixture_open(f, f->root);
    m = open_box(f, &alice, "INBOX");
    assert_int_equal(count_messages(m), 3);
    assert_int_equal(mailbox_uid_next(m), 42);
    assert_int_equal(deliver(f, &alice, "INBOX", STR(""), STR("more\n")), 42);
    mailbox_unref(m);
    fixture_close(f);
}

static void test_dovecot(void **state)
{
    (void)state;
    with_store(dovecot);
}

static uint64_t stored_bytes(struct mailbox *m)
{
    struct mailbox_counts c;
    mailbox_get_counts(m, &c);
    return c.size_crlf;
}

/* A size in a name that somebody else's list has taken over is believed until the message is read.
 * The name stays all the same. */
static void wrong_sizes(void *arg)
{
    struct fixture *f = arg;
    make_maildir(f);
    put_file(f->root, MAILDIR "/dovecot-uidlist",
             "3 V1275660208 N40 G3085f01b7f11094c501100008c4a11c1\n"
             "7 :1000.M1P1.host,S=2,W=3\n"
             "8 Gone :1001.M1P1.host,S=600,W=700\n"
             "9 :1002.M1P1.host,S=5,W=6\n");
    put_file(f->root, MAILDIR "/cur/1000.M1P1.host,S=2,W=3:2,S", "longer than that\n");
    put_file(f->root, MAILDIR "/cur/1001.M1P1.host,S=600,W=700:2,S", "shorter\n");
    put_file(f->root, MAILDIR "/cur/1002.M1P1.host,S=5,W=6:2,S", "well\n");
    fixture_open(f, f->root);
    struct mailbox *m = open_box(f, &alice, "INBOX");
    for (int i = 0; i < 2; i++) {
        assert_message(m, 7, "longer than that\n");
        assert_message(m, 8, "shorter\n");
        assert_message(m, 9, "well\n");
        assert_int_equal(mailbox_find_uid(m, 7)->size, 17);
        assert_int_equal(mailbox_find_uid(m, 7)->size_crlf, 18);
        assert_int_equal(mailbox_find_uid(m, 8)->size_crlf, 9);
        assert_int_equal(stored_bytes(m), 18 + 9 + 6);
        mailbox_unref(m);
        fixture_close(f);
        assert_int_equal(files_in(f->root, MAILDIR "/cur", ".host,S=600,W=700:2,S", NULL), 1);
        struct buf list = file_content(f->root, MAILDIR "/dovecot-uidlist");
        assert_non_null(strstr(buf_c(&list), "7 S17 W18 :1000.M1P1.host,S=2,W=3\n"));
        assert_non_null(strstr(buf_c(&list), "8 S8 W9 Gone :1001.M1P1.host,S=600,W=700\n"));
        assert_non_null(strstr(buf_c(&list), "9 :1002.M1P1.host,S=5,W=6\n"));
        buf_free(&list);
        fixture_open(f, f->root);
        m = open_box(f, &alice, "INBOX");
        /* From now on it is known at once. */
        assert_int_equal(stored_bytes(m), 18 + 9 + 6);
    }
    mailbox_unref(m);
    fixture_close(f);
}

static void test_wrong_sizes(void **state)
{
    (void)state;
    with_store(wrong_sizes);
}

/* Dovecot was at work, and its clients know its modification sequences: ours go above them. */
static void dovecot_between(void *arg)
{
    struct fixture *f = arg;
    fixture_open(f, f->root);
    deliver(f, &alice, "INBOX", STR(""), STR("one\n"));
    struct mailbox *m = open_box(f, &alice, "INBOX");
    uint64_t modseq = mailbox_modseq(m), message = mailbox_find_uid(m, 1)->modseq;
    mailbox_unref(m);
    fixture_close(f);
    fixture_open(f, f->root);
    m = open_box(f, &alice, "INBOX");
    assert_int_equal(mailbox_modseq(m), modseq);
    mailbox_unref(m);
    fixture_close(f);
    put_file(f->root, MAILDIR "/dovecot.index.log", "something");
    for (int i = 0; i < 2; i++) {
        fixture_open(f, f->root);
        m = open_box(f, &alice, "INBOX");
        assert_true(i == 0 ? mailbox_modseq(m) > modseq : mailbox_modseq(m) == modseq);
        modseq = mailbox_modseq(m);
        assert_int_equal(mailbox_find_uid(m, 1)->modseq, message);
        mailbox_unref(m);
        fixture_close(f);
    }
}

static void test_dovecot_between(void **state)
{
    (void)state;
    with_store(dovecot_between);
}

static void damaged_list(void *arg)
{
    struct fixture *f = arg;
    make_maildir(f);
    put_file(f->root, MAILDIR "/dovecot-uidlist",
             "3 V1275660208 N3 G3085f01b7f11094c501100008c4a11c1\n"
             "1 :1000.M1P1.host,S=4,W=5\n"
             "garbage\n"
             "3 :1002.M1P1.host,S=6,W=7\n"
             "4 :1003.M1P1.host,S");
    put_file(f->root, MAILDIR "/cur/1000.M1P1.host,S=4,W=5:2,S", "one\n");
    put_file(f->root, MAILDIR "/cur/1001.M1P1.host,S=4,W=5:2,S", "two\n");
    put_file(f->root, MAILDIR "/cur/1002.M1P1.host,S=6,W=7:2,S", "three\n");
    put_file(f->root, MAILDIR "/cur/1003.M1P1.host,S=5,W=6:2,S", "four\n");
    fixture_open(f, f->root);
    struct mailbox *m = open_box(f, &alice, "INBOX");
    assert_int_equal(mailbox_uid_validity(m), 1275660208);
    assert_int_equal(count_messages(m), 4);
    assert_message(m, 1, "one\n");
    assert_message(m, 3, "three\n");
    size_t count;
    const struct message *messages = mailbox_messages(m, &count);
    /* Never a UID again that a lost line may have given out. */
    assert_true(messages[2].uid > 4);
    assert_message(m, messages[2].uid, "two\n");
    assert_message(m, messages[3].uid, "four\n");
    mailbox_unref(m);
    fixture_close(f);
}

static void test_damaged_list(void **state)
{
    (void)state;
    with_store(damaged_list);
}

static void broken_mailbox(void *arg)
{
    struct fixture *f = arg;
    struct err e = {0};
    struct mailbox *m;
    make_maildir(f);
    put_file(f->root, MAILDIR "/.Broken", "not a directory\n");
    fixture_open(f, f->root);
    assert_false(mailbox_open(f->store, &alice, STR("Broken"), &m, &e));
    assert_false(mailbox_open(f->store, &alice, STR("Missing"), &m, &e));
    assert_int_equal(e.kind, ERR_NOT_FOUND);
    assert_false(mailbox_open(f->store, &alice, STR("../bob"), &m, &e));
    assert_int_equal(e.kind, ERR_SYNTAX);
    struct account evil = {.login = STR("evil@example.test"), .home = STR("../../etc")};
    assert_false(mailbox_open(f->store, &evil, STR("INBOX"), &m, &e));
    deliver(f, &alice, "INBOX", STR(""), STR("x\n"));
    fixture_close(f);
}

static void test_broken_mailbox(void **state)
{
    (void)state;
    with_store(broken_mailbox);
}

/* Another program renames a file while the mailbox is in memory. */
static void renamed_file(void *arg)
{
    struct fixture *f = arg;
    struct err e;
    char *path;
    fixture_open(f, f->root);
    deliver(f, &alice, "INBOX", STR(""), STR("moved\n"));
    checkpoint(f);
    struct mailbox *m = open_box(f, &alice, "INBOX");
    assert_int_equal(files_in(f->root, MAILDIR "/new", NULL, &path), 1);
    struct buf to = BUF_EMPTY;
    char *name = strrchr(path, '/') + 1;
    buf_printf(&to, "%s/mail/" MAILDIR "/cur/%s:2,F", f->root, name);
    assert_true(disk_rename(path, buf_c(&to), &e));
    assert_message(m, 1, "moved\n");
    assert_true(disk_unlink(to.p, &e));
    struct message_reader *r;
    assert_false(message_open(m, 1, &r, &e));
    assert_int_equal(e.kind, ERR_NOT_FOUND);
    mailbox_unref(m);
    buf_free(&to);
    free(path);
    /* Nobody used it any more: it was read anew. */
    while (true) {
        m = open_box(f, &alice, "INBOX");
        size_t count = count_messages(m);
        mailbox_unref(m);
        if (count == 0)
            break;
        fiber_yield();
    }
    fixture_close(f);
}

static void test_renamed_file(void **state)
{
    (void)state;
    with_store(renamed_file);
}

static void ten_thousand(void *arg)
{
    struct fixture *f = arg;
    char name[100];
    make_maildir(f);
    for (int i = 0; i < 10000; i++) {
        snprintf(name, sizeof(name), MAILDIR "/cur/%d.M1P1.host,S=2,W=3:2,%s", 1000 + i,
                 i % 2 ? "S" : "");
        put_file(f->root, name, "x\n");
    }
    fixture_open(f, f->root);
    struct mailbox *m = open_box(f, &alice, "INBOX");
    struct mailbox_counts c;
    mailbox_get_counts(m, &c);
    assert_int_equal(c.messages, 10000);
    assert_int_equal(c.unseen, 5000);
    assert_int_equal(c.size_crlf, 30000);
    uint32_t *uids = mem_array(10000, sizeof(*uids));
    for (uint32_t i = 0; i < 10000; i++)
        uids[i] = i + 1;
    struct err e;
    assert_true(change_flags(m, uids, 10000, FLAGS_ADD, MESSAGE_SEEN, NULL, 0, &e));
    mailbox_get_counts(m, &c);
    assert_int_equal(c.unseen, 0);
    struct arena *a = arena_new();
    uint32_t *source, *copies;
    size_t done;
    struct mailbox *sent = open_box(f, &alice, "Sent");
    assert_true(mailbox_copy(m, uids, 9999, sent, true, a, &source, &copies, &done, &e));
    assert_int_equal(done, 9999);
    assert_int_equal(count_messages(m), 1);
    assert_int_equal(count_messages(sent), 9999);
    mailbox_unref(sent);
    mailbox_unref(m);
    arena_free(a);
    free(uids);
    fixture_close(f);
    assert_int_equal(files_in(f->root, MAILDIR "/cur", ":2,S", NULL), 1);
    assert_int_equal(files_in(f->root, MAILDIR "/.Sent/cur", ":2,S", NULL), 9999);
    assert_int_equal(files_in(f->root, MAILDIR "/.Sent/tmp", NULL, NULL), 0);
}

static void test_ten_thousand(void **state)
{
    (void)state;
    with_store(ten_thousand);
}

int main(void)
{
    log_set_level(LOG_LEVEL_ERROR);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain_files),     cmocka_unit_test(test_dovecot),
        cmocka_unit_test(test_wrong_sizes),     cmocka_unit_test(test_damaged_list),
        cmocka_unit_test(test_broken_mailbox),  cmocka_unit_test(test_renamed_file),
        cmocka_unit_test(test_dovecot_between), cmocka_unit_test(test_ten_thousand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
