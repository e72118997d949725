/*
 * Quota: what counts, who gets in, what is written for others, and when the user is told.
 */
#include "store_helper.h"

#include "store/store_internal.h"

#define MAILDIR "example.test/alice/Maildir"

static const struct quota_settings no_limits;

static struct account with_quota(const struct account *who, int64_t storage, int64_t messages)
{
    static int64_t version;
    struct account a = *who;
    a.quota_storage = storage;
    a.quota_messages = messages;
    a.quota_version = ++version;
    return a;
}

static void set_quota(struct fixture *f, struct quota_settings q, const char *rule,
                      const char *warning)
{
    const char *const rules[] = {rule}, *const warnings[] = {warning};
    q.rules = (struct string_list){rules, rule != NULL};
    q.warnings = (struct string_list){warnings, warning != NULL};
    store_set_quota(f->store, &q);
}

static struct quota_status status_of(struct fixture *f, const struct account *who)
{
    struct quota_status status;
    struct err e = {0};
    if (!quota_get(f->store, who, &status, &e))
        fail_msg("%s", e.text);
    return status;
}

static void assert_used(struct fixture *f, const struct account *who, uint64_t bytes,
                        uint64_t messages)
{
    struct quota_status s = status_of(f, who);
    assert_int_equal(s.used.bytes, bytes);
    assert_int_equal(s.used.messages, messages);
}

/* `bytes` letters and a line end. */
static struct str text_of_size(size_t bytes)
{
    static char text[200000];
    assert_true(bytes <= sizeof(text) && bytes > 0);
    memset(text, 'x', bytes - 1);
    text[bytes - 1] = '\n';
    return str_from(text, bytes);
}

static bool try_deliver(struct fixture *f, const struct account *to, const char *mailbox,
                        size_t bytes, enum err_kind *kind)
{
    struct err e = {0};
    struct spool *s = make_message(f, text_of_size(bytes));
    struct store_delivery d = {.account = to, .mailbox = str_from_c(mailbox)};
    bool ok = store_deliver(f->store, s, STR(""), &d, 1, &e);
    spool_unref(s);
    *kind = e.kind;
    return ok;
}

/* Once the keeper has written it. */
static void assert_file(struct fixture *f, const char *name, const char *content)
{
    struct buf b = BUF_EMPTY;
    for (int i = 0; i < 200; i++) {
        buf_free(&b);
        if (files_in(f->root, MAILDIR, "maildirsize", NULL) == 1)
            b = file_content(f->root, name);
        if (strcmp(buf_c(&b), content) == 0)
            break;
        fiber_sleep(5 * USEC_MSEC, NULL);
    }
    assert_string_equal(buf_c(&b), content);
    buf_free(&b);
}

static void delete_all(struct mailbox *m)
{
    struct err e = {0};
    size_t count;
    const struct message *messages = mailbox_messages(m, &count);
    uint32_t *uids = mem_array(count, sizeof(*uids));
    for (size_t i = 0; i < count; i++)
        uids[i] = messages[i].uid;
    if (!mailbox_expunge(m, uids, count, &e))
        fail_msg("%s", e.text);
    free(uids);
}

static void copy_all(struct mailbox *from, struct mailbox *to, bool move, enum err_kind expected)
{
    struct arena *a = arena_new();
    struct err e = {0};
    size_t count, done;
    uint32_t *source, *copies;
    const struct message *messages = mailbox_messages(from, &count);
    uint32_t *uids = arena_array(a, count, sizeof(*uids));
    for (size_t i = 0; i < count; i++)
        uids[i] = messages[i].uid;
    bool ok = mailbox_copy(from, uids, count, to, move, a, &source, &copies, &done, &e);
    assert_int_equal(e.kind, expected);
    assert_int_equal(ok, expected == ERR_NONE);
    arena_free(a);
}

