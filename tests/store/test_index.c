/*
 * The index of a mailbox: what lives through a restart by it alone, what is seen in spite of it,
 * and what it is worth when it is damaged.
 */
#include "store/index_file.h"
#include "store_helper.h"

#include <fcntl.h>
#include <sys/stat.h>

#define MAILDIR "example.test/alice/Maildir"
#define INDEX   MAILDIR "/maild-index"

static char *mail_path(const struct fixture *f, const char *name)
{
    struct buf path = BUF_EMPTY;
    buf_printf(&path, "%s/mail/%s", f->root, name);
    buf_c(&path);
    return path.p;
}

/* So long after it that times tell whether there was another change. */
static void close_and_settle(struct fixture *f)
{
    struct err e;
    fixture_close(f);
    assert_true(fiber_sleep(50 * USEC_MSEC, &e));
}

static void reopen(struct fixture *f)
{
    close_and_settle(f);
    fixture_open(f, f->root);
}

/* Puts a file into a directory whose time stays as it was: only who looks inside sees it. */
static void hide_file(const struct fixture *f, const char *dir, const char *name)
{
    struct buf path = BUF_EMPTY;
    char *at = mail_path(f, dir);
    struct stat st;
    assert_int_equal(stat(at, &st), 0);
    buf_printf(&path, "%s/%s", dir, name);
    put_file(f->root, buf_c(&path), "hidden\n");
    assert_int_equal(utimensat(AT_FDCWD, at, (struct timespec[]){st.st_atim, st.st_mtim}, 0), 0);
    buf_free(&path);
    free(at);
}

static void set_flags(struct mailbox *m, uint32_t uid, uint8_t flags)
{
    struct err e = {0};
    if (!change_flags(m, &uid, 1, FLAGS_REPLACE, flags, NULL, 0, &e))
        fail_msg("%s", e.text);
}

static void expunge(struct mailbox *m, uint32_t uid)
{
    struct err e = {0};
    if (!mailbox_expunge(m, &uid, 1, &e))
        fail_msg("%s", e.text);
}

static void assert_vanished(const struct mailbox *m, uint64_t since, uint32_t uid)
{
    struct arena *a = arena_new();
    uint32_t *uids;
    size_t count;
    assert_true(mailbox_expunged_since(m, since, a, &uids, &count));
    assert_int_equal(count, 1);
    assert_int_equal(uids[0], uid);
    arena_free(a);
}

static void add_many_keywords(struct mailbox *m, uint32_t uid)
{
    struct err e = {0};
    struct str names[40];
    char text[40][8];
    for (int i = 0; i < 40; i++) {
        snprintf(text[i], sizeof(text[i]), "k%d", i);
        names[i] = str_from_c(text[i]);
    }
    if (!change_flags(m, &uid, 1, FLAGS_ADD, 0, names, 40, &e))
        fail_msg("%s", e.text);
}

/* Six messages: 3 is expunged, 2 has many keywords, 4 is seen. */
static void fill(struct fixture *f)
{
    /* Of a directory that was made this moment, the time tells nothing. */
    mailbox_unref(open_box(f, &alice, "INBOX"));
    reopen(f);
    struct mailbox *m = open_box(f, &alice, "INBOX");
    for (int i = 0; i < 5; i++)
        append(f, m, STR("text\n"), 0, NULL, 1000 + i);
    checkpoint(f);
    deliver(f, &alice, "INBOX", STR(""), STR("new\n"));
    add_many_keywords(m, 2);
    set_flags(m, 4, MESSAGE_SEEN);
    expunge(m, 3);
    mailbox_unref(m);
}

static void restart(void *arg)
{
    struct fixture *f = arg;
    struct message before[5];
    size_t count;
    fixture_open(f, f->root);
    fill(f);
    struct mailbox *m = open_box(f, &alice, "INBOX");
    uint64_t modseq = mailbox_modseq(m);
    memcpy(before, mailbox_messages(m, &count), sizeof(before));
    struct buf text = BUF_EMPTY;
    buf_add_str(&text, mailbox_set_text(m, before[1].keywords));
    mailbox_unref(m);
    for (int i = 0; i < 3; i++) {
        reopen(f);
        m = open_box(f, &alice, "INBOX");
        const struct message *after = mailbox_messages(m, &count);
        assert_int_equal(count, 5);
        assert_int_equal(mailbox_modseq(m), modseq);
        for (size_t n = 0; n < count; n++) {
            assert_int_equal(after[n].uid, before[n].uid);
            assert_int_equal(after[n].flags, before[n].flags);
            assert_int_equal(after[n].modseq, before[n].modseq);
            assert_int_equal(after[n].size_crlf, before[n].size_crlf);
            assert_int_equal(after[n].save_date, before[n].save_date);
        }
        assert_keywords(m, 2, buf_c(&text));
        assert_vanished(m, before[0].modseq, 3);
        assert_message(m, 6, "new\n");
        mailbox_unref(m);
    }
    buf_free(&text);
    fixture_close(f);
}

