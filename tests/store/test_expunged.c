/*
 * What was expunged or deleted is kept outside the mailbox, listed, brought back as it was, and
 * removed when its time is over; through crashes and with a full stop in between.
 */
#include "store/expunged_name.h"
#include "store/limits.h"
#include "store/undelete.h"
#include "store_helper.h"

#define MAILDIR  "example.test/alice/Maildir"
#define EXPUNGED MAILDIR "/expunged"

static void names(void **state)
{
    (void)state;
    struct buf b = BUF_EMPTY;
    struct expunged_name n = {.time = 1700000000,
                              .uid = 42,
                              .flags = MESSAGE_SEEN | MESSAGE_DELETED,
                              .keywords = 5,
                              .base = STR("1.M2P3.host,S=4,W=5")},
                         back;
    expunged_name_add(&b, &n);
    assert_string_equal(buf_c(&b), "1700000000.42.STac.1.M2P3.host,S=4,W=5");
    assert_true(expunged_name_parse(buf_str(&b), &back));
    assert_int_equal(back.time, n.time);
    assert_int_equal(back.uid, 42);
    assert_int_equal(back.flags, n.flags);
    assert_int_equal(back.keywords, 5);
    assert_true(str_equal(back.base, n.base));
    /* The longest there can be. */
    char longest[FILE_NAME_MAX];
    memset(longest, 'x', sizeof(longest));
    n = (struct expunged_name){.time = INT64_MAX,
                               .uid = UINT32_MAX,
                               .flags = MESSAGE_FLAGS_ALL,
                               .keywords = (1u << 26) - 1,
                               .base = str_from(longest, sizeof(longest))};
    buf_clear(&b);
    expunged_name_add(&b, &n);
    assert_int_equal(b.n, FILE_NAME_MAX);
    assert_true(expunged_name_parse(buf_str(&b), &back));
    assert_int_equal(back.keywords, n.keywords);
    static const char *const wrong[] = {"",         "mailbox", "1.2.S",   "1.2.S.",
                                        "x.2.S.b",  "1.y.S.b", "1.2.?.b", "-1.2.S.b",
                                        "1.2.SD.b", "..",      "1...b"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
        assert_false(expunged_name_parse(str_from_c(wrong[i]), &back));
    buf_free(&b);
}

static void notes(void **state)
{
    (void)state;
    struct buf b = BUF_EMPTY;
    struct expunged_note n = {.name = STR("A/B c"), .uid_validity = 77}, back;
    n.keywords[2] = STR("$Work");
    expunged_note_add(&b, &n);
    expunged_note_parse(&back, buf_str(&b));
    assert_true(str_equal(back.name, n.name));
    assert_int_equal(back.uid_validity, 77);
    assert_true(str_equal(back.keywords[2], STR("$Work")));
    expunged_note_parse(&back, STR("garbage\nkeyword 99 x\nkeyword\nname"));
    assert_int_equal(back.name.n, 0);
    buf_free(&b);
}

/* --- with a store --- */

static void settle(struct fixture *f)
{
    checkpoint(f);
}

static size_t kept_files(const char *root, const char *contains)
{
    struct buf b = BUF_EMPTY;
    size_t count = 0;
    char *box = NULL;
    files_in(root, EXPUNGED, NULL, &box);
    if (box) {
        buf_printf(&b, "%s", box + strlen(root) + sizeof("/mail"));
        count = files_in(root, buf_c(&b), contains, NULL);
    }
    free(box);
    buf_free(&b);
    return count;
}

struct result {
    struct arena *arena;
    struct undeleted *list;
    size_t count;
};

static struct result undelete(struct fixture *f, const char *name, int64_t since, uint32_t uid)
{
    struct result r = {.arena = arena_new()};
    struct err e = {0};
    const struct uid_range range = {uid, uid};
    const struct expunged_filter filter = {
        .since = since, .uids = uid > 0 ? &range : NULL, .uid_count = uid > 0};
    if (!store_undelete(f->store, &alice, str_from_c(name), &filter, r.arena, &r.list, &r.count,
                        &e))
        fail_msg("%s", e.text);
    for (size_t i = 0; i < r.count; i++)
        if (r.list[i].error.kind != ERR_NONE)
            fail_msg("%s", r.list[i].error.text);
    return r;
}

/* "Name:uid,uid(deleted 2) ..." */
static void assert_kept(struct fixture *f, const char *expected)
{
    struct arena *a = arena_new();
    struct expunged_box *boxes;
    size_t count;
    struct err e = {0};
    struct buf b = BUF_EMPTY;
    const struct expunged_filter filter = {.describe = true};
    if (!store_list_expunged(f->store, &alice, STR(""), &filter, a, &boxes, &count, &e))
        fail_msg("%s", e.text);
    for (size_t i = 0; i < count; i++) {
        buf_printf(&b, "%s%.*s:", i ? " " : "", STR_ARG(boxes[i].note.name));
        for (size_t k = 0; k < boxes[i].count; k++)
            buf_printf(&b, "%s%u", k ? "," : "", boxes[i].files[k].name.uid);
        if (boxes[i].deleted > 0)
            buf_printf(&b, "(deleted %zu)", boxes[i].deleted_messages);
    }
    assert_string_equal(buf_c(&b), expected);
    buf_free(&b);
    arena_free(a);
}

static void expunge(struct mailbox *m, uint32_t uid)
{
    struct err e = {0};
    if (!mailbox_expunge(m, &uid, 1, &e))
        fail_msg("%s", e.text);
}

static void messages(void *arg)
{
    struct fixture *f = arg;
    struct err e;
    f->keep_expunged = 7 * 86400 * USEC_SEC;
    fixture_open(f, f->root);
    struct mailbox *m = open_box(f, &alice, "INBOX");
    append(f, m, STR("Subject: one\n\nfirst\n"), MESSAGE_SEEN, "work", 5000);
    append(f, m, STR("second\n"), 0, NULL, 6000);
    settle(f);
    uint32_t uids[] = {1};
    assert_true(
        change_flags(m, uids, 1, FLAGS_ADD, MESSAGE_DELETED | MESSAGE_FLAGGED, NULL, 0, &e));
    expunge(m, 1);
    /* Its file may not be written yet. */
    append(f, m, STR("third\n"), MESSAGE_DRAFT, "later", 7000);
    expunge(m, 3);
    assert_int_equal(count_messages(m), 1);
    settle(f);
    assert_int_equal(kept_files(f->root, ".1.FSTa."), 1);
    assert_int_equal(kept_files(f->root, ".3.Db."), 1);
    assert_int_equal(files_in(f->root, MAILDIR "/cur", NULL, NULL) +
                         files_in(f->root, MAILDIR "/new", NULL, NULL),
                     1);
    assert_kept(f, "INBOX:1,3");

    struct result r = undelete(f, "inbox", 0, 3);
    assert_int_equal(r.count, 1);
    assert_int_equal(r.list[0].messages, 1);
    assert_false(r.list[0].whole);
    arena_free(r.arena);
    assert_kept(f, "INBOX:1");
    assert_int_equal(count_messages(m), 2);
    assert_message(m, 4, "third\n");
    r = undelete(f, "", clock_wall() / USEC_SEC + 100, 0);
    assert_int_equal(r.count, 0);
    arena_free(r.arena);
    r = undelete(f, "Sent", 0, 0);
    assert_int_equal(r.count, 0);
    arena_free(r.arena);
    r = undelete(f, "", 0, 0);
    arena_free(r.arena);
    assert_kept(f, "");
    for (int round = 0; round < 2; round++) {
        assert_message(m, 5, "Subject: one\n\nfirst\n");
        const struct message *message = mailbox_find_uid(m, 5);
        assert_int_equal(message->flags, MESSAGE_SEEN | MESSAGE_FLAGGED);
        assert_true(mailbox_set_has(m, message->keywords, 0));
        assert_int_equal(message->size_crlf, 23);
        assert_int_equal(message_internal_date(m, 5), 5000);
        assert_int_equal(mailbox_find_uid(m, 4)->flags, MESSAGE_DRAFT);
        assert_true(mailbox_set_has(m, mailbox_find_uid(m, 4)->keywords, 1));
        assert_int_equal(count_messages(m), 3);
        mailbox_unref(m);
        fixture_close(f);
        fixture_open(f, f->root);
        m = open_box(f, &alice, "INBOX");
    }
    /* What moved elsewhere was not expunged. */
    struct mailbox *trash = open_box(f, &alice, "Trash");
    struct arena *a = arena_new();
    uint32_t *source, *copies;
    size_t done;
    assert_true(mailbox_copy(m, (uint32_t[]){4}, 1, trash, true, a, &source, &copies, &done, &e));
    settle(f);
    assert_kept(f, "");
    arena_free(a);
    mailbox_unref(m);
    mailbox_unref(trash);
    fixture_close(f);
}

static void test_messages(void **state)
{
    (void)state;
    with_store(messages);
}

/* A crash at any moment of an expunge or of bringing back: each message is in one of the places. */
static void crashes(void *arg)
{
    struct fixture *f = arg;
    char *root = f->root;
    f->keep_expunged = USEC_SEC * 3600;
    fixture_open(f, root);
    struct mailbox *m = open_box(f, &alice, "INBOX");
    append(f, m, STR("one\n"), 0, NULL, 5000);
    append(f, m, STR("two\n"), 0, "work", 5000);
    settle(f);
    append(f, m, STR("three\n"), 0, NULL, 5000);
    expunge(m, 2);
    expunge(m, 3);
    char *at_once = crash_copy(root);
    settle(f);
    char *settled = crash_copy(root);
    mailbox_unref(m);
    arena_free(undelete(f, "", 0, 0).arena);
    char *undeleted = crash_copy(root);
    fixture_close(f);

    char *copies[] = {at_once, settled, undeleted};
    for (int i = 0; i < 3; i++) {
        fixture_open(f, copies[i]);
        m = open_box(f, &alice, "INBOX");
        assert_message(m, 1, "one\n");
        if (i < 2) {
            assert_int_equal(count_messages(m), 1);
            assert_kept(f, "INBOX:2,3");
            arena_free(undelete(f, "", 0, 0).arena);
        }
        assert_int_equal(count_messages(m), 3);
        assert_message(m, 4, "two\n");
        assert_message(m, 5, "three\n");
        assert_true(mailbox_set_has(m, mailbox_find_uid(m, 4)->keywords, 0));
        mailbox_unref(m);
        fixture_close(f);
        remove_directory(copies[i]);
    }
    f->root = root;
}

static void test_crashes(void **state)
{
    (void)state;
    with_store(crashes);
}

static void mailboxes(void *arg)
{
    struct fixture *f = arg;
    struct err e;
    char *root = f->root;
    f->keep_expunged = USEC_SEC * 3600;
    fixture_open(f, root);
    assert_true(store_create_mailbox(f->store, &alice, STR("Work/Old"), &e));
    struct mailbox *m = open_box(f, &alice, "Work/Old");
    append(f, m, STR("gone before\n"), 0, NULL, 4000);
    append(f, m, STR("kept\n"), MESSAGE_SEEN, "work", 5000);
    append(f, m, STR("too\n"), 0, NULL, 6000);
    expunge(m, 1);
    assert_true(change_flags(m, (uint32_t[]){3}, 1, FLAGS_ADD, MESSAGE_FLAGGED, NULL, 0, &e));
    uint32_t validity = mailbox_uid_validity(m);
    mailbox_unref(m);
    assert_true(store_delete_mailbox(f->store, &alice, STR("Work/Old"), &e));
    assert_kept(f, "Work/Old:1(deleted 2)");
    char *crashed = crash_copy(root);
    /* An empty one is not worth it. */
    assert_true(store_create_mailbox(f->store, &alice, STR("Empty"), &e));
    assert_true(store_delete_mailbox(f->store, &alice, STR("Empty"), &e));
    assert_kept(f, "Work/Old:1(deleted 2)");
    fixture_close(f);

    fixture_open(f, crashed);
    /* The name is taken meanwhile; a second deletion of the same mailbox works as well. */
    assert_true(store_create_mailbox(f->store, &alice, STR("Work/Old"), &e));
    struct result r = undelete(f, "Work/Old", 0, 0);
    assert_int_equal(r.count, 1);
    assert_true(r.list[0].whole);
    assert_int_equal(r.list[0].messages, 3);
    assert_true(str_equal(r.list[0].into, STR("Work/Old-undeleted")));
    arena_free(r.arena);
    assert_kept(f, "");
    m = open_box(f, &alice, "Work/Old-undeleted");
    assert_int_equal(mailbox_uid_validity(m), validity);
    assert_message(m, 2, "kept\n");
    assert_message(m, 3, "too\n");
    assert_message(m, 4, "gone before\n");
    assert_int_equal(mailbox_find_uid(m, 2)->flags, MESSAGE_SEEN);
    assert_true(mailbox_set_has(m, mailbox_find_uid(m, 2)->keywords, 0));
    assert_int_equal(mailbox_find_uid(m, 3)->flags, MESSAGE_FLAGGED);
    expunge(m, 4);
    settle(f);
    mailbox_unref(m);
    uint64_t removed;
    assert_true(store_purge_expunged(f->store, &alice, INT64_MAX, &removed, &e));
    assert_int_equal(removed, 1);
    assert_true(store_delete_mailbox(f->store, &alice, STR("Work/Old-undeleted"), &e));
    assert_kept(f, "Work/Old-undeleted:(deleted 2)");
    r = undelete(f, "Work/Old", 0, 0);
    assert_int_equal(r.count, 0);
    arena_free(r.arena);
    arena_free(undelete(f, "Work/Old-undeleted", 0, 0).arena);
    m = open_box(f, &alice, "Work/Old-undeleted");
    assert_int_equal(mailbox_uid_validity(m), validity);
    assert_int_equal(count_messages(m), 2);
    mailbox_unref(m);
    char *again = crash_copy(crashed);
    fixture_close(f);
    /* The deletion is not replayed. */
    fixture_open(f, again);
    m = open_box(f, &alice, "Work/Old-undeleted");
    assert_int_equal(count_messages(m), 2);
    mailbox_unref(m);
    fixture_close(f);
    remove_directory(crashed);
    remove_directory(again);
    f->root = root;
}

static void test_mailboxes(void **state)
{
    (void)state;
    with_store(mailboxes);
}

static void purges(void *arg)
{
    struct fixture *f = arg;
    struct err e;
    uint64_t removed;
    f->keep_expunged = USEC_SEC * 3600;
    fixture_open(f, f->root);
    assert_true(store_create_mailbox(f->store, &alice, STR("A"), &e));
    struct mailbox *m = open_box(f, &alice, "A");
    for (int i = 0; i < 4; i++)
        append(f, m, STR("x\n"), 0, NULL, 5000);
    expunge(m, 1);
    expunge(m, 2);
    settle(f);
    mailbox_unref(m);
    assert_true(store_delete_mailbox(f->store, &alice, STR("A"), &e));
    int64_t now = clock_wall() / USEC_SEC;
    assert_true(store_purge_expunged(f->store, NULL, now - 1000, &removed, &e));
    assert_int_equal(removed, 0);
    assert_kept(f, "A:1,2(deleted 2)");
    assert_true(store_purge_expunged(f->store, NULL, now + 1000, &removed, &e));
    assert_int_equal(removed, 5);
    assert_kept(f, "");
    assert_int_equal(files_in(f->root, EXPUNGED, NULL, NULL), 0);
    fixture_close(f);

    /* Without the setting nothing is kept, and what was goes at the start. */
    f->keep_expunged = 3600 * USEC_SEC;
    fixture_open(f, f->root);
    m = open_box(f, &alice, "INBOX");
    append(f, m, STR("x\n"), 0, NULL, 5000);
    append(f, m, STR("y\n"), 0, NULL, 5000);
    expunge(m, 1);
    mailbox_unref(m);
    fixture_close(f);
    assert_int_equal(kept_files(f->root, ".1."), 1);
    f->keep_expunged = 0;
    fixture_open(f, f->root);
    m = open_box(f, &alice, "INBOX");
    expunge(m, 2);
    settle(f);
    usec end = clock_monotonic() + 10 * USEC_SEC;
    /* In its first second it may be too young. */
    while (kept_files(f->root, ".") > 0 && clock_monotonic() < end) {
        assert_true(store_purge_expunged(f->store, NULL, clock_wall() / USEC_SEC, &removed, &e));
        fiber_sleep(50 * USEC_MSEC, &e);
    }
    assert_int_equal(kept_files(f->root, "."), 0);
    mailbox_unref(m);
    fixture_close(f);
}

static void test_purges(void **state)
{
    (void)state;
    with_store(purges);
}

/* Where nothing can be kept an expunge is one all the same. */
static void in_the_way(void *arg)
{
    struct fixture *f = arg;
    f->keep_expunged = 3600 * USEC_SEC;
    fixture_open(f, f->root);
    struct mailbox *m = open_box(f, &alice, "INBOX");
    append(f, m, STR("x\n"), 0, NULL, 5000);
    put_file(f->root, EXPUNGED, "a file");
    log_set_level(LOG_LEVEL_ERROR + 1);
    expunge(m, 1);
    settle(f);
    log_set_level(LOG_LEVEL_WARNING);
    mailbox_unref(m);
    fixture_close(f);
    fixture_open(f, f->root);
    m = open_box(f, &alice, "INBOX");
    assert_int_equal(count_messages(m), 0);
    mailbox_unref(m);
    fixture_close(f);
}

static void test_in_the_way(void **state)
{
    (void)state;
    with_store(in_the_way);
}

int main(void)
{
    log_set_level(LOG_LEVEL_WARNING);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),           cmocka_unit_test(notes),
        cmocka_unit_test(test_messages),   cmocka_unit_test(test_crashes),
        cmocka_unit_test(test_mailboxes),  cmocka_unit_test(test_purges),
        cmocka_unit_test(test_in_the_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