static void usage_follows(void *arg)
{
    struct fixture *f = arg;
    struct err e = {0};
    fixture_open(f, f->root);
    deliver(f, &alice, "INBOX", STR(""), text_of_size(100));
    assert_used(f, &alice, 100, 1);
    deliver(f, &alice, "Sent", STR("P: q\n"), text_of_size(100));
    assert_used(f, &alice, 205, 2);
    struct mailbox *inbox = open_box(f, &alice, "INBOX"), *trash = open_box(f, &alice, "Trash");
    append(f, inbox, text_of_size(50), 0, NULL, 5000);
    assert_used(f, &alice, 255, 3);
    copy_all(inbox, trash, false, ERR_NONE);
    assert_used(f, &alice, 405, 5);
    copy_all(inbox, trash, true, ERR_NONE);
    assert_used(f, &alice, 405, 5);
    delete_all(trash);
    assert_used(f, &alice, 105, 1);
    mailbox_unref(inbox);
    mailbox_unref(trash);
    assert_true(store_rename_mailbox(f->store, &alice, STR("Sent"), STR("Old/Sent"), &e));
    assert_used(f, &alice, 105, 1);
    assert_int_equal(status_of(f, &alice).mailboxes, 5); /* INBOX, Drafts, Trash, Old, Old/Sent */
    assert_true(store_delete_mailbox(f->store, &alice, STR("Old/Sent"), &e));
    assert_used(f, &alice, 0, 0);
    fixture_close(f);
}

static void test_usage_follows(void **state)
{
    (void)state;
    with_store(usage_follows);
}

/* Mailboxes come and go, other programs change what is not in memory, and a count runs among it. */
static void usage_is_counted(void *arg)
{
    struct fixture *f = arg;
    struct err e = {0};
    fixture_open(f, f->root);
    for (int i = 0; i < 5; i++)
        deliver(f, &alice, "INBOX", STR(""), text_of_size(10));
    deliver(f, &alice, "Sent", STR(""), text_of_size(1000));
    deliver(f, &bob, "INBOX", STR(""), text_of_size(7));
    fixture_close(f);

    fixture_open(f, f->root);
    assert_used(f, &alice, 1050, 6);
    assert_used(f, &bob, 7, 1);
    deliver(f, &alice, "Sent", STR(""), text_of_size(3)); /* enters memory after the count */
    assert_used(f, &alice, 1053, 7);
    fixture_close(f);

    fixture_open(f, f->root);
    deliver(f, &alice, "Sent", STR(""), text_of_size(3)); /* in memory before */
    assert_used(f, &alice, 1056, 8);
    /* Without its size in the name. */
    put_file(f->root, MAILDIR "/new/1700000000.M1P1.other", "another program\n");
    assert_used(f, &alice, 1056, 8);
    struct mailbox *m = open_box(f, &alice, "INBOX");
    assert_used(f, &alice, 1072, 9);
    put_file(f->root, MAILDIR "/.Trash/cur/1700000000.M2P1.other,S=5:2,S", "more\n");
    put_file(f->root, MAILDIR "/.Trash/cur/.hidden", "no message\n");
    put_file(f->root, MAILDIR "/.Trash/tmp/1700000000.M3P1.other", "no message yet\n");
    assert_used(f, &alice, 1072, 9);
    assert_true(quota_recalculate(f->store, &alice, &e));
    assert_used(f, &alice, 1077, 10);
    mailbox_unref(m);
    fixture_close(f);
}

static void test_usage_is_counted(void **state)
{
    (void)state;
    with_store(usage_is_counted);
}

static void evicted(void *arg)
{
    struct fixture *f = arg;
    fixture_open(f, f->root);
    for (int i = 0; i < 30; i++) {
        char name[20];
        snprintf(name, sizeof(name), "box%d", i);
        deliver(f, &alice, name, STR(""), text_of_size(100));
    }
    assert_used(f, &alice, 3000, 30);
    store_evict(f->store, 0);
    assert_used(f, &alice, 3000, 30);
    deliver(f, &alice, "box7", STR(""), text_of_size(1));
    assert_used(f, &alice, 3001, 31);
    store_evict(f->store, 0);
    assert_used(f, &alice, 3001, 31);
    struct err e = {0};
    assert_true(store_delete_mailbox(f->store, &alice, STR("box7"), &e));
    assert_used(f, &alice, 2900, 29);
    assert_true(quota_recalculate(f->store, &alice, &e));
    assert_used(f, &alice, 2900, 29);
    fixture_close(f);
}

