/*
 * Scans see every message once with its bytes, whether its file is written, renamed by another
 * program or large; what is gone is counted; progress comes in order and can stop.
 */
#include "store/scan.h"
#include "store_helper.h"

#define MAILDIR "example.test/alice/Maildir"

struct seen {
    size_t count, calls, done, stop_at;
    unsigned *times;  /* by index */
    uint64_t *hashes; /* of the bytes */
    bool *whole;
    struct mailbox *m;
    uint32_t expunge; /* at the first progress */
};

static void see(void *arg, const struct scan_message *m)
{
    struct seen *s = arg;
    assert_true(m->index < s->count);
    s->times[m->index]++;
    s->hashes[m->index] = str_hash(m->bytes);
    s->whole[m->index] = m->whole;
    assert_int_equal(arena_alloc(m->arena, 1) != NULL, 1);
}

static bool note_progress(void *arg, size_t done)
{
    struct seen *s = arg;
    struct err e;
    s->calls++;
    assert_true(done >= s->done);
    s->done = done;
    if (s->expunge)
        assert_true(mailbox_expunge(s->m, &s->expunge, 1, &e));
    s->expunge = 0;
    return !s->stop_at || done < s->stop_at;
}

static void seen_init(struct seen *s, struct mailbox *m, size_t count)
{
    *s = (struct seen){.m = m, .count = count};
    s->times = mem_array(count, sizeof(*s->times));
    s->hashes = mem_array(count, sizeof(*s->hashes));
    s->whole = mem_array(count, sizeof(*s->whole));
}

static void seen_free(struct seen *s)
{
    free(s->times);
    free(s->hashes);
    free(s->whole);
}

static struct mailbox_scan scan_of(struct seen *s, const uint32_t *uids, enum scan_part part)
{
    return (struct mailbox_scan){.mailbox = s->m,
                                 .uids = uids,
                                 .count = s->count,
                                 .part = part,
                                 .fn = see,
                                 .progress = note_progress,
                                 .arg = s};
}

static char *text_of(uint32_t uid)
{
    struct buf b = BUF_EMPTY;
    buf_printf(&b, "Subject: number %u\n\nbody\n", uid);
    return (char *)buf_c(&b);
}

static void fill_box(struct fixture *f, uint32_t *uids, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char *text = text_of((uint32_t)i + 1);
        uids[i] = deliver(f, &alice, "INBOX", STR(""), str_from_c(text));
        assert_int_equal(uids[i], i + 1);
        free(text);
    }
}

static uint64_t hash_of(uint32_t uid, bool header)
{
    char *text = text_of(uid);
    uint64_t hash = str_hash(str_head(str_from_c(text), strlen(text) - (header ? 5 : 0)));
    free(text);
    return hash;
}

static void assert_seen(const struct seen *s, const uint32_t *uids, bool header)
{
    for (size_t i = 0; i < s->count; i++) {
        assert_int_equal(s->times[i], 1);
        assert_true(s->whole[i]);
        assert_int_equal(s->hashes[i], hash_of(uids[i], header));
    }
}

static void everything(void *arg)
{
    struct fixture *f = arg;
    struct err e = {0};
    enum { COUNT = 300 };
    uint32_t uids[COUNT];
    struct seen s;
    fixture_open(f, f->root);
    fill_box(f, uids, COUNT);
    struct mailbox *m = open_box(f, &alice, "INBOX");
    for (int round = 0; round < 3; round++) {
        seen_init(&s, m, COUNT);
        struct mailbox_scan scan = scan_of(&s, uids, round == 1 ? SCAN_HEADER : SCAN_WHOLE);
        assert_true(mailbox_scan(&scan, &e));
        assert_seen(&s, uids, round == 1);
        assert_int_equal(s.done, COUNT);
        assert_int_equal(scan.missing, 0);
        seen_free(&s);
        if (round == 0)
            checkpoint(f);
        else if (round == 1)
            mailbox_claim_recent(m, false); /* all names change soon */
    }
    /* None of nothing. */
    seen_init(&s, m, 0);
    struct mailbox_scan scan = scan_of(&s, uids, SCAN_WHOLE);
    assert_true(mailbox_scan(&scan, &e));
    assert_int_equal(s.calls, 0);
    seen_free(&s);
    mailbox_unref(m);
    fixture_close(f);
}

