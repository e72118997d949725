/*
 * Summaries of a mailbox's messages, however they come to be: at delivery, when asked for, from the
 * file after a restart, taken along by copies, built again when the file is damaged, deleted or
 * another mailbox's. What is read is always what the message's bytes say.
 */
#include "store/limits.h"
#include "store/summary.h"
#include "store_helper.h"

#define MAILDIR "example.test/alice/Maildir"
#define CACHE   MAILDIR "/maild-cache"
#define ALL                                                                                        \
    (SUMMARY_FIXED | SUMMARY_ENVELOPE | SUMMARY_STRUCTURE | SUMMARY_PARTS | SUMMARY_HEADER |       \
     SUMMARY_PREVIEW)

enum { COUNT = 600 };

static struct str text_of(struct arena *a, unsigned number)
{
    return arena_printf(a,
                        "From: User %u <user%u@example.net>\nSubject: number %u\n"
                        "Message-ID: <%u@example.net>\nX-Other: not kept\n"
                        "Date: Sat, 21 Nov 2026 10:00:%02u +0100\n\nBody of %u.\n",
                        number, number, number, number, number % 60, number);
}

static void assert_same(struct str a, struct str b)
{
    if (!str_equal(a, b))
        fail_msg("\"%.*s\" is not \"%.*s\"", STR_ARG(a), STR_ARG(b));
}

/* As built from the message. */
static void assert_summary(const struct message_summary *s, unsigned number)
{
    struct arena *a = arena_new();
    struct message_summary right;
    struct str text = text_of(a, number);
    summary_build(a, text, text.n, &right);
    assert_memory_equal(s->hash, right.hash, SUMMARY_HASH_SIZE);
    assert_memory_equal(s->thread, right.thread, SUMMARY_HASH_SIZE);
    assert_int_equal(s->sent, right.sent);
    assert_int_equal(s->sent_zone, 60);
    assert_int_equal(s->header_size, right.header_size);
    assert_same(s->envelope, right.envelope);
    assert_same(s->structure, right.structure);
    assert_same(s->header, right.header);
    assert_same(s->preview, right.preview);
    assert_same(s->parts, right.parts);
    arena_free(a);
}

static void assert_read(struct mailbox *m, uint32_t uid, unsigned number)
{
    struct summary_reader *r = summary_reader_new(m, ALL);
    struct message_summary s;
    struct err e = {0};
    if (!summary_read(r, uid, &s, &e))
        fail_msg("uid %u: %s", uid, e.text);
    assert_summary(&s, number);
    summary_reader_free(r);
}

/* Message i has UID first + i and number 1 + i. */
static void assert_all(struct mailbox *m, uint32_t first, size_t count)
{
    uint32_t uids[COUNT];
    struct summary_reader *r = summary_reader_new(m, ALL);
    struct message_summary s;
    struct err e = {0};
    for (size_t i = 0; i < count; i++)
        uids[i] = first + (uint32_t)i;
    summary_reader_expect(r, uids, count);
    for (size_t i = 0; i < count; i++) {
        if (!summary_read(r, uids[i], &s, &e))
            fail_msg("uid %u: %s", uids[i], e.text);
        assert_summary(&s, (unsigned)i + 1);
    }
    summary_reader_free(r);
}

static void fill(struct fixture *f, size_t count)
{
    struct arena *a = arena_new();
    for (size_t i = 1; i <= count; i++)
        deliver(f, &alice, "INBOX", STR(""), text_of(a, (unsigned)i));
    arena_free(a);
}

static size_t cached(const struct mailbox *m)
{
    size_t count, n = 0;
    const struct message *messages = mailbox_messages(m, &count);
    for (size_t i = 0; i < count; i++)
        n += messages[i].cached != 0;
    return n;
}

static void settle(struct fixture *f)
{
    struct store_stats st;
    struct err e;
    checkpoint(f);
    for (int i = 0; i < 1000; i++) {
        store_get_stats(f->store, &st);
        if (st.summaries_waiting == 0)
            return;
        fiber_sleep(5 * USEC_MSEC, &e);
    }
    fail_msg("summaries are not written");
}

static void reopen(struct fixture *f)
{
    fixture_close(f);
    fixture_open(f, f->root);
}

/* Few messages in each of many mailboxes: no block becomes full, they are written all the same. */
enum { MANY = 20, OF_EACH = 8, LARGE = 9000 };

static struct str large_text(struct arena *a, unsigned number)
{
    char *label = arena_alloc(a, LARGE);
    memset(label, 'x', LARGE);
    return arena_printf(a, "From: user%u@example.net\nX-Label: %.*s\n\n", number, LARGE, label);
}

static void wait_until_few_wait(struct fixture *f)
{
    struct store_stats st;
    struct err e;
    for (int i = 0; i < 1000; i++) {
        store_get_stats(f->store, &st);
        if (st.files_pending == 0 && st.summaries_waiting <= SUMMARY_WAITING)
            return;
        fiber_sleep(5 * USEC_MSEC, &e);
    }
    fail_msg("%zu bytes of summaries wait", st.summaries_waiting);
}