static void test_evicted(void **state)
{
    (void)state;
    with_store(evicted);
}

struct counter {
    struct fixture *f;
    int running;
    struct cond done;
};

static void count_again(void *arg)
{
    struct counter *c = arg;
    struct err e = {0};
    for (int i = 0; i < 20; i++)
        assert_true(quota_recalculate(c->f->store, &alice, &e));
    c->running--;
    cond_broadcast(&c->done);
}

static void deliver_and_drop(void *arg)
{
    struct counter *c = arg;
    for (int i = 0; i < 40; i++) {
        char name[20];
        snprintf(name, sizeof(name), "box%d", i % 4);
        deliver(c->f, &alice, name, STR(""), text_of_size(10));
        if (i % 3 == 0)
            store_evict(c->f->store, 0);
        if (i % 7 == 0) {
            struct mailbox *m = open_box(c->f, &alice, name);
            delete_all(m);
            mailbox_unref(m);
        }
    }
    c->running--;
    cond_broadcast(&c->done);
}

static void counting_among_changes(void *arg)
{
    struct fixture *f = arg;
    struct counter c = {.f = f, .running = 4};
    uint64_t messages = 0;
    fixture_open(f, f->root);
    for (int i = 0; i < 2; i++) {
        fiber_start(loop_current(), "count", count_again, &c);
        fiber_start(loop_current(), "deliver", deliver_and_drop, &c);
    }
    while (c.running > 0)
        cond_wait_certain(&c.done);
    for (int i = 0; i < 4; i++) {
        char name[20];
        snprintf(name, sizeof(name), "box%d", i);
        struct mailbox *m = open_box(f, &alice, name);
        messages += count_messages(m);
        mailbox_unref(m);
    }
    assert_true(messages > 0);
    assert_used(f, &alice, messages * 10, messages);
    fixture_close(f);
}

static void test_counting_among_changes(void **state)
{
    (void)state;
    with_store(counting_among_changes);
}

static void limits(void *arg)
{
    struct fixture *f = arg;
    struct err e = {0};
    enum err_kind kind;
    struct account small = with_quota(&alice, 1000, 0), few = with_quota(&bob, 0, 3);
    fixture_open(f, f->root);
    set_quota(f, (struct quota_settings){.grace = 100}, "Trash:storage=+10%", NULL);
    assert_true(try_deliver(f, &small, "INBOX", 600, &kind));
    assert_false(try_deliver(f, &small, "INBOX", 501, &kind)); /* more than the grace */
    assert_int_equal(kind, ERR_QUOTA);
    assert_true(quota_check_delivery(f->store, &small, STR("INBOX"), 500, &e));
    assert_false(quota_check_delivery(f->store, &small, STR("inbox"), 501, &e));
    assert_true(quota_check_delivery(f->store, &small, STR("INBOX"), 0, &e));
    assert_true(try_deliver(f, &small, "INBOX", 500, &kind)); /* the last one */
    assert_false(try_deliver(f, &small, "INBOX", 1, &kind));
    assert_false(quota_check_delivery(f->store, &small, STR("INBOX"), 0, &e));
    assert_int_equal(e.kind, ERR_QUOTA);
    assert_used(f, &small, 1100, 2);
    /* Trash has 1,100 and the grace; a move needs no room. */
    struct mailbox *inbox = open_box(f, &small, "INBOX"), *trash = open_box(f, &small, "Trash");
    assert_false(try_deliver(f, &small, "Trash", 1, &kind));
    copy_all(inbox, trash, false, ERR_QUOTA);
    copy_all(inbox, trash, true, ERR_NONE);
    assert_used(f, &small, 1100, 2);
    struct spool *s = make_message(f, text_of_size(1));
    uint32_t uid;
    assert_false(mailbox_append(inbox, "test", s, 0, NULL, 0, INT64_MIN, &uid, &e));
    assert_int_equal(e.kind, ERR_QUOTA);
    assert_false(quota_check_append(inbox, (struct quota_count){1, 1}, &e));
    delete_all(trash);
    assert_true(quota_check_append(inbox, (struct quota_count){1, 1}, &e));
    assert_true(mailbox_append(inbox, "test", s, 0, NULL, 0, INT64_MIN, &uid, &e));
    spool_unref(s);
    mailbox_unref(inbox);
    mailbox_unref(trash);
    for (int i = 0; i < 3; i++)
        assert_true(try_deliver(f, &few, "INBOX", 10, &kind));
    assert_false(try_deliver(f, &few, "INBOX", 10, &kind));
    /* An older word does not count, a newer one does at once. */
    struct account older = few;
    older.quota_version--;
    older.quota_messages = 100;
    assert_false(try_deliver(f, &older, "INBOX", 10, &kind));
    struct account newer = with_quota(&bob, 0, 4);
    assert_true(try_deliver(f, &newer, "INBOX", 10, &kind));
    assert_false(try_deliver(f, &few, "INBOX", 10, &kind));
    /* The default, and the softer answer. */
    struct account other = with_quota(&carol, QUOTA_DEFAULT, QUOTA_DEFAULT);
    set_quota(f, (struct quota_settings){.messages = 1, .over_quota = OVER_QUOTA_LATER}, NULL,
              NULL);
    assert_true(try_deliver(f, &other, "INBOX", 10, &kind));
    assert_false(try_deliver(f, &other, "INBOX", 10, &kind));
    assert_int_equal(kind, ERR_QUOTA_NOW);
    fixture_close(f);
}