static void test_restart(void **state)
{
    (void)state;
    with_store(restart);
}

static void no_scan(void *arg)
{
    struct fixture *f = arg;
    fixture_open(f, f->root);
    fill(f);
    close_and_settle(f);
    hide_file(f, MAILDIR "/cur", "5000.M1P1.other:2,");
    fixture_open(f, f->root);
    struct mailbox *m = open_box(f, &alice, "INBOX");
    assert_int_equal(count_messages(m), 5);
    mailbox_unref(m);
    fixture_close(f);
    /* Now the directory says that something has happened. */
    put_file(f->root, MAILDIR "/cur/5001.M1P1.other:2,F", "seen\n");
    fixture_open(f, f->root);
    m = open_box(f, &alice, "INBOX");
    assert_int_equal(count_messages(m), 7);
    assert_message(m, 7, "hidden\n");
    assert_message(m, 8, "seen\n");
    mailbox_unref(m);
    fixture_close(f);
}

static void test_directories_are_not_read(void **state)
{
    (void)state;
    with_store(no_scan);
}

/* While the server is down: a flag, a file less, a new one. */
static void others(void *arg)
{
    struct fixture *f = arg;
    char *seen, *to;
    fixture_open(f, f->root);
    fill(f);
    struct mailbox *m = open_box(f, &alice, "INBOX");
    uint64_t modseq = mailbox_modseq(m), kept = mailbox_find_uid(m, 2)->modseq;
    mailbox_unref(m);
    fixture_close(f);
    assert_int_equal(files_in(f->root, MAILDIR "/cur", ":2,S", &seen), 1);
    struct buf name = BUF_EMPTY;
    buf_printf(&name, "%sT", seen);
    to = name.p;
    buf_c(&name);
    assert_int_equal(rename(seen, to), 0);
    free(seen);
    assert_int_equal(files_in(f->root, MAILDIR "/new", ",S=4,", &seen), 1);
    assert_int_equal(unlink(seen), 0);
    free(seen);
    put_file(f->root, MAILDIR "/new/6000.M1P1.other", "came\n");
    fixture_open(f, f->root);
    m = open_box(f, &alice, "INBOX");
    assert_int_equal(count_messages(m), 5);
    assert_int_equal(mailbox_find_uid(m, 4)->flags, MESSAGE_SEEN | MESSAGE_DELETED);
    assert_true(mailbox_find_uid(m, 4)->modseq > modseq);
    assert_int_equal(mailbox_find_uid(m, 2)->modseq, kept);
    assert_vanished(m, modseq, 6);
    assert_message(m, 7, "came\n");
    assert_true(mailbox_find_uid(m, 7)->modseq > modseq);
    mailbox_unref(m);
    fixture_close(f);
    buf_free(&name);
}

static void test_others(void **state)
{
    (void)state;
    with_store(others);
}

/* UIDs and flags are in the Maildir; modification sequences go up. */
static void lost(void *arg)
{
    struct fixture *f = arg;
    fixture_open(f, f->root);
    fill(f);
    struct mailbox *m = open_box(f, &alice, "INBOX");
    uint64_t modseq = mailbox_modseq(m);
    uint32_t validity = mailbox_uid_validity(m);
    mailbox_unref(m);
    char *index = mail_path(f, INDEX);
    for (int round = 0; round < 4; round++) {
        fixture_close(f);
        if (round == 0)
            assert_int_equal(unlink(index), 0);
        else if (round == 1)
            assert_int_equal(truncate(index, 300), 0);
        else if (round == 2)
            write_test_file(index, STR("nothing of that kind"));
        else
            assert_true(unlink(index) == 0 && mkdir(index, 0700) == 0);
        fixture_open(f, f->root);
        m = open_box(f, &alice, "INBOX");
        assert_int_equal(count_messages(m), 5);
        assert_int_equal(mailbox_uid_validity(m), validity);
        assert_int_equal(mailbox_find_uid(m, 4)->flags, MESSAGE_SEEN);
        assert_true(mailbox_modseq(m) > modseq);
        modseq = mailbox_modseq(m);
        set_flags(m, 5, round % 2 ? MESSAGE_SEEN : MESSAGE_DRAFT);
        assert_true(mailbox_modseq(m) > modseq);
        modseq = mailbox_modseq(m);
        mailbox_unref(m);
    }
    free(index);
    fixture_close(f);
}

static void test_lost(void **state)
{
    (void)state;
    with_store(lost);
}