static void assert_large(struct mailbox *m, uint32_t uid, unsigned number, struct arena *a)
{
    struct summary_reader *r = summary_reader_new(m, SUMMARY_HEADER);
    struct message_summary s, right;
    struct str text = large_text(a, number);
    struct err e = {0};
    summary_build(a, text, text.n, &right);
    if (!summary_read(r, uid, &s, &e))
        fail_msg("uid %u: %s", uid, e.text);
    assert_same(s.header, right.header);
    summary_reader_free(r);
}

static void many_mailboxes(void *arg)
{
    struct fixture *f = arg;
    struct arena *a = arena_new();
    char name[16];
    fixture_open(f, f->root);
    for (unsigned i = 0; i < MANY * OF_EACH; i++) {
        snprintf(name, sizeof(name), "Box%u", i % MANY);
        deliver(f, &alice, name, STR(""), large_text(a, i));
    }
    wait_until_few_wait(f);
    for (unsigned i = 0; i < MANY; i++) {
        snprintf(name, sizeof(name), "Box%u", i);
        struct mailbox *m = open_box(f, &alice, name);
        assert_int_equal(cached(m), OF_EACH);
        for (unsigned k = 0; k < OF_EACH; k++)
            assert_large(m, k + 1, i + k * MANY, a);
        mailbox_unref(m);
    }
    arena_free(a);
    fixture_close(f);
}

static void at_delivery(void *arg)
{
    struct fixture *f = arg;
    fixture_open(f, f->root);
    fill(f, COUNT);
    settle(f);
    struct mailbox *m = open_box(f, &alice, "INBOX");
    assert_int_equal(cached(m), COUNT);
    assert_all(m, 1, COUNT);
    mailbox_unref(m);
    reopen(f);
    m = open_box(f, &alice, "INBOX");
    assert_read(m, 7, 7);
    assert_int_equal(cached(m), COUNT); /* all that the file has */
    assert_all(m, 1, COUNT);
    mailbox_unref(m);
    fixture_close(f);
}

static void on_demand(void *arg)
{
    struct fixture *f = arg;
    struct err e = {0};
    struct message_summary s;
    f->no_summaries = true;
    fixture_open(f, f->root);
    fill(f, COUNT);
    struct mailbox *m = open_box(f, &alice, "INBOX");
    assert_int_equal(cached(m), 0);
    assert_read(m, 300, 300); /* alone */
    assert_int_equal(cached(m), 1);
    assert_all(m, 1, COUNT);
    settle(f);
    assert_int_equal(cached(m), COUNT);
    assert_all(m, 1, COUNT);
    uint32_t uid = 5;
    assert_true(mailbox_expunge(m, &uid, 1, &e));
    struct summary_reader *r = summary_reader_new(m, ALL);
    assert_false(summary_read(r, 5, &s, &e));
    assert_int_equal(e.kind, ERR_NOT_FOUND);
    assert_false(summary_read(r, COUNT + 1, &s, &e));
    assert_int_equal(e.kind, ERR_NOT_FOUND);
    assert_true(summary_read(r, 6, &s, &e));
    assert_summary(&s, 6);
    summary_reader_free(r);
    mailbox_unref(m);
    fixture_close(f);
}

/* Overwrites some bytes of the file. */
static void damage(struct fixture *f, uint64_t at, const char *bytes, size_t n)
{
    char *path = path_in(f->root, "mail/" CACHE);
    struct iovec iov = {(void *)bytes, n};
    struct err e;
    int fd;
    assert_true(disk_open(path, O_WRONLY, 0, &fd, &e));
    assert_true(disk_write_at(fd, &iov, 1, at, path, &e));
    disk_close(fd);
    free(path);
}

static void damaged(void *arg)
{
    struct fixture *f = arg;
    struct err e = {0};
    fixture_open(f, f->root);
    fill(f, COUNT);
    settle(f);
    char *path = path_in(f->root, "mail/" CACHE);
    /* While it is in use: a column, a header, everything. */
    struct mailbox *m = open_box(f, &alice, "INBOX");
    damage(f, 10000, "damage", 6);
    assert_all(m, 1, COUNT);
    settle(f);
    damage(f, 64, "damage", 6);
    assert_all(m, 1, COUNT);
    settle(f);
    assert_true(disk_unlink(path, &e));
    assert_all(m, 1, COUNT);
    settle(f);
    assert_int_equal(cached(m), COUNT);
    mailbox_unref(m);
    /* While the server is down. */
    reopen(f);
    for (unsigned round = 0; round < 3; round++) {
        fixture_close(f);
        damage(f, round == 0 ? 3 : round == 1 ? 100 : 100000, "damage", 6);
        fixture_open(f, f->root);
        m = open_box(f, &alice, "INBOX");
        assert_all(m, 1, COUNT);
        settle(f);
        assert_int_equal(cached(m), COUNT);
        assert_all(m, 1, COUNT);
        mailbox_unref(m);
    }
    /* A directory in its place. */
    assert_true(disk_unlink(path, &e));
    put_dir(f->root, CACHE);
    reopen(f);
    m = open_box(f, &alice, "INBOX");
    assert_all(m, 1, COUNT);
    mailbox_unref(m);
    fixture_close(f);
    free(path);
}