static void test_limits(void **state)
{
    (void)state;
    with_store(limits);
}

static void ignored_mailboxes(void *arg)
{
    struct fixture *f = arg;
    struct err e = {0};
    enum err_kind kind;
    struct account small = with_quota(&alice, 100, 0);
    fixture_open(f, f->root);
    set_quota(f, no_limits, "Junk:ignore", NULL);
    for (int i = 0; i < 5; i++)
        assert_true(try_deliver(f, &small, "Junk", 1000, &kind));
    assert_true(try_deliver(f, &small, "INBOX", 60, &kind));
    assert_used(f, &small, 60, 1);
    struct mailbox *junk = open_box(f, &small, "Junk"), *inbox = open_box(f, &small, "INBOX");
    copy_all(junk, inbox, true, ERR_QUOTA);
    copy_all(inbox, junk, true, ERR_NONE);
    mailbox_unref(junk);
    mailbox_unref(inbox);
    assert_used(f, &small, 0, 0);
    assert_true(store_rename_mailbox(f->store, &small, STR("Junk"), STR("Kept"), &e));
    assert_used(f, &small, 5060, 6);
    assert_true(store_rename_mailbox(f->store, &small, STR("Kept"), STR("Junk"), &e));
    assert_used(f, &small, 0, 0);
    /* Other rules: counted anew. */
    set_quota(f, no_limits, "Junk:storage=1M", NULL);
    assert_used(f, &small, 5060, 6);
    set_quota(f, no_limits, "Junk:ignore", NULL);
    assert_used(f, &small, 0, 0);
    store_evict(f->store, 0);
    set_quota(f, no_limits, "Junk/*:ignore", NULL);
    assert_used(f, &small, 5060, 6);
    fixture_close(f);
}

static void test_ignored_mailboxes(void **state)
{
    (void)state;
    with_store(ignored_mailboxes);
}

struct rush {
    struct fixture *f;
    const struct account *to;
    int running, delivered;
    struct cond done;
};

static void deliver_one(void *arg)
{
    struct rush *r = arg;
    enum err_kind kind;
    r->delivered += try_deliver(r->f, r->to, "INBOX", 90, &kind);
    r->running--;
    cond_broadcast(&r->done);
}

