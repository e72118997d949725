/*
 * Annotations: their file, limits, that they survive, go with mailboxes, and that watchers of the
 * account hear of them.
 */
#include "store_helper.h"

#include "store/account_watch.h"
#include "store/limits.h"
#include "store/metadata.h"

#define MAILDIR "example.test/alice/Maildir"

/* --- the form --- */

static void test_form(void **state)
{
    (void)state;
    struct arena *a = arena_new();
    struct metadata_entry list[] = {{STR("/private/a b"), STR("one\ntwo\n")},
                                    {STR("/shared/nul"), STR("x\0y")},
                                    {STR("/shared/empty"), STR("")}};
    struct metadata m = {list, 3}, back;
    struct buf b = BUF_EMPTY;
    metadata_format(&b, &m);
    assert_true(metadata_parse(&back, buf_str(&b), a));
    assert_int_equal(back.count, 3);
    for (size_t i = 0; i < 3; i++) {
        const struct metadata_entry *found = metadata_find(&back, list[i].name);
        assert_non_null(found);
        assert_true(str_equal(found->value, list[i].value));
    }
    assert_non_null(metadata_find(&back, STR("/SHARED/Nul")));
    assert_null(metadata_find(&back, STR("/shared")));
    /* Cut anywhere but behind an entry it is damaged, and never read out of bounds. */
    size_t whole = 0;
    for (size_t n = 0; n < b.n; n++) {
        char *cut = mem_dup(b.p, n);
        whole += metadata_parse(&back, str_from(cut, n), a);
        free(cut);
    }
    assert_int_equal(whole, 1 + 3); /* nothing; the beginning alone, one entry, two */
    assert_false(metadata_parse(&back, STR("maild-metadata 1\n99999999999999999999 x\n\n"), a));
    assert_false(metadata_parse(&back, STR("maild-metadata 1\n18446744073709551615 x\n\n"), a));
    assert_false(metadata_parse(&back, STR("maild-metadata 2\n"), a));
    buf_free(&b);
    arena_free(a);
}

static void test_special_use_words(void **state)
{
    (void)state;
    struct buf b = BUF_EMPTY;
    struct err e;
    assert_true(special_use_check(STR("\\sent  \\Drafts \\SENT"), &b, &e));
    assert_string_equal(buf_c(&b), "\\Sent \\Drafts");
    assert_false(special_use_check(STR("\\All"), &b, &e));
    assert_false(special_use_check(STR("Sent"), &b, &e));
    buf_free(&b);
}

/* --- in the store --- */

static bool set(struct fixture *f, const char *mailbox, const char *name, struct str value,
                enum metadata_refusal *why)
{
    struct metadata_entry change = {str_from_c(name), value};
    struct err e = {0};
    return metadata_set(f->store, &alice, str_from_c(mailbox), &change, 1, why, &e);
}

static void assert_value(struct fixture *f, const char *mailbox, const char *name,
                         const char *expected)
{
    struct arena *a = arena_new();
    struct metadata m;
    struct err e = {0};
    if (!metadata_get(f->store, &alice, str_from_c(mailbox), a, &m, &e))
        fail_msg("%s", e.text);
    const struct metadata_entry *found = metadata_find(&m, str_from_c(name));
    assert_int_equal(found != NULL, expected != NULL);
    if (found)
        assert_true(str_equal(found->value, str_from_c(expected)));
    arena_free(a);
}

/* Where it was set, after a restart, and without the file when nothing is left. */
static void kept(void *arg)
{
    struct fixture *f = arg;
    enum metadata_refusal why;
    struct err e = {0};
    fixture_open(f, f->root);
    assert_true(store_create_mailbox(f->store, &alice, STR("Work"), &e));
    assert_true(set(f, "Work", "/private/comment", STR("mine"), &why));
    assert_true(set(f, "INBOX", "/private/comment", STR("of INBOX"), &why));
    assert_true(set(f, "", "/private/comment", STR("of all"), &why));
    assert_true(store_rename_mailbox(f->store, &alice, STR("Sent"), STR("Work/Sent"), &e));
    char *copy = crash_copy(f->root);
    fixture_close(f);

    struct fixture after = {0};
    fixture_open(&after, copy);
    assert_value(&after, "Work", "/private/comment", "mine");
    assert_value(&after, "INBOX", "/private/comment", "of INBOX");
    assert_value(&after, "", "/private/comment", "of all");
    assert_value(&after, "Work/Sent", METADATA_SPECIAL_USE, "\\Sent");
    assert_int_equal(files_in(copy, MAILDIR "/.Work", METADATA_FILE, NULL), 1);
    assert_true(set(&after, "Work", "/private/comment", (struct str){0}, &why));
    assert_int_equal(files_in(copy, MAILDIR "/.Work", METADATA_FILE, NULL), 0);
    fixture_close(&after);
    remove_directory(copy);
}

