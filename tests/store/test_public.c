/*
 * Public mailboxes: an account without a user, and deliveries into mailboxes that must exist.
 */
#include "store_helper.h"

#define PUBLIC ".public/Maildir"

static bool deliver_as(struct fixture *f, const struct account *to, const char *mailbox,
                       enum delivery_missing missing, struct err *e)
{
    struct spool *s = make_message(f, STR("hello\n"));
    struct store_delivery d = {.account = to, .mailbox = str_from_c(mailbox), .missing = missing};
    *e = (struct err){0};
    bool ok = store_deliver(f->store, s, STR(""), &d, 1, e);
    free(d.found_as);
    assert_true(ok == d.delivered);
    spool_unref(s);
    return ok;
}

static void assert_missing(struct fixture *f, const struct account *a, const char *name)
{
    struct err e = {0};
    assert_false(store_has_mailbox(f->store, a, str_from_c(name), &e));
    assert_int_equal(e.kind, ERR_NOT_FOUND);
}

static size_t count_in(struct fixture *f, const struct account *a, const char *name)
{
    struct mailbox *m = open_box(f, a, name);
    size_t n = count_messages(m);
    mailbox_unref(m);
    return n;
}

static void gets_mail(void *arg)
{
    struct fixture *f = arg;
    struct err e;
    fixture_open(f, f->root);
    const struct account *public = store_public_account(f->store);
    assert_missing(f, public, "News");
    assert_false(deliver_as(f, public, "News", MISSING_FAIL, &e));
    assert_int_equal(e.kind, ERR_NOT_FOUND);
    assert_missing(f, public, "News");
    assert_true(store_create_mailbox(f->store, public, STR("News"), &e));
    assert_true(store_create_mailbox(f->store, public, STR("Grüße/Lists"), &e));
    assert_true(store_has_mailbox(f->store, public, STR("News"), &e));
    assert_true(store_has_mailbox(f->store, public, STR("GRÜSSE/lists"), &e) ||
                store_has_mailbox(f->store, public, STR("GRÜßE/lists"), &e));
    assert_true(deliver_as(f, public, "news", MISSING_FAIL, &e));
    assert_int_equal(count_in(f, public, "News"), 1);
    checkpoint(f);
    assert_int_equal(files_in(f->root, PUBLIC "/.News/new", NULL, NULL), 1);
    assert_int_equal(files_in(f->root, PUBLIC, "cur", NULL), 0);
    /* Restarted, and crashed. */
    assert_true(deliver_as(f, public, "News", MISSING_FAIL, &e));
    char *copy = crash_copy(f->root);
    fixture_close(f);
    fixture_open(f, f->root);
    assert_int_equal(count_in(f, store_public_account(f->store), "News"), 2);
    fixture_close(f);
    char *root = f->root;
    fixture_open(f, copy);
    assert_int_equal(count_in(f, store_public_account(f->store), "News"), 2);
    fixture_close(f);
    remove_directory(copy);
    f->root = root;
}

static void test_gets_mail(void **state)
{
    (void)state;
    with_store(gets_mail);
}

static void has_no_inbox(void *arg)
{
    struct fixture *f = arg;
    struct err e;
    struct mailbox *m;
    struct mailbox_info *list;
    struct arena *a = arena_new();
    size_t count;
    fixture_open(f, f->root);
    const struct account *public = store_public_account(f->store);
    assert_true(store_list_mailboxes(f->store, public, a, &list, &count, &e));
    assert_int_equal(count, 0);
    assert_missing(f, public, "inbox");
    assert_false(mailbox_open(f->store, public, STR("INBOX"), &m, &e));
    assert_int_equal(e.kind, ERR_NOT_FOUND);
    assert_false(store_create_mailbox(f->store, public, STR("INBOX"), &e));
    assert_int_equal(e.kind, ERR_DENIED);
    assert_false(store_rename_mailbox(f->store, public, STR("INBOX"), STR("x"), &e));
    assert_int_equal(e.kind, ERR_NOT_FOUND);
    assert_false(deliver_as(f, public, "INBOX", MISSING_FAIL, &e));
    assert_int_equal(e.kind, ERR_NOT_FOUND);
    assert_true(store_create_mailbox(f->store, public, STR("News"), &e));
    assert_true(store_rename_mailbox(f->store, public, STR("News"), STR("Old/News"), &e));
    assert_true(store_list_mailboxes(f->store, public, a, &list, &count, &e));
    assert_int_equal(count, 2);
    assert_string_equal(arena_c(a, list[1].name), "Old/News");
    assert_true(store_delete_mailbox(f->store, public, STR("Old/News"), &e));
    assert_true(store_delete_mailbox(f->store, public, STR("Old"), &e));
    assert_true(store_list_mailboxes(f->store, public, a, &list, &count, &e));
    assert_int_equal(count, 0);
    fixture_close(f);
    arena_free(a);
}

