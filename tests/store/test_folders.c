/*
 * Mailboxes as such: the special ones, listing, creating, deleting, renaming, subscribing.
 */
#include "store_helper.h"

#define MAILDIR "example.test/alice/Maildir"

/* "INBOX+ Drafts+s A-" : + exists, - does not, s subscribed, c children, \... special use */
static void assert_list(struct fixture *f, const struct account *account, const char *expected)
{
    struct arena *a = arena_new();
    struct mailbox_info *list;
    size_t count;
    struct err e = {0};
    struct buf b = BUF_EMPTY;
    if (!store_list_mailboxes(f->store, account, a, &list, &count, &e))
        fail_msg("%s", e.text);
    for (size_t i = 0; i < count; i++)
        buf_printf(&b, "%s%.*s%c%s%s%.*s", i ? " " : "", STR_ARG(list[i].name),
                   list[i].exists ? '+' : '-', list[i].subscribed ? "s" : "",
                   list[i].has_children ? "c" : "", STR_ARG(list[i].special_use));
    assert_string_equal(buf_c(&b), expected);
    buf_free(&b);
    arena_free(a);
}

static void create(struct fixture *f, const char *name, enum err_kind kind)
{
    struct err e = {0};
    store_create_mailbox(f->store, &alice, str_from_c(name), &e);
    assert_int_equal(e.kind, kind);
}

static void rename_to(struct fixture *f, const char *from, const char *to, enum err_kind kind)
{
    struct err e = {0};
    bool ok = store_rename_mailbox(f->store, &alice, str_from_c(from), str_from_c(to), &e);
    if (ok != (kind == ERR_NONE))
        fail_msg("%s to %s: %s", from, to, e.text);
    if (!ok)
        assert_int_equal(e.kind, kind);
}

static void delete (struct fixture *f, const char *name, enum err_kind kind)
{
    struct err e = {0};
    bool ok = store_delete_mailbox(f->store, &alice, str_from_c(name), &e);
    assert_int_equal(ok, kind == ERR_NONE);
    if (!ok)
        assert_int_equal(e.kind, kind);
}

static void folders(void *arg)
{
    struct fixture *f = arg;
    struct err e = {0};
    fixture_open(f, f->root);
    assert_list(f, &alice, "INBOX+ Drafts+s\\Drafts Sent+s\\Sent Trash+s\\Trash");
    create(f, "A/B/C", ERR_NONE);
    create(f, "A/B", ERR_EXISTS);
    create(f, "inbox", ERR_EXISTS);
    create(f, "x//y", ERR_SYNTAX);
    assert_true(store_subscribe(f->store, &alice, STR("A/B"), true, &e));
    assert_true(store_subscribe(f->store, &alice, STR("Gone/Box"), true, &e));
    assert_true(store_subscribe(f->store, &alice, STR("Sent"), false, &e));
    assert_list(
        f, &alice,
        "INBOX+ A+c A/B+sc A/B/C+ Drafts+s\\Drafts Gone- Gone/Box-s Sent+\\Sent Trash+s\\Trash");
    /* Children stay. */
    delete (f, "A/B", ERR_NONE);
    delete (f, "A/B", ERR_NOT_FOUND);
    delete (f, "INBOX", ERR_DENIED);
    assert_list(
        f, &alice,
        "INBOX+ A+c A/B-sc A/B/C+ Drafts+s\\Drafts Gone- Gone/Box-s Sent+\\Sent Trash+s\\Trash");
    delete (f, "Trash", ERR_NONE);
    fixture_close(f);
    fixture_open(f, f->root);
    /* A special folder that the user deleted does not come back. */
    assert_list(f, &alice,
                "INBOX+ A+c A/B-sc A/B/C+ Drafts+s\\Drafts Gone- Gone/Box-s Sent+\\Sent "
                "Trash-s");
    assert_int_equal(files_in(f->root, ".spool", NULL, NULL), 0);
    fixture_close(f);
}

static void test_folders(void **state)
{
    (void)state;
    with_store(folders);
}

static void delete_and_create(void *arg)
{
    struct fixture *f = arg;
    fixture_open(f, f->root);
    deliver(f, &alice, "Box", STR(""), STR("old\n"));
    struct mailbox *old = open_box(f, &alice, "Box");
    uint32_t validity = mailbox_uid_validity(old);
    delete (f, "Box", ERR_NONE);
    assert_true(mailbox_is_deleted(old));
    struct err e;
    uint32_t uid = 1;
    assert_false(change_flags(old, &uid, 1, FLAGS_ADD, MESSAGE_SEEN, NULL, 0, &e));
    assert_int_equal(e.kind, ERR_NOT_FOUND);
    create(f, "Box", ERR_NONE);
    struct mailbox *new = open_box(f, &alice, "Box");
    assert_ptr_not_equal(new, old);
    assert_true(mailbox_uid_validity(new) > validity);
    assert_int_equal(count_messages(new), 0);
    mailbox_unref(old);
    mailbox_unref(new);
    fixture_close(f);
}

