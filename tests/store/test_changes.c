/*
 * Flags, keywords, expunge, copy and move: seen at once, kept, and the files follow.
 */
#include "store_helper.h"

#define MAILDIR "example.test/alice/Maildir"

static void change(struct mailbox *m, uint32_t uid, enum flags_change how, uint8_t flags,
                   const char *keyword)
{
    struct err e = {0};
    struct str keywords[] = {str_from_c(keyword)};
    if (!change_flags(m, &uid, 1, how, flags, keywords, keyword ? 1 : 0, &e))
        fail_msg("%s", e.text);
}

static void count_call(void *arg, struct mailbox *m)
{
    (void)m;
    ++*(int *)arg;
}

static void flags(void *arg)
{
    struct fixture *f = arg;
    struct err e = {0};
    struct mailbox_counts c;
    int calls = 0;
    fixture_open(f, f->root);
    for (int i = 0; i < 4; i++)
        deliver(f, &alice, "INBOX", STR(""), STR("x\n"));
    struct mailbox *m = open_box(f, &alice, "INBOX");
    struct mailbox_watcher w = {.fn = count_call, .arg = &calls};
    mailbox_watch(m, &w);
    uint64_t modseq = mailbox_modseq(m);
    const uint32_t uids[] = {1, 3, 4, 99};
    const struct str keywords[] = {STR("$Work"), STR("todo")};
    assert_true(
        change_flags(m, uids, 4, FLAGS_ADD, MESSAGE_SEEN | MESSAGE_DELETED, keywords, 2, &e));
    assert_int_equal(calls, 1);
    assert_true(mailbox_modseq(m) > modseq);
    assert_true(mailbox_find_uid(m, 3)->modseq > mailbox_find_uid(m, 2)->modseq);
    mailbox_get_counts(m, &c);
    assert_int_equal(c.unseen, 1);
    assert_int_equal(c.deleted, 3);
    assert_int_equal(c.first_unseen_uid, 2);
    change(m, 3, FLAGS_REMOVE, MESSAGE_DELETED, "TODO");
    change(m, 4, FLAGS_REPLACE, MESSAGE_FLAGGED, NULL);
    assert_int_equal(calls, 3);
    assert_keywords(m, 1, "$Work todo");
    assert_keywords(m, 3, "$Work");
    assert_keywords(m, 4, "");
    /* Nothing changes: nobody is told. */
    change(m, 4, FLAGS_ADD, MESSAGE_FLAGGED, NULL);
    assert_int_equal(calls, 3);
    mailbox_unwatch(&w);
    for (int i = 2; i < 26; i++) {
        char name[10];
        snprintf(name, sizeof(name), "k%d", i);
        change(m, 2, FLAGS_ADD, 0, name);
    }
    const struct str more = STR("no-letter");
    assert_true(change_flags(m, (uint32_t[]){4}, 1, FLAGS_ADD, 0, &more, 1, &e));
    assert_keywords(m, 4, "no-letter");
    mailbox_unref(m);
    fixture_close(f);
    assert_int_equal(files_in(f->root, MAILDIR "/cur", ":2,STab", NULL), 1);
    assert_int_equal(files_in(f->root, MAILDIR "/cur", ":2,Sa", NULL), 1);
    assert_int_equal(files_in(f->root, MAILDIR "/cur", ":2,F", NULL), 1);
    fixture_open(f, f->root);
    m = open_box(f, &alice, "INBOX");
    assert_int_equal(mailbox_find_uid(m, 1)->flags, MESSAGE_SEEN | MESSAGE_DELETED);
    assert_keywords(m, 1, "$Work todo");
    assert_int_equal(mailbox_find_uid(m, 4)->flags, MESSAGE_FLAGGED);
    mailbox_get_counts(m, &c);
    assert_int_equal(c.unseen, 2);
    mailbox_unref(m);
    fixture_close(f);
}

static void test_flags(void **state)
{
    (void)state;
    with_store(flags);
}

static void expunge(void *arg)
{
    struct fixture *f = arg;
    struct err e = {0};
    struct message_reader *r;
    char block[10];
    size_t got;
    fixture_open(f, f->root);
    for (int i = 0; i < 3; i++)
        deliver(f, &alice, "INBOX", STR(""), STR("text\n"));
    struct mailbox *m = open_box(f, &alice, "INBOX");
    assert_true(message_open(m, 3, &r, &e));
    /* Some before their files are written, one after. */
    assert_true(mailbox_expunge(m, (uint32_t[]){1, 3, 7}, 3, &e));
    assert_int_equal(count_messages(m), 1);
    assert_null(mailbox_find_uid(m, 3));
    assert_true(message_read_at(r, block, 10, 0, &got, &e));
    assert_int_equal(got, 5);
    message_close(r);
    assert_false(message_open(m, 3, &r, &e));
    assert_int_equal(e.kind, ERR_NOT_FOUND);
    checkpoint(f);
    assert_int_equal(files_in(f->root, MAILDIR "/new", NULL, NULL), 1);
    assert_true(message_open(m, 2, &r, &e));
    assert_true(mailbox_expunge(m, (uint32_t[]){2}, 1, &e));
    assert_true(message_read_at(r, block, 10, 0, &got, &e));
    assert_int_equal(got, 5);
    message_close(r);
    checkpoint(f);
    assert_int_equal(files_in(f->root, MAILDIR "/new", NULL, NULL), 0);
    mailbox_unref(m);
    fixture_close(f);
    fixture_open(f, f->root);
    m = open_box(f, &alice, "INBOX");
    assert_int_equal(count_messages(m), 0);
    assert_int_equal(mailbox_uid_next(m), 4);
    mailbox_unref(m);
    fixture_close(f);
}