static void test_has_no_inbox(void **state)
{
    (void)state;
    with_store(has_no_inbox);
}

/* A directory's mistake, or somebody's trick: a user whose home is the public one. */
static void is_nobodys_home(void *arg)
{
    struct fixture *f = arg;
    struct err e;
    struct account mallory = alice;
    struct mailbox *m;
    f->maildir = "%d/%1n/%n";
    fixture_open(f, f->root);
    mallory.home = STR(".public");
    assert_false(deliver_as(f, &mallory, "INBOX", MISSING_CREATE, &e));
    assert_int_equal(e.kind, ERR_PERM);
    assert_false(mailbox_open(f->store, &mallory, STR("News"), &m, &e));
    assert_int_equal(e.kind, ERR_PERM);
    mallory.home = STR(".public/x");
    assert_false(mailbox_open(f->store, &mallory, STR("News"), &m, &e));
    assert_int_equal(e.kind, ERR_PERM);
    /* Any layout has a place for it. */
    assert_true(store_create_mailbox(f->store, store_public_account(f->store), STR("News"), &e));
    assert_int_equal(files_in(f->root, PUBLIC, ".News", NULL), 1);
    fixture_close(f);
}

static void test_is_nobodys_home(void **state)
{
    (void)state;
    with_store(is_nobodys_home);
}

static void what_is_missing_goes_to_inbox(void *arg)
{
    struct fixture *f = arg;
    struct err e;
    fixture_open(f, f->root);
    assert_true(store_create_mailbox(f->store, &alice, STR("Lists"), &e));
    assert_true(deliver_as(f, &alice, "lists", MISSING_INBOX, &e));
    assert_int_equal(count_in(f, &alice, "Lists"), 1);
    assert_true(deliver_as(f, &alice, "amazon", MISSING_INBOX, &e));
    assert_missing(f, &alice, "amazon");
    const char *impossible[] = {"", "..", "a//b", "/", "x\ny", "\xff"};
    size_t count = sizeof(impossible) / sizeof(*impossible);
    for (size_t i = 0; i < count; i++) {
        assert_true(deliver_as(f, &alice, impossible[i], MISSING_INBOX, &e));
        assert_missing(f, &alice, impossible[i]);
        assert_false(deliver_as(f, &alice, impossible[i], MISSING_FAIL, &e));
        assert_int_equal(e.kind, ERR_NOT_FOUND);
    }
    assert_int_equal(count_in(f, &alice, "INBOX"), 1 + count);
    /* Of two that are alike the one that is named, or the first. */
    assert_true(store_create_mailbox(f->store, &alice, STR("LISTS"), &e));
    assert_true(deliver_as(f, &alice, "Lists", MISSING_INBOX, &e));
    assert_int_equal(count_in(f, &alice, "Lists"), 2);
    assert_true(deliver_as(f, &alice, "lists", MISSING_INBOX, &e));
    assert_int_equal(count_in(f, &alice, "LISTS"), 1);
    fixture_close(f);
}

static void test_what_is_missing_goes_to_inbox(void **state)
{
    (void)state;
    with_store(what_is_missing_goes_to_inbox);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gets_mail),
        cmocka_unit_test(test_has_no_inbox),
        cmocka_unit_test(test_is_nobodys_home),
        cmocka_unit_test(test_what_is_missing_goes_to_inbox),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