static void test_delete_and_create(void **state)
{
    (void)state;
    with_store(delete_and_create);
}

static void renames(void *arg)
{
    struct fixture *f = arg;
    struct err e;
    fixture_open(f, f->root);
    create(f, "A/B", ERR_NONE);
    create(f, "Ab", ERR_NONE);
    deliver(f, &alice, "A/B", STR(""), STR("kept\n"));
    struct mailbox *m = open_box(f, &alice, "A/B");
    uint32_t validity = mailbox_uid_validity(m);
    rename_to(f, "A", "A/B/C", ERR_SYNTAX);
    rename_to(f, "A", "Ab", ERR_EXISTS);
    rename_to(f, "A", "INBOX", ERR_EXISTS);
    rename_to(f, "None", "X", ERR_NOT_FOUND);
    rename_to(f, "A", "X/Y", ERR_NONE);
    assert_true(str_equal(mailbox_name(m), STR("X/Y/B")));
    assert_message(m, 1, "kept\n");
    uint32_t uid = 1;
    assert_true(change_flags(m, &uid, 1, FLAGS_ADD, MESSAGE_SEEN, NULL, 0, &e));
    struct mailbox *same = open_box(f, &alice, "X/Y/B");
    assert_ptr_equal(same, m);
    mailbox_unref(same);
    mailbox_unref(m);
    assert_list(f, &alice,
                "INBOX+ Ab+ Drafts+s\\Drafts Sent+s\\Sent Trash+s\\Trash X+c X/Y+c "
                "X/Y/B+");
    /* INBOX: its messages move. */
    deliver(f, &alice, "INBOX", STR(""), STR("in\n"));
    m = open_box(f, &alice, "INBOX");
    rename_to(f, "INBOX", "Old", ERR_NONE);
    assert_int_equal(count_messages(m), 0);
    mailbox_unref(m);
    m = open_box(f, &alice, "Old");
    assert_message(m, 1, "in\n");
    mailbox_unref(m);
    fixture_close(f);
    fixture_open(f, f->root);
    m = open_box(f, &alice, "X/Y/B");
    assert_int_equal(mailbox_uid_validity(m), validity);
    assert_int_equal(mailbox_find_uid(m, 1)->flags, MESSAGE_SEEN);
    assert_message(m, 1, "kept\n");
    mailbox_unref(m);
    fixture_close(f);
}

static void test_renames(void **state)
{
    (void)state;
    with_store(renames);
}

/* Deliveries go on while folders come and go. */
struct deliverer {
    struct fixture *f;
    bool *stop;
    int *running;
    struct cond *ended;
};

static void deliver_on(void *arg)
{
    struct deliverer *d = arg;
    while (!*d->stop) {
        deliver(d->f, &alice, "Busy", STR(""), STR("x\n"));
        deliver(d->f, &alice, "Busy/Sub", STR(""), STR("x\n"));
    }
    --*d->running;
    cond_broadcast(d->ended);
}

static void busy(void *arg)
{
    struct fixture *f = arg;
    bool stop = false;
    int running = 3;
    struct cond ended = {0};
    char name[20];
    fixture_open(f, f->root);
    struct deliverer d = {f, &stop, &running, &ended};
    for (int i = 0; i < 3; i++)
        fiber_start(loop_current(), "deliver", deliver_on, &d);
    create(f, "Busy", ERR_NONE);
    for (int i = 0; i < 20; i++) {
        struct err e = {0};
        snprintf(name, sizeof(name), "Moved%d", i);
        if (i % 2) {
            if (!store_rename_mailbox(f->store, &alice, STR("Busy"), str_from_c(name), &e))
                assert_int_equal(e.kind, ERR_NOT_FOUND);
        } else if (!store_delete_mailbox(f->store, &alice, STR("Busy"), &e)) {
            assert_int_equal(e.kind, ERR_NOT_FOUND);
        }
        checkpoint(f);
    }
    stop = true;
    while (running > 0)
        cond_wait_certain(&ended);
    fixture_close(f);
}

static void test_busy(void **state)
{
    (void)state;
    with_store(busy);
}

int main(void)
{
    log_set_level(LOG_LEVEL_WARNING);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_folders),
        cmocka_unit_test(test_delete_and_create),
        cmocka_unit_test(test_renames),
        cmocka_unit_test(test_busy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
