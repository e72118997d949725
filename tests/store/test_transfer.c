/*
 * Mailboxes and messages that come back: with id, UIDVALIDITY, UIDs and dates, in order though they
 * are on their way together, and still so after a crash.
 */
#include "store/transfer.h"
#include "store_helper.h"

#define ID "00112233445566778899aabbccddeeff"

struct coming {
    struct fixture *f;
    struct mailbox *mailbox;
    struct restore_request request;
    unsigned *left;
    struct cond *done;
};

static void restore_one(void *arg)
{
    struct coming *c = arg;
    struct err e = {0};
    if (!mailbox_restore(c->mailbox, "test", &c->request, &e))
        fail_msg("%s", e.text);
    --*c->left;
    cond_broadcast(c->done);
}

/* The last ticket starts first. */
static void restore_together(struct fixture *f, struct mailbox *m, const uint32_t *uids, size_t n)
{
    struct restore_order order = {0};
    struct cond done = {0};
    struct coming coming[8];
    unsigned left = (unsigned)n;
    for (size_t i = n; i-- > 0;) {
        struct buf text = BUF_EMPTY;
        buf_printf(&text, "message %zu\n", i);
        coming[i] = (struct coming){.f = f,
                                    .mailbox = m,
                                    .request = {.message = make_message(f, buf_str(&text)),
                                                .flags = MESSAGE_SEEN,
                                                .date = 1000 + (int64_t)i,
                                                .save_date = 2000 + (int64_t)i,
                                                .uid = uids[i],
                                                .order = &order,
                                                .ticket = i},
                                    .left = &left,
                                    .done = &done};
        assert_true(fiber_start(loop_current(), "restore", restore_one, &coming[i]));
        buf_free(&text);
    }
    while (left > 0)
        cond_wait_certain(&done);
    for (size_t i = 0; i < n; i++)
        spool_unref(coming[i].request.message);
}

static void assert_restored(struct mailbox *m, uint32_t uid, size_t i)
{
    struct buf text = BUF_EMPTY;
    buf_printf(&text, "message %zu\n", i);
    assert_message(m, uid, buf_c(&text));
    assert_int_equal(message_internal_date(m, uid), 1000 + (int64_t)i);
    assert_int_equal(message_save_date(m, uid), 2000 + (int64_t)i);
    assert_int_equal(mailbox_find_uid(m, uid)->flags, MESSAGE_SEEN);
    buf_free(&text);
}

static void comes_back(void *arg)
{
    static const uint32_t uids[] = {3, 7, 5, 0, 20};
    static const uint32_t expected[] = {3, 7, 8, 9, 20}; /* 5 is used up by then */
    struct fixture *f = arg;
    char *root = f->root;
    struct err e = {0};
    fixture_open(f, root);
    if (!store_restore_mailbox(f->store, &alice, STR("A/B"), STR(ID), 4000000000u, &e))
        fail_msg("%s", e.text);
    assert_false(store_restore_mailbox(f->store, &alice, STR("A/B"), STR(ID), 1, &e));
    assert_int_equal(e.kind, ERR_EXISTS);
    struct mailbox *m = open_box(f, &alice, "A/B");
    assert_int_equal(mailbox_uid_validity(m), 4000000000u);
    assert_true(str_equal(mailbox_id(m), STR(ID)));
    restore_together(f, m, uids, 5);
    assert_true(mailbox_raise_uid_next(m, 500, &e));
    assert_true(mailbox_raise_uid_next(m, 100, &e));
    char *copy = crash_copy(root);
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < 5; i++)
            assert_restored(m, expected[i], i);
        assert_int_equal(count_messages(m), 5);
        assert_int_equal(mailbox_uid_next(m), 500);
        if (round == 0) {
            mailbox_unref(m);
            fixture_close(f);
            fixture_open(f, copy);
            m = open_box(f, &alice, "A/B");
        }
    }
    assert_int_equal(append(f, m, STR("new\n"), 0, NULL, 1), 500);
    mailbox_unref(m);
    fixture_close(f);
    remove_directory(copy);
    f->root = root;
}

static void test_comes_back(void **state)
{
    (void)state;
    with_store(comes_back);
}

static void uid_validities(void *arg)
{
    struct fixture *f = arg;
    struct err e = {0};
    bool taken;
    fixture_open(f, f->root);
    struct mailbox *m = open_box(f, &alice, "INBOX");
    uint32_t own = mailbox_uid_validity(m);
    /* Nobody knows it yet: it can be another one, and is so after a restart. */
    assert_true(mailbox_take_uid_validity(m, own - 1000, &taken, &e) && taken);
    mailbox_unref(m);
    fixture_close(f);
    fixture_open(f, f->root);
    m = open_box(f, &alice, "INBOX");
    assert_int_equal(mailbox_uid_validity(m), own - 1000);
    append(f, m, STR("one\n"), 0, NULL, 1);
    assert_true(mailbox_take_uid_validity(m, own - 1000, &taken, &e) && taken);
    assert_true(mailbox_take_uid_validity(m, own, &taken, &e) && !taken);
    assert_int_equal(mailbox_uid_validity(m), own - 1000);
    /* What is made later has a higher one than any that came back. */
    assert_true(store_restore_mailbox(f->store, &alice, STR("Back"), STR(""), 4100000000u, &e));
    assert_true(store_create_mailbox(f->store, &alice, STR("Later"), &e));
    struct mailbox *later = open_box(f, &alice, "Later");
    assert_true(mailbox_uid_validity(later) > 4100000000u);
    /* An id belongs to one mailbox. */
    assert_true(store_restore_mailbox(f->store, &alice, STR("Twin"), mailbox_id(later), 5, &e));
    struct mailbox *twin = open_box(f, &alice, "Twin");
    assert_false(str_equal(mailbox_id(twin), mailbox_id(later)));
    assert_int_equal(mailbox_uid_validity(twin), 5);
    mailbox_unref(twin);
    mailbox_unref(later);
    mailbox_unref(m);
    fixture_close(f);
}

static void test_uid_validities(void **state)
{
    (void)state;
    with_store(uid_validities);
}

int main(void)
{
    log_set_level(LOG_LEVEL_WARNING);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_comes_back),
                                       cmocka_unit_test(test_uid_validities)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