/* Any number at a time exceeds by no more than one does. */
static void many_at_once(void *arg)
{
    struct fixture *f = arg;
    struct account small = with_quota(&alice, 1000, 0);
    struct rush r = {.f = f, .to = &small, .running = 50};
    fixture_open(f, f->root);
    set_quota(f, (struct quota_settings){.grace = 10000}, NULL, NULL);
    for (int i = 0; i < 50; i++)
        assert_non_null(fiber_start(loop_current(), "deliver", deliver_one, &r));
    while (r.running > 0)
        cond_wait_certain(&r.done);
    assert_int_equal(r.delivered, 12);
    assert_used(f, &small, 1080, 12);
    fixture_close(f);
}

static void test_many_at_once(void **state)
{
    (void)state;
    with_store(many_at_once);
}

static void number_of_mailboxes(void *arg)
{
    struct fixture *f = arg;
    struct err e = {0};
    enum err_kind kind;
    fixture_open(f, f->root);
    set_quota(f, (struct quota_settings){.mailboxes = 6}, NULL, NULL);
    assert_false(store_create_mailbox(f->store, &alice, STR("a/b/c"), &e)); /* three */
    assert_int_equal(e.kind, ERR_QUOTA);
    assert_true(store_create_mailbox(f->store, &alice, STR("a/b"), &e));
    assert_false(store_create_mailbox(f->store, &alice, STR("x"), &e));
    assert_int_equal(e.kind, ERR_QUOTA);
    assert_false(store_create_mailbox(f->store, &alice, STR("a"), &e));
    assert_int_equal(e.kind, ERR_EXISTS);
    assert_false(try_deliver(f, &alice, "x", 1, &kind));
    assert_int_equal(kind, ERR_QUOTA);
    fixture_close(f);
}

static void test_number_of_mailboxes(void **state)
{
    (void)state;
    with_store(number_of_mailboxes);
}

/* --- maildirsize --- */

static void file_is_kept(void *arg)
{
    struct fixture *f = arg;
    struct account limited = with_quota(&alice, 5000, 10);
    fixture_open(f, f->root);
    deliver(f, &alice, "INBOX", STR(""), text_of_size(100));
    checkpoint(f);
    assert_int_equal(files_in(f->root, MAILDIR, "maildirsize", NULL), 0);
    deliver(f, &limited, "Sent", STR(""), text_of_size(11));
    checkpoint(f);
    assert_file(f, MAILDIR "/maildirsize", "5000S,10C\n111 2\n");
    /* Others' additions are overwritten by what is true. */
    put_file(f->root, MAILDIR "/maildirsize", "5000S,10C\n111 2\n999 1\n");
    fixture_close(f);
    fixture_open(f, f->root);
    assert_used(f, &limited, 111, 2);
    assert_file(f, MAILDIR "/maildirsize", "5000S,10C\n111 2\n");
    /* Another limit. */
    limited = with_quota(&alice, 6000, 0);
    assert_used(f, &limited, 111, 2);
    assert_file(f, MAILDIR "/maildirsize", "6000S\n111 2\n");
    struct account unlimited = with_quota(&alice, 0, 0);
    assert_used(f, &unlimited, 111, 2);
    for (int i = 0; files_in(f->root, MAILDIR, "maildirsize", NULL) > 0 && i < 200; i++)
        fiber_sleep(5 * USEC_MSEC, NULL);
    assert_int_equal(files_in(f->root, MAILDIR, "maildirsize", NULL), 0);
    fixture_close(f);
}

static void test_file_is_kept(void **state)
{
    (void)state;
    with_store(file_is_kept);
}