static void test_expunge(void **state)
{
    (void)state;
    with_store(expunge);
}

static void copy(void *arg)
{
    struct fixture *f = arg;
    struct err e = {0};
    struct arena *a = arena_new();
    uint32_t *source, *copies;
    size_t done;
    struct stat st;
    char *path;
    fixture_open(f, f->root);
    struct mailbox *inbox = open_box(f, &alice, "INBOX");
    struct mailbox *sent = open_box(f, &alice, "Sent");
    append(f, inbox, STR("one\n"), MESSAGE_SEEN, "$A", 5000);
    append(f, inbox, STR("two\n"), MESSAGE_FLAGGED, "$B", 6000);
    append(f, inbox, STR("three\n"), 0, NULL, 7000);
    append(f, sent, STR("other\n"), 0, "$B", 8000);
    assert_true(
        mailbox_copy(inbox, (uint32_t[]){1, 2, 9}, 3, sent, false, a, &source, &copies, &done, &e));
    assert_int_equal(done, 2);
    assert_int_equal(source[1], 2);
    assert_int_equal(copies[1], 3);
    assert_int_equal(count_messages(inbox), 3);
    assert_message(sent, 2, "one\n");
    assert_message(sent, 3, "two\n");
    assert_int_equal(mailbox_find_uid(sent, 2)->flags, MESSAGE_SEEN);
    assert_keywords(sent, 2, "$A");
    assert_keywords(sent, 3, "$B");
    assert_int_equal(message_internal_date(sent, 2), 5000);
    assert_true(
        mailbox_copy(inbox, (uint32_t[]){3}, 1, sent, true, a, &source, &copies, &done, &e));
    assert_int_equal(count_messages(inbox), 2);
    assert_message(sent, 4, "three\n");
    /* Onto itself, and of nothing. */
    assert_true(
        mailbox_copy(inbox, (uint32_t[]){1}, 1, inbox, false, a, &source, &copies, &done, &e));
    assert_int_equal(copies[0], 4);
    assert_true(
        mailbox_copy(inbox, (uint32_t[]){99}, 1, sent, true, a, &source, &copies, &done, &e));
    assert_int_equal(done, 0);
    checkpoint(f);
    assert_int_equal(files_in(f->root, MAILDIR "/.Sent/cur", ":2,Sb", &path), 1);
    assert_true(disk_stat(path, &st, &e));
    assert_int_equal(st.st_nlink, 3);
    free(path);
    assert_int_equal(files_in(f->root, MAILDIR "/.Sent/tmp", NULL, NULL), 0);
    mailbox_unref(inbox);
    mailbox_unref(sent);
    fixture_close(f);
    fixture_open(f, f->root);
    sent = open_box(f, &alice, "Sent");
    assert_int_equal(count_messages(sent), 4);
    assert_message(sent, 4, "three\n");
    assert_int_equal(message_internal_date(sent, 4), 7000);
    mailbox_unref(sent);
    inbox = open_box(f, &alice, "INBOX");
    assert_int_equal(count_messages(inbox), 3);
    assert_int_equal(mailbox_uid_next(inbox), 5);
    mailbox_unref(inbox);
    fixture_close(f);
    arena_free(a);
}

static void test_copy(void **state)
{
    (void)state;
    with_store(copy);
}

/* Many mailboxes: the unused go from memory, with what they had to write. */
static void eviction(void *arg)
{
    struct fixture *f = arg;
    struct store_stats st;
    char name[20];
    fixture_open(f, f->root);
    for (int i = 0; i < 150; i++) {
        snprintf(name, sizeof(name), "box%d", i);
        deliver(f, &alice, name, STR(""), STR("x\n"));
        struct mailbox *m = open_box(f, &alice, name);
        change(m, 1, FLAGS_ADD, MESSAGE_SEEN, "kw");
        mailbox_unref(m);
    }
    for (int i = 0; i < 1000; i++) {
        store_get_stats(f->store, &st);
        if (st.mailboxes_open <= 100)
            break;
        struct err e;
        fiber_sleep(10 * USEC_MSEC, &e);
        struct mailbox *m = open_box(f, &alice, "box149");
        mailbox_unref(m);
    }
    assert_true(st.mailboxes_open <= 100);
    struct mailbox *m = open_box(f, &alice, "box0");
    assert_int_equal(mailbox_find_uid(m, 1)->flags, MESSAGE_SEEN);
    assert_keywords(m, 1, "kw");
    assert_message(m, 1, "x\n");
    mailbox_unref(m);
    fixture_close(f);
}

static void test_eviction(void **state)
{
    (void)state;
    with_store(eviction);
}

int main(void)
{
    log_set_level(LOG_LEVEL_WARNING);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_flags),
        cmocka_unit_test(test_expunge),
        cmocka_unit_test(test_copy),
        cmocka_unit_test(test_eviction),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
