/*
 * A snapshot shows the mailboxes of one moment, whatever becomes of them while it is read, and
 * leaves nothing behind.
 */
#include "store/snapshot.h"
#include "store_helper.h"

static struct snapshot *take(struct fixture *f, const char *const *names, size_t count)
{
    struct str list[8];
    struct err e = {0};
    for (size_t i = 0; i < count; i++)
        list[i] = str_from_c(names[i]);
    struct snapshot *s = snapshot_take(f->store, &alice, list, count, &e);
    if (!s)
        fail_msg("%s", e.text);
    return s;
}

static void assert_snapshot_message(struct snapshot *s, size_t mailbox, size_t message,
                                    const char *text)
{
    struct message_reader *r;
    struct err e = {0};
    char bytes[100];
    size_t got;
    if (!snapshot_open(s, mailbox, message, &r, &e))
        fail_msg("%zu %zu: %s", mailbox, message, e.text);
    assert_true(message_read_at(r, bytes, sizeof(bytes), 0, &got, &e));
    assert_int_equal(got, strlen(text));
    assert_memory_equal(bytes, text, got);
    message_close(r);
}

static void expunge(struct mailbox *m, uint32_t uid)
{
    struct err e = {0};
    if (!mailbox_expunge(m, &uid, 1, &e))
        fail_msg("%s", e.text);
}

static size_t held(struct fixture *f)
{
    size_t count;
    struct name_search n = {.contains = ".hold"};
    struct err e;
    assert_true(disk_list(store_spool_dir(f->store), name_search_see, &n, &e));
    count = n.count;
    buf_free(&n.found);
    return count;
}

static void one_moment(void *arg)
{
    static const char *const names[] = {"INBOX", "Gone", "nowhere", "Old"};
    struct fixture *f = arg;
    struct err e;
    size_t count;
    fixture_open(f, f->root);
    assert_true(store_create_mailbox(f->store, &alice, STR("Gone"), &e));
    assert_true(store_create_mailbox(f->store, &alice, STR("Old"), &e));
    struct mailbox *m = open_box(f, &alice, "INBOX"), *gone = open_box(f, &alice, "Gone"),
                   *old = open_box(f, &alice, "Old");
    append(f, m, STR("one\n"), MESSAGE_SEEN, "work", 5000);
    append(f, m, STR("two\n"), 0, NULL, 6000);
    append(f, gone, STR("in gone\n"), 0, NULL, 7000);
    checkpoint(f);
    append(f, m, STR("three\n"), 0, NULL, 8000); /* its file is not written yet */
    append(f, old, STR("in old\n"), 0, NULL, 9000);

    struct snapshot *s = take(f, names, 4);
    const struct snapshot_mailbox *boxes = snapshot_mailboxes(s, &count);
    assert_int_equal(count, 3);
    assert_int_equal(boxes[0].count, 3);
    assert_int_equal(boxes[0].uid_next, 4);
    expunge(m, 1);
    checkpoint(f);
    expunge(m, 2); /* its file has not left yet */
    expunge(m, 3);
    append(f, m, STR("four\n"), 0, NULL, 5000);
    mailbox_unref(gone);
    assert_true(store_delete_mailbox(f->store, &alice, STR("Gone"), &e));
    assert_true(store_rename_mailbox(f->store, &alice, STR("Old"), STR("New"), &e));

    assert_int_equal(boxes[0].count, 3);
    assert_int_equal(boxes[0].messages[0].flags, MESSAGE_SEEN);
    assert_int_equal(boxes[0].messages[0].internal_date, 5000);
    assert_true(str_equal(snapshot_keywords(s, 0, &boxes[0].messages[0]), STR("work")));
    assert_true(str_equal(boxes[2].name, STR("Old")));
    assert_snapshot_message(s, 0, 0, "one\n");
    assert_snapshot_message(s, 0, 1, "two\n");
    assert_snapshot_message(s, 0, 2, "three\n");
    assert_snapshot_message(s, 1, 0, "in gone\n");
    assert_snapshot_message(s, 2, 0, "in old\n");
    assert_true(held(f) > 0);
    snapshot_free(s);
    assert_int_equal(held(f), 0);
    assert_int_equal(count_messages(m), 1);
    mailbox_unref(m);
    mailbox_unref(old);
    fixture_close(f);
}

static void test_one_moment(void **state)
{
    (void)state;
    with_store(one_moment);
}

/* Two at a time hold the same mailbox; a crash in between leaves nothing that stays. */
static void several(void *arg)
{
    static const char *const names[] = {"INBOX"};
    struct fixture *f = arg;
    char *root = f->root;
    fixture_open(f, root);
    struct mailbox *m = open_box(f, &alice, "INBOX");
    append(f, m, STR("one\n"), 0, NULL, 5000);
    checkpoint(f);
    struct snapshot *first = take(f, names, 1), *second = take(f, names, 1);
    expunge(m, 1);
    checkpoint(f);
    snapshot_free(first);
    char *copy = crash_copy(root);
    assert_snapshot_message(second, 0, 0, "one\n");
    snapshot_free(second);
    assert_int_equal(held(f), 0);
    mailbox_unref(m);
    fixture_close(f);
    fixture_open(f, copy);
    m = open_box(f, &alice, "INBOX");
    for (int i = 0; i < 2; i++) {
        append(f, m, STR("two\n"), 0, NULL, 5000);
        checkpoint(f);
    }
    mailbox_unref(m);
    assert_int_equal(held(f), 0);
    fixture_close(f);
    remove_directory(copy);
    f->root = root;
}

static void test_several(void **state)
{
    (void)state;
    with_store(several);
}

int main(void)
{
    log_set_level(LOG_LEVEL_WARNING);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_one_moment),
                                       cmocka_unit_test(test_several)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