static void gone_and_renamed(void *arg)
{
    struct fixture *f = arg;
    struct err e = {0};
    enum { COUNT = 200 };
    uint32_t uids[COUNT];
    struct seen s;
    char *path;
    fixture_open(f, f->root);
    fill_box(f, uids, COUNT);
    checkpoint(f);
    struct mailbox *m = open_box(f, &alice, "INBOX");
    assert_true(mailbox_expunge(m, &uids[3], 1, &e));
    /* Another program marks one as seen, and removes one. */
    assert_true(files_in(f->root, MAILDIR "/new", NULL, &path) > 0);
    struct buf to = BUF_EMPTY;
    buf_printf(&to, "%s/mail/" MAILDIR "/cur%s:2,S", f->root, strrchr(path, '/'));
    assert_true(disk_rename(path, buf_c(&to), &e));
    free(path);
    assert_true(files_in(f->root, MAILDIR "/new", NULL, &path) > 0);
    assert_true(disk_unlink(path, &e));
    free(path);
    buf_free(&to);
    seen_init(&s, m, COUNT);
    s.expunge = uids[COUNT - 1];
    struct mailbox_scan scan = scan_of(&s, uids, SCAN_WHOLE);
    assert_true(mailbox_scan(&scan, &e));
    size_t seen = 0;
    for (size_t i = 0; i < COUNT; i++)
        seen += s.times[i];
    assert_int_equal(s.times[3], 0);
    assert_true(scan.missing == 2 || scan.missing == 3);
    assert_int_equal(seen + scan.missing, COUNT);
    assert_int_equal(scan.first_error.kind, ERR_NONE);
    seen_free(&s);
    mailbox_unref(m);
    fixture_close(f);
}

static void large_ones(void *arg)
{
    struct fixture *f = arg;
    struct err e = {0};
    enum { COUNT = 6, SIZE = 3 * 1024 * 1024 };
    uint32_t uids[COUNT];
    struct seen s;
    char *text = mem_alloc(SIZE);
    fixture_open(f, f->root);
    struct mailbox *m = open_box(f, &alice, "INBOX");
    memset(text, 'x', SIZE);
    memcpy(text, "A: b\n\n", 6);
    for (size_t i = 0; i < COUNT; i++)
        uids[i] = append(f, m, str_from(text, i == 2 ? 10 : SIZE - i), 0, NULL, 1700000000);
    for (int header = 0; header < 2; header++) {
        seen_init(&s, m, COUNT);
        struct mailbox_scan scan = scan_of(&s, uids, header ? SCAN_HEADER : SCAN_WHOLE);
        assert_true(mailbox_scan(&scan, &e));
        for (size_t i = 0; i < COUNT; i++) {
            struct str expected = str_from(text, header ? 6 : i == 2 ? 10 : SIZE - i);
            assert_int_equal(s.times[i], 1);
            assert_true(s.whole[i]);
            assert_int_equal(s.hashes[i], str_hash(expected));
        }
        seen_free(&s);
    }
    free(text);
    mailbox_unref(m);
    fixture_close(f);
}

static void stopped(void *arg)
{
    struct fixture *f = arg;
    struct err e = {0};
    enum { COUNT = 600 };
    uint32_t uids[COUNT];
    struct seen s;
    fixture_open(f, f->root);
    fill_box(f, uids, COUNT);
    struct mailbox *m = open_box(f, &alice, "INBOX");
    seen_init(&s, m, COUNT);
    s.stop_at = 1;
    struct mailbox_scan scan = scan_of(&s, uids, SCAN_WHOLE);
    assert_false(mailbox_scan(&scan, &e));
    assert_int_equal(e.kind, ERR_NONE);
    assert_int_equal(s.calls, 1);
    assert_int_equal(s.times[COUNT - 1], 0);
    fiber_cancel(fiber_self());
    s.stop_at = 0;
    assert_false(mailbox_scan(&scan, &e));
    assert_int_equal(e.kind, ERR_CANCELLED);
    seen_free(&s);
    mailbox_unref(m);
    fixture_close(f);
}

static void test_everything(void **state)
{
    (void)state;
    with_store(everything);
}

static void test_gone_and_renamed(void **state)
{
    (void)state;
    with_store(gone_and_renamed);
}

static void test_large(void **state)
{
    (void)state;
    with_store(large_ones);
}

static void test_stopped(void **state)
{
    (void)state;
    with_store(stopped);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_everything),
        cmocka_unit_test(test_gone_and_renamed),
        cmocka_unit_test(test_large),
        cmocka_unit_test(test_stopped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