static void of_another_mailbox(void *arg)
{
    struct fixture *f = arg;
    struct err e = {0};
    fixture_open(f, f->root);
    fill(f, 10);
    struct arena *a = arena_new();
    for (unsigned i = 10; i > 0; i--) /* the same UIDs and sizes, other messages */
        deliver(f, &bob, "INBOX", STR(""), text_of(a, i));
    arena_free(a);
    settle(f);
    fixture_close(f);
    char *from = path_in(f->root, "mail/example.test/bob/Maildir/maild-cache");
    char *to = path_in(f->root, "mail/" CACHE);
    assert_true(disk_rename(from, to, &e));
    fixture_open(f, f->root);
    struct mailbox *m = open_box(f, &alice, "INBOX");
    assert_all(m, 1, 9);
    mailbox_unref(m);
    fixture_close(f);
    free(from);
    free(to);
}

static void copies(void *arg)
{
    struct fixture *f = arg;
    struct err e = {0};
    struct arena *a = arena_new();
    uint32_t uids[COUNT], *source, *copied;
    size_t done;
    fixture_open(f, f->root);
    fill(f, COUNT);
    settle(f);
    struct mailbox *m = open_box(f, &alice, "INBOX"), *to = open_box(f, &alice, "Trash");
    for (size_t i = 0; i < COUNT; i++)
        uids[i] = (uint32_t)i + 1;
    for (int move = 0; move < 2; move++) {
        assert_true(mailbox_copy(m, uids, COUNT, to, move, a, &source, &copied, &done, &e));
        assert_int_equal(done, COUNT);
        for (int i = 0; i < 1000 && cached(to) < (size_t)COUNT * (1 + (size_t)move); i++)
            fiber_sleep(5 * USEC_MSEC, &e);
        assert_int_equal(cached(to), COUNT * (1 + move));
        assert_all(to, copied[0], COUNT);
    }
    /* From memory. */
    deliver(f, &alice, "INBOX", STR(""), text_of(a, 1));
    for (int i = 0; i < 1000 && cached(m) < 1; i++)
        fiber_sleep(5 * USEC_MSEC, &e);
    uids[0] = COUNT + 1;
    assert_true(mailbox_copy(m, uids, 1, to, true, a, &source, &copied, &done, &e));
    assert_int_equal(cached(to), 2 * COUNT + 1);
    assert_read(to, copied[0], 1);
    arena_free(a);
    mailbox_unref(m);
    mailbox_unref(to);
    fixture_close(f);
}

/* The file does not grow for ever. */
static void compaction(void *arg)
{
    struct fixture *f = arg;
    struct err e = {0};
    struct stat st;
    uint32_t uids[COUNT];
    off_t largest = 0;
    fixture_open(f, f->root);
    char *path = path_in(f->root, "mail/" CACHE);
    struct mailbox *m = open_box(f, &alice, "INBOX");
    for (uint32_t round = 0; round < 8; round++) {
        fill(f, COUNT);
        settle(f);
        for (size_t i = 0; i < COUNT; i++)
            uids[i] = round * COUNT + (uint32_t)i + 1;
        assert_all(m, round * COUNT + 1, COUNT);
        assert_true(mailbox_expunge(m, uids + 1, COUNT - 1, &e));
        assert_true(disk_stat(path, &st, &e));
        largest = st.st_size > largest ? st.st_size : largest;
    }
    assert_true(largest < 6 * COUNT * 1000);
    for (uint32_t round = 0; round < 8; round++)
        assert_read(m, round * COUNT + 1, 1);
    assert_int_equal(cached(m), 8);
    mailbox_unref(m);
    reopen(f);
    m = open_box(f, &alice, "INBOX");
    for (uint32_t round = 0; round < 8; round++)
        assert_read(m, round * COUNT + 1, 1);
    mailbox_unref(m);
    fixture_close(f);
    free(path);
}

#define STORE_TEST(name)                                                                           \
    static void test_##name(void **state)                                                          \
    {                                                                                              \
        (void)state;                                                                               \
        with_store(name);                                                                          \
    }
STORE_TEST(at_delivery)
STORE_TEST(many_mailboxes)
STORE_TEST(on_demand)
STORE_TEST(damaged)
STORE_TEST(of_another_mailbox)
STORE_TEST(copies)
STORE_TEST(compaction)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_at_delivery),        cmocka_unit_test(test_many_mailboxes),
        cmocka_unit_test(test_on_demand),          cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_of_another_mailbox), cmocka_unit_test(test_copies),
        cmocka_unit_test(test_compaction),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