static void test_kept(void **state)
{
    (void)state;
    with_store(kept);
}

static void limits(void *arg)
{
    struct fixture *f = arg;
    enum metadata_refusal why;
    char name[40];
    fixture_open(f, f->root);
    struct buf large = BUF_EMPTY;
    memset(buf_reserve(&large, METADATA_VALUE_MAX + 1), 'x', METADATA_VALUE_MAX + 1);
    assert_false(set(f, "INBOX", "/private/x", str_from(large.p, METADATA_VALUE_MAX + 1), &why));
    assert_int_equal(why, METADATA_TOO_LARGE);
    assert_true(set(f, "INBOX", "/private/x", str_from(large.p, METADATA_VALUE_MAX), &why));
    buf_free(&large);
    for (int i = 1; i < METADATA_ENTRIES_MAX; i++) {
        snprintf(name, sizeof(name), "/private/%d", i);
        assert_true(set(f, "INBOX", name, STR("x"), &why));
    }
    assert_false(set(f, "INBOX", "/private/more", STR("x"), &why));
    assert_int_equal(why, METADATA_TOO_MANY);
    assert_true(set(f, "INBOX", "/private/1", STR("y"), &why));
    put_file(f->root, MAILDIR "/maild-metadata", "rubbish");
    assert_false(set(f, "INBOX", "/private/1", STR("z"), &why));
    fixture_close(f);
}

static void test_limits(void **state)
{
    (void)state;
    with_store(limits);
}

/* --- watchers of the account --- */

static void note(void *arg, const struct account_event *event)
{
    static const char kinds[] = "MCDRSUA";
    struct buf *b = arg;
    buf_printf(b, "%s%c:%.*s", b->n ? " " : "", kinds[event->kind], STR_ARG(event->name));
    if (event->kind == ACCOUNT_MESSAGES)
        buf_printf(b, ":%u", event->messages);
    if (event->old_name.n)
        buf_printf(b, "<%.*s", STR_ARG(event->old_name));
}

static void watching(void *arg)
{
    struct fixture *f = arg;
    struct buf seen = BUF_EMPTY;
    struct account_watcher w = {.fn = note, .arg = &seen};
    enum metadata_refusal why;
    struct err e = {0};
    fixture_open(f, f->root);
    assert_true(account_watch(f->store, &alice, &w, &e));
    deliver(f, &alice, "INBOX", STR(""), STR("Subject: 1\n\nx\n"));
    deliver(f, &bob, "INBOX", STR(""), STR("Subject: 1\n\nx\n"));
    struct mailbox *m = open_box(f, &alice, "INBOX");
    uint32_t uid = 1;
    assert_true(change_flags(m, &uid, 1, FLAGS_ADD, MESSAGE_SEEN, NULL, 0, &e));
    assert_true(mailbox_expunge(m, &uid, 1, &e));
    mailbox_unref(m);
    assert_true(store_create_mailbox(f->store, &alice, STR("A/B"), &e));
    assert_true(store_rename_mailbox(f->store, &alice, STR("A"), STR("C"), &e));
    assert_true(store_subscribe(f->store, &alice, STR("C"), true, &e));
    assert_true(store_subscribe(f->store, &alice, STR("C"), false, &e));
    assert_true(set(f, "C", "/private/comment", STR("x"), &why));
    assert_true(store_delete_mailbox(f->store, &alice, STR("C/B"), &e));
    assert_string_equal(buf_c(&seen), "M:INBOX:1 M:INBOX:4 M:INBOX:2 C:A C:A/B R:C<A S:C U:C A:C "
                                      "D:C/B");
    account_unwatch(&w);
    deliver(f, &alice, "INBOX", STR(""), STR("Subject: 1\n\nx\n"));
    assert_true(str_ends_with_nocase(buf_str(&seen), STR("D:C/B")));
    buf_free(&seen);
    fixture_close(f);
}

static void test_watching(void **state)
{
    (void)state;
    with_store(watching);
}

int main(void)
{
    log_set_level(LOG_LEVEL_WARNING);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_form),     cmocka_unit_test(test_special_use_words),
        cmocka_unit_test(test_kept),     cmocka_unit_test(test_limits),
        cmocka_unit_test(test_watching),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