/* Removed, cut or spoiled while the mailbox is open: the next checkpoint makes it anew. */
static void spoiled_under_us(void *arg)
{
    struct fixture *f = arg;
    fixture_open(f, f->root);
    fill(f);
    char *index = mail_path(f, INDEX);
    struct mailbox *m = open_box(f, &alice, "INBOX");
    for (int round = 0; round < 3; round++) {
        checkpoint(f);
        if (round == 0)
            assert_int_equal(unlink(index), 0);
        else if (round == 1)
            assert_int_equal(truncate(index, 250), 0);
        else
            write_test_file(index, STR("short"));
        set_flags(m, 5, round % 2 ? MESSAGE_SEEN : MESSAGE_DRAFT);
    }
    uint64_t modseq = mailbox_modseq(m);
    mailbox_unref(m);
    reopen(f);
    m = open_box(f, &alice, "INBOX");
    assert_int_equal(mailbox_modseq(m), modseq);
    assert_vanished(m, mailbox_find_uid(m, 1)->modseq, 3);
    mailbox_unref(m);
    free(index);
    fixture_close(f);
}

static void test_spoiled_under_us(void **state)
{
    (void)state;
    with_store(spoiled_under_us);
}

static void status(void *arg)
{
    struct fixture *f = arg;
    struct mailbox_status s;
    struct err e = {0};
    fixture_open(f, f->root);
    fill(f);
    reopen(f);
    hide_file(f, MAILDIR "/cur", "5000.M1P1.other:2,");
    assert_true(mailbox_get_status(f->store, &alice, STR("INBOX"), &s, &e));
    assert_int_equal(s.counts.messages, 5);
    assert_int_equal(s.counts.unseen, 4);
    assert_int_equal(s.counts.recent, 5);
    assert_int_equal(s.counts.size_crlf, 4 * 6 + 5);
    assert_int_equal(s.uid_next, 7);
    struct mailbox *m = open_box(f, &alice, "INBOX");
    assert_int_equal(s.uid_validity, mailbox_uid_validity(m));
    assert_int_equal(s.modseq, mailbox_modseq(m));
    assert_memory_equal(s.id, mailbox_id(m).p, 32);
    set_flags(m, 1, MESSAGE_SEEN | MESSAGE_DELETED);
    assert_true(mailbox_get_status(f->store, &alice, STR("inbox"), &s, &e));
    assert_int_equal(s.counts.unseen, 3);
    assert_int_equal(s.counts.deleted, 1);
    mailbox_unref(m);
    fixture_close(f);
    put_file(f->root, MAILDIR "/new/6000.M1P1.other", "came\n");
    char *hidden;
    assert_int_equal(files_in(f->root, MAILDIR "/cur", "5000", &hidden), 1);
    assert_int_equal(unlink(hidden), 0);
    free(hidden);
    fixture_open(f, f->root);
    assert_true(mailbox_get_status(f->store, &alice, STR("INBOX"), &s, &e));
    assert_int_equal(s.counts.messages, 6);
    assert_false(mailbox_get_status(f->store, &alice, STR("None"), &s, &e));
    assert_int_equal(e.kind, ERR_NOT_FOUND);
    fixture_close(f);
}

static void test_status(void **state)
{
    (void)state;
    with_store(status);
}

/* --- each byte --- */

/* What can be read of it is what was there before the damage. */
static void assert_damage_is_seen(const char *dir, const struct buf *bytes, bool whole)
{
    struct mailbox_content c = {0};
    struct index_loaded l;
    struct buf path = BUF_EMPTY;
    buf_printf(&path, "%s/maild-index", dir);
    write_test_file(buf_c(&path), buf_str(bytes));
    index_read(dir, &c, &l);
    if (whole != (l.trust == INDEX_GOOD))
        fail_msg("%zu bytes: trust %d", bytes->n, l.trust);
    for (size_t i = 0; i < c.count; i++) {
        assert_in_range(c.messages[i].uid, 1, 6);
        assert_true(message_file_base(c.messages[i].file).n > 10);
    }
    mailbox_content_free(&c);
    buf_free(&path);
}

static void each_byte(void *arg)
{
    struct fixture *f = arg;
    fixture_open(f, f->root);
    fill(f);
    fixture_close(f);
    struct buf index = file_content(f->root, INDEX);
    char *dir = make_directory();
    assert_damage_is_seen(dir, &index, true);
    size_t size = index.n;
    for (size_t i = 0; i < size; i += 1 + i / 300) {
        index.p[i] ^= 0x20;
        assert_damage_is_seen(dir, &index, false);
        index.p[i] ^= 0x20;
        index.n = i;
        assert_damage_is_seen(dir, &index, false);
        index.n = size;
    }
    buf_add_c(&index, "the beginning of something");
    assert_damage_is_seen(dir, &index, true);
    remove_directory(dir);
    buf_free(&index);
}

static void test_each_byte(void **state)
{
    (void)state;
    with_store(each_byte);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_restart),   cmocka_unit_test(test_directories_are_not_read),
        cmocka_unit_test(test_others),    cmocka_unit_test(test_lost),
        cmocka_unit_test(test_status),    cmocka_unit_test(test_spoiled_under_us),
        cmocka_unit_test(test_each_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