/* The account has no limit here, but another server wrote the file. */
static void file_of_others(void *arg)
{
    struct fixture *f = arg;
    fixture_open(f, f->root);
    deliver(f, &alice, "INBOX", STR(""), text_of_size(100));
    deliver(f, &alice, "Sent", STR(""), text_of_size(100));
    fixture_close(f);
    put_file(f->root, MAILDIR "/maildirsize", "1000000S\n150 3\n50 -1\n");
    fixture_open(f, f->root);
    deliver(f, &alice, "INBOX", STR(""), text_of_size(10));
    checkpoint(f);
    assert_file(f, MAILDIR "/maildirsize", "1000000S\n210 3\n");
    struct mailbox *m = open_box(f, &alice, "INBOX");
    delete_all(m);
    mailbox_unref(m);
    fixture_close(f);
    assert_file(f, MAILDIR "/maildirsize", "1000000S\n100 1\n");
    /* One that nobody can read. */
    put_file(f->root, MAILDIR "/maildirsize", "what is this?\n1 1\n");
    fixture_open(f, f->root);
    deliver(f, &alice, "INBOX", STR(""), text_of_size(10));
    fixture_close(f);
    assert_int_equal(files_in(f->root, MAILDIR, "maildirsize", NULL), 0);
}

static void test_file_of_others(void **state)
{
    (void)state;
    with_store(file_of_others);
}

static void after_a_crash(void *arg)
{
    struct fixture *f = arg;
    struct account limited = with_quota(&alice, 5000, 0);
    enum err_kind kind;
    fixture_open(f, f->root);
    deliver(f, &limited, "INBOX", STR(""), text_of_size(1000));
    deliver(f, &limited, "Sent", STR(""), text_of_size(1000));
    checkpoint(f);
    deliver(f, &limited, "INBOX", STR(""), text_of_size(2000));
    struct mailbox *m = open_box(f, &limited, "Sent");
    delete_all(m);
    mailbox_unref(m);
    char *copy = crash_copy(f->root), *original = f->root;
    fixture_close(f);
    fixture_open(f, copy);
    assert_used(f, &limited, 3000, 2);
    assert_true(try_deliver(f, &limited, "INBOX", 2000, &kind));
    assert_false(try_deliver(f, &limited, "INBOX", 1, &kind));
    fixture_close(f);
    assert_file(f, MAILDIR "/maildirsize", "5000S\n5000 3\n");
    remove_directory(copy);
    f->root = original;
}

static void test_after_a_crash(void **state)
{
    (void)state;
    with_store(after_a_crash);
}

/* --- warnings --- */

static void wait_for_messages(struct mailbox *m, size_t count)
{
    for (int i = 0; count_messages(m) < count && i < 500; i++)
        fiber_sleep(10 * USEC_MSEC, NULL);
    assert_int_equal(count_messages(m), count);
}

static void warned_once(void *arg)
{
    struct fixture *f = arg;
    struct account limited = with_quota(&alice, 100000, 0);
    fixture_open(f, f->root);
    set_quota(f, no_limits, NULL, "80%");
    deliver(f, &limited, "Sent", STR(""), text_of_size(79000));
    struct mailbox *m = open_box(f, &limited, "INBOX");
    deliver(f, &limited, "INBOX", STR(""), text_of_size(2000));
    wait_for_messages(m, 2);
    struct buf text = read_message(m, 2);
    assert_non_null(strstr(buf_c(&text), "Subject: Your mailbox is 81% full\n"));
    assert_non_null(strstr(text.p, "Return-Path: <>\n"));
    assert_non_null(strstr(text.p, "\nFrom: Mail server <postmaster@example.test>\n"));
    assert_non_null(strstr(text.p, "\nTo: <alice@example.test>\n"));
    assert_non_null(strstr(text.p, "\n    79.1 KB of 97.7 KB are in use (81%)\n"));
    buf_free(&text);
    mailbox_unref(m);
    /* Not again, not after a restart either. */
    deliver(f, &limited, "INBOX", STR(""), text_of_size(2000));
    fixture_close(f);
    fixture_open(f, f->root);
    set_quota(f, no_limits, NULL, "80%");
    deliver(f, &limited, "INBOX", STR(""), text_of_size(1000));
    m = open_box(f, &limited, "INBOX");
    fiber_sleep(20 * USEC_MSEC, NULL);
    assert_int_equal(count_messages(m), 4);
    /* Below, and up again. */
    delete_all(m);
    deliver(f, &limited, "INBOX", STR(""), text_of_size(5000));
    wait_for_messages(m, 2);
    delete_all(m);
    mailbox_unref(m);
    fixture_close(f);
    assert_int_equal(files_in(f->root, MAILDIR, "maild-quota", NULL), 0);
}

