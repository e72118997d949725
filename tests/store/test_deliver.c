/*
 * Delivery and APPEND: what is delivered is there at once, in UID order, as one file, and stays.
 */
#include "store_helper.h"

#define MAILDIR "example.test/alice/Maildir"

static void delivers_and_keeps(void *arg)
{
    struct fixture *f = arg;
    fixture_open(f, f->root);
    assert_int_equal(deliver(f, &alice, "INBOX", STR("Return-Path: <x@y>\n"), STR("A: b\n\nhi\n")),
                     1);
    struct mailbox *m = open_box(f, &alice, "inbox");
    assert_message(m, 1, "Return-Path: <x@y>\nA: b\n\nhi\n");
    const struct message *message = mailbox_find_uid(m, 1);
    assert_int_equal(message->size, 28);
    assert_int_equal(message->size_crlf, 32);
    assert_int_equal(mailbox_uid_next(m), 2);
    uint32_t validity = mailbox_uid_validity(m);
    mailbox_unref(m);
    assert_int_equal(deliver(f, &alice, "Lists/dev", STR(""), STR("x\n")), 1);
    checkpoint(f);
    assert_int_equal(files_in(f->root, MAILDIR "/new", ",S=28,W=32", NULL), 1);
    assert_int_equal(files_in(f->root, MAILDIR "/tmp", NULL, NULL), 0);
    assert_int_equal(files_in(f->root, MAILDIR "/.Lists.dev/new", ",S=2,W=3", NULL), 1);
    m = open_box(f, &alice, "INBOX");
    assert_message(m, 1, "Return-Path: <x@y>\nA: b\n\nhi\n");
    mailbox_unref(m);
    fixture_close(f);

    fixture_open(f, f->root);
    m = open_box(f, &alice, "INBOX");
    assert_int_equal(mailbox_uid_validity(m), validity);
    assert_int_equal(count_messages(m), 1);
    assert_int_equal(mailbox_find_uid(m, 1)->size_crlf, 32);
    assert_message(m, 1, "Return-Path: <x@y>\nA: b\n\nhi\n");
    assert_int_equal(mailbox_uid_next(m), 2);
    mailbox_unref(m);
    fixture_close(f);
}

static void test_delivers_and_keeps(void **state)
{
    (void)state;
    with_store(delivers_and_keeps);
}

static void several_recipients(void *arg)
{
    struct fixture *f = arg;
    struct err e = {0};
    struct stat st;
    char *path;
    fixture_open(f, f->root);
    struct store_delivery list[] = {{.account = &alice, .mailbox = STR("INBOX")},
                                    {.account = &bob, .mailbox = STR("INBOX")},
                                    {.account = &alice, .mailbox = STR("INBOX")},
                                    {.account = &carol, .mailbox = STR("bad//name")}};
    struct spool *s = make_message(f, STR("hello\n"));
    assert_false(store_deliver(f->store, s, STR(""), list, 4, &e));
    assert_int_equal(e.kind, ERR_SYNTAX);
    assert_true(list[0].delivered && list[1].delivered && list[2].delivered);
    assert_false(list[3].delivered);
    assert_int_equal(list[2].uid, list[0].uid);
    spool_unref(s);
    checkpoint(f);
    assert_int_equal(files_in(f->root, MAILDIR "/new", NULL, &path), 1);
    assert_true(disk_stat(path, &st, &e));
    assert_int_equal(st.st_nlink, 2);
    free(path);
    assert_int_equal(files_in(f->root, "example.test/bob/Maildir/new", NULL, NULL), 1);
    fixture_close(f);
}

static void test_several_recipients(void **state)
{
    (void)state;
    with_store(several_recipients);
}

static void large_messages(void *arg)
{
    struct fixture *f = arg;
    struct err e = {0};
    struct buf text = BUF_EMPTY;
    fixture_open(f, f->root);
    for (int i = 0; i < 20000; i++)
        buf_printf(&text, "line number %d\n", i);
    struct spool *s = make_message(f, buf_str(&text));
    assert_null(spool_memory(s).p);
    struct store_delivery list[] = {{.account = &alice, .mailbox = STR("INBOX")},
                                    {.account = &bob, .mailbox = STR("INBOX")}};
    assert_true(store_deliver(f->store, s, STR("P: q\n"), list, 2, &e));
    spool_unref(s);
    struct mailbox *m = open_box(f, &bob, "INBOX");
    struct buf got = read_message(m, 1);
    assert_int_equal(got.n, text.n + 5);
    assert_memory_equal(got.p + 5, text.p, text.n);
    buf_free(&got);
    /* APPEND takes the spool's file as it is. */
    assert_int_equal(append(f, m, buf_str(&text), MESSAGE_SEEN, NULL, 1000000000), 2);
    checkpoint(f);
    got = read_message(m, 2);
    assert_int_equal(got.n, text.n);
    buf_free(&got);
    assert_int_equal(mailbox_find_uid(m, 2)->size_crlf, text.n + 20000);
    assert_int_equal(files_in(f->root, "example.test/bob/Maildir/cur", ":2,S", NULL), 1);
    mailbox_unref(m);
    deliver(f, &alice, "INBOX", STR(""), STR("x\n"));
    checkpoint(f);
    assert_int_equal(files_in(f->root, ".spool", NULL, NULL), 0);
    fixture_close(f);
    fixture_open(f, f->root);
    m = open_box(f, &bob, "INBOX");
    assert_int_equal(message_internal_date(m, 2), 1000000000);
    assert_int_equal(mailbox_find_uid(m, 2)->flags, MESSAGE_SEEN);
    mailbox_unref(m);
    fixture_close(f);
    buf_free(&text);
}