static void test_warned_once(void **state)
{
    (void)state;
    with_store(warned_once);
}

static void warned_when_full(void *arg)
{
    struct fixture *f = arg;
    struct account limited = with_quota(&alice, 0, 2);
    enum err_kind kind;
    fixture_open(f, f->root);
    set_quota(f, (struct quota_settings){.over_quota = OVER_QUOTA_LATER}, NULL, "100%");
    deliver(f, &limited, "INBOX", STR(""), text_of_size(10));
    deliver(f, &limited, "INBOX", STR(""), text_of_size(10));
    struct mailbox *m = open_box(f, &limited, "INBOX");
    wait_for_messages(m, 3);
    assert_false(try_deliver(f, &limited, "INBOX", 10, &kind));
    struct buf text = read_message(m, 3);
    assert_non_null(strstr(buf_c(&text), "Subject: Your mailbox is full\n"));
    assert_non_null(strstr(text.p, "\n    2 of 2 messages are in it (100%)\n"));
    assert_non_null(strstr(text.p, "it waits at those who sent it"));
    buf_free(&text);
    mailbox_unref(m);
    /* A limit that the usage is beyond already. */
    struct account lower = with_quota(&bob, 0, 0);
    deliver(f, &lower, "INBOX", STR(""), text_of_size(10));
    assert_used(f, &lower, 10, 1);
    lower = with_quota(&bob, 5, 0);
    (void)status_of(f, &lower); /* learns of the limit; the note may be there by its return */
    m = open_box(f, &lower, "INBOX");
    wait_for_messages(m, 2);
    mailbox_unref(m);
    fixture_close(f);
}

static void test_warned_when_full(void **state)
{
    (void)state;
    with_store(warned_when_full);
}

/* --- pure --- */

static void test_formats(void **state)
{
    (void)state;
    struct str definition;
    struct quota_count c;
    uint64_t bytes;
    assert_true(quota_parse_size(STR("5G"), &bytes));
    assert_int_equal(bytes, 5ull << 30);
    assert_true(quota_parse_size(STR("10m"), &bytes));
    assert_int_equal(bytes, 10 << 20);
    assert_true(quota_parse_size(STR("0"), &bytes));
    assert_false(quota_parse_size(STR(""), &bytes));
    assert_false(quota_parse_size(STR("G"), &bytes));
    assert_false(quota_parse_size(STR("-1"), &bytes));
    assert_false(quota_parse_size(STR("1.5G"), &bytes));
    assert_false(quota_parse_size(STR("99999999T"), &bytes));
    assert_true(maildirsize_parse(STR("1000S,5C\n10 1\n 20   2\n-5 -1\n"), &definition, &c));
    assert_true(str_equal(definition, STR("1000S,5C")));
    assert_int_equal(c.bytes, 25);
    assert_int_equal(c.messages, 2);
    assert_false(maildirsize_parse(STR("1000S\n10 x\n"), &definition, &c));
    assert_false(maildirsize_parse(STR("1000S\n10 1\n-11 0\n"), &definition, &c));
    assert_false(maildirsize_parse(STR("1S\n9223372036854775807 1\n"), &definition, &c));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_usage_follows),    cmocka_unit_test(test_usage_is_counted),
        cmocka_unit_test(test_evicted),          cmocka_unit_test(test_counting_among_changes),
        cmocka_unit_test(test_limits),           cmocka_unit_test(test_ignored_mailboxes),
        cmocka_unit_test(test_many_at_once),     cmocka_unit_test(test_number_of_mailboxes),
        cmocka_unit_test(test_file_is_kept),     cmocka_unit_test(test_file_of_others),
        cmocka_unit_test(test_after_a_crash),    cmocka_unit_test(test_warned_once),
        cmocka_unit_test(test_warned_when_full), cmocka_unit_test(test_formats),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