static void test_large_messages(void **state)
{
    (void)state;
    with_store(large_messages);
}

static void append_with_flags(void *arg)
{
    struct fixture *f = arg;
    fixture_open(f, f->root);
    struct mailbox *m = open_box(f, &alice, "Drafts");
    assert_int_equal(append(f, m, STR("one\n"), MESSAGE_DRAFT | MESSAGE_SEEN, "$Work", 86400), 1);
    assert_int_equal(append(f, m, STR("two\n"), 0, NULL, INT64_MIN), 2);
    assert_int_equal(message_internal_date(m, 1), 86400);
    size_t count;
    const struct str *keywords = mailbox_keywords(m, &count);
    assert_int_equal(count, 1);
    assert_true(str_equal(keywords[0], STR("$Work")));
    mailbox_unref(m);
    fixture_close(f);
    fixture_open(f, f->root);
    m = open_box(f, &alice, "Drafts");
    const struct message *message = mailbox_find_uid(m, 1);
    assert_int_equal(message->flags, MESSAGE_DRAFT | MESSAGE_SEEN);
    assert_keywords(m, 1, "$Work");
    assert_int_equal(message_internal_date(m, 1), 86400);
    keywords = mailbox_keywords(m, &count);
    assert_int_equal(count, 1);
    assert_true(str_equal(keywords[0], STR("$Work")));
    mailbox_unref(m);
    fixture_close(f);
}

static void test_append_with_flags(void **state)
{
    (void)state;
    with_store(append_with_flags);
}

/* --- two fibers and a watcher --- */

struct racer {
    struct fixture *f;
    int count, *done;
    struct cond *finished;
};

struct seen {
    size_t calls, messages;
};

static void watch(void *arg, struct mailbox *m)
{
    struct seen *seen = arg;
    size_t count;
    const struct message *messages = mailbox_messages(m, &count);
    assert_true(count > seen->messages);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(messages[i].uid, i + 1);
    seen->messages = count;
    seen->calls++;
}

static void race(void *arg)
{
    struct racer *r = arg;
    uint32_t last = 0;
    for (int i = 0; i < r->count; i++) {
        uint32_t uid = deliver(r->f, &alice, "INBOX", STR("P: q\n"), STR("hi\n"));
        assert_true(uid > last);
        last = uid;
    }
    ++*r->done;
    cond_broadcast(r->finished);
}

static void concurrent(void *arg)
{
    struct fixture *f = arg;
    struct cond finished = {0};
    int done = 0;
    fixture_open(f, f->root);
    struct racer r = {f, 100, &done, &finished};
    /* The first deliveries make the account and load the mailbox at the same time. */
    for (int i = 0; i < 10; i++)
        assert_non_null(fiber_start(loop_current(), "race", race, &r));
    struct mailbox *m = open_box(f, &alice, "INBOX");
    struct seen seen = {0};
    struct mailbox_watcher w = {.fn = watch, .arg = &seen};
    seen.messages = count_messages(m);
    mailbox_watch(m, &w);
    while (done < 10)
        cond_wait_certain(&finished);
    mailbox_unwatch(&w);
    assert_int_equal(count_messages(m), 1000);
    assert_true(seen.calls > 900);
    mailbox_unref(m);
    fixture_close(f);
    assert_int_equal(files_in(f->root, MAILDIR "/new", NULL, NULL), 1000);
    fixture_open(f, f->root);
    m = open_box(f, &alice, "INBOX");
    assert_int_equal(count_messages(m), 1000);
    assert_int_equal(mailbox_find_uid(m, 1000)->uid, 1000);
    mailbox_unref(m);
    fixture_close(f);
}

static void test_concurrent(void **state)
{
    (void)state;
    with_store(concurrent);
}

static void recent(void *arg)
{
    struct fixture *f = arg;
    struct mailbox_counts c;
    fixture_open(f, f->root);
    deliver(f, &alice, "INBOX", STR(""), STR("1\n"));
    deliver(f, &alice, "INBOX", STR(""), STR("2\n"));
    struct mailbox *m = open_box(f, &alice, "INBOX");
    mailbox_get_counts(m, &c);
    assert_int_equal(c.recent, 2);
    assert_int_equal(c.unseen, 2);
    assert_int_equal(c.first_unseen_uid, 1);
    assert_int_equal(mailbox_claim_recent(m, true), 1);
    assert_int_equal(mailbox_claim_recent(m, false), 1);
    assert_int_equal(mailbox_claim_recent(m, false), 3);
    mailbox_get_counts(m, &c);
    assert_int_equal(c.recent, 0);
    deliver(f, &alice, "INBOX", STR(""), STR("3\n"));
    assert_int_equal(mailbox_claim_recent(m, true), 3);
    mailbox_unref(m);
    fixture_close(f);
    assert_int_equal(files_in(f->root, MAILDIR "/cur", NULL, NULL), 2);
    assert_int_equal(files_in(f->root, MAILDIR "/new", NULL, NULL), 1);
    fixture_open(f, f->root);
    m = open_box(f, &alice, "INBOX");
    assert_int_equal(mailbox_claim_recent(m, true), 3);
    mailbox_unref(m);
    fixture_close(f);
}

static void test_recent(void **state)
{
    (void)state;
    with_store(recent);
}

int main(void)
{
    log_set_level(LOG_LEVEL_WARNING);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_delivers_and_keeps), cmocka_unit_test(test_several_recipients),
        cmocka_unit_test(test_large_messages),     cmocka_unit_test(test_append_with_flags),
        cmocka_unit_test(test_concurrent),         cmocka_unit_test(test_recent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
