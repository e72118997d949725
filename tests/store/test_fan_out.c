/*
 * One message for very many accounts, most of which never had any mail.
 */
#include "store_helper.h"

#define MANY 620 /* more than one part of a delivery */
#define STEP 31  /* of these so many are looked at: the first look at an account syncs */

struct many {
    struct arena *arena;
    struct account accounts[MANY];
    struct store_delivery list[MANY + 2];
    char ids[MANY][33];
    uint32_t validity[MANY];
};

static struct many *make_many(void)
{
    struct arena *a = arena_new();
    struct many *m = ARENA_NEW(a, struct many);
    m->arena = a;
    for (int i = 0; i < MANY; i++) {
        m->accounts[i] = (struct account){.id = 100 + i,
                                          .login = arena_printf(a, "user%03d@example.test", i),
                                          .home = arena_printf(a, "example.test/user%03d", i)};
        m->list[i] = (struct store_delivery){.account = &m->accounts[i], .mailbox = STR("INBOX")};
    }
    /* Somebody twice, in the same part and in another. */
    m->list[MANY] = m->list[MANY - 1];
    m->list[MANY + 1] = m->list[MANY - 2];
    return m;
}

static void send_to(struct fixture *f, struct store_delivery *list, size_t count, struct str text)
{
    struct err e = {0};
    struct spool *s = make_message(f, text);
    if (!store_deliver(f->store, s, STR("Return-Path: <x@y>\n"), list, count, &e))
        fail_msg("%s", e.text);
    for (size_t i = 0; i < count; i++)
        assert_true(list[i].delivered && list[i].uid > 0);
    spool_unref(s);
}

static void note(struct fixture *f, struct many *x)
{
    for (int i = 0; i < MANY; i += STEP) {
        struct mailbox *m = open_box(f, &x->accounts[i], "INBOX");
        snprintf(x->ids[i], sizeof(x->ids[i]), "%.*s", STR_ARG(mailbox_id(m)));
        x->validity[i] = mailbox_uid_validity(m);
        mailbox_unref(m);
    }
}

static const char *m_name(const struct many *x, int i)
{
    return arena_c(x->arena, x->accounts[i].login);
}

static void assert_all_have(struct fixture *f, struct many *x, uint32_t count, const char *text)
{
    for (int i = 0; i < MANY; i += STEP) {
        struct mailbox *m = open_box(f, &x->accounts[i], "INBOX");
        if (count_messages(m) != count)
            fail_msg("%s: %zu messages, not %u", m_name(x, i), count_messages(m), count);
        assert_true(str_equal(mailbox_id(m), str_from_c(x->ids[i])));
        assert_int_equal(mailbox_uid_validity(m), x->validity[i]);
        assert_int_equal(mailbox_uid_next(m), count + 1);
        assert_message(m, count, text);
        mailbox_unref(m);
    }
}

static void shell(const char *format, const char *root)
{
    struct buf command = BUF_EMPTY;
    buf_printf(&command, "cd %s/mail && %s", root, format);
    assert_int_equal(system(buf_c(&command)), 0);
    buf_free(&command);
}

/* A crash before anything was synced: all is there, as the same mailboxes. */
static void survives(void *arg)
{
    static const char *const losses[] = {
        "rm -rf example.test",
        "rm -rf example.test/user??[0-2]/Maildir example.test/user??[3-4]/Maildir/new && "
        "for i in example.test/user??[3-6]/Maildir; do : > $i/dovecot-uidlist; done && "
        "rm -f example.test/user??[7-8]/Maildir/dovecot-uidlist example.test/user??8/Maildir/new/*",
    };
    struct fixture *f = arg;
    struct many *x = make_many();
    char *original = f->root;
    fixture_open(f, f->root);
    send_to(f, x->list, MANY + 2, STR("first\n"));
    send_to(f, x->list, MANY, STR("hello\n"));
    char *copy = crash_copy(original);
    note(f, x);
    assert_all_have(f, x, 2, "Return-Path: <x@y>\nhello\n");
    fixture_close(f);
    for (size_t i = 0; i < sizeof(losses) / sizeof(*losses); i++) {
        char *again = crash_copy(copy);
        shell(losses[i], again);
        fixture_open(f, again);
        assert_all_have(f, x, 2, "Return-Path: <x@y>\nhello\n");
        fixture_close(f);
        /* And once more, from files alone. */
        fixture_open(f, again);
        assert_all_have(f, x, 2, "Return-Path: <x@y>\nhello\n");
        send_to(f, x->list, MANY, STR("again\n"));
        assert_all_have(f, x, 3, "Return-Path: <x@y>\nagain\n");
        fixture_close(f);
        remove_directory(again);
    }
    remove_directory(copy);
    f->root = original;
    arena_free(x->arena);
}

static void test_survives(void **state)
{
    (void)state;
    with_store(survives);
}

/* The first delivery makes what it needs; the user's first look the rest. */
static void makes_little(void *arg)
{
    struct fixture *f = arg;
    struct err e;
    struct mailbox_info *list;
    struct arena *a = arena_new();
    struct mailbox *m;
    size_t count;
    fixture_open(f, f->root);
    deliver(f, &alice, "INBOX", STR(""), STR("hello\n"));
    checkpoint(f);
    assert_int_equal(files_in(f->root, "example.test/alice/Maildir", "dovecot-uidlist", NULL), 1);
    assert_int_equal(files_in(f->root, "example.test/alice/Maildir", ".Sent", NULL), 0);
    m = open_box(f, &alice, "INBOX");
    char *id = mem_dup(mailbox_id(m).p, mailbox_id(m).n);
    mailbox_unref(m);
    fixture_close(f);
    fixture_open(f, f->root);
    assert_true(store_list_mailboxes(f->store, &alice, a, &list, &count, &e));
    assert_int_equal(count, 4);
    for (size_t i = 1; i < count; i++) {
        struct mailbox *folder = open_box(f, &alice, arena_c(a, list[i].name));
        m = open_box(f, &alice, "INBOX");
        assert_true(mailbox_uid_validity(folder) > mailbox_uid_validity(m));
        mailbox_unref(folder);
        mailbox_unref(m);
    }
    assert_true(list[1].subscribed && list[2].subscribed && list[3].subscribed);
    m = open_box(f, &alice, "INBOX");
    assert_true(str_equal(mailbox_id(m), str_from_c(id)));
    assert_message(m, 1, "hello\n");
    mailbox_unref(m);
    free(id);
    fixture_close(f);
    arena_free(a);
}

static void test_makes_little(void **state)
{
    (void)state;
    with_store(makes_little);
}

/* Many deliveries at the same time, to the same accounts: nobody is made twice. */
struct sender {
    struct fixture *fixture;
    struct many *many;
    size_t *running;
    struct cond *ended;
};

static void send_one(void *arg)
{
    struct sender *s = arg;
    struct store_delivery list[50];
    memcpy(list, s->many->list, sizeof(list));
    send_to(s->fixture, list, 50, STR("hello\n"));
    if (--*s->running == 0)
        cond_broadcast(s->ended);
}

static void at_the_same_time(void *arg)
{
    struct fixture *f = arg;
    struct many *x = make_many();
    struct cond ended = {0};
    size_t running = 8;
    fixture_open(f, f->root);
    struct sender s = {f, x, &running, &ended};
    for (int i = 0; i < 8; i++)
        assert_non_null(fiber_start(loop_current(), "sender", send_one, &s));
    /* And somebody who looks. */
    struct mailbox *m = open_box(f, &x->accounts[20], "INBOX");
    while (running > 0)
        cond_wait_certain(&ended);
    assert_int_equal(count_messages(m), 8);
    mailbox_unref(m);
    for (int i = 0; i < 50; i++) {
        m = open_box(f, &x->accounts[i], "INBOX");
        assert_int_equal(count_messages(m), 8);
        mailbox_unref(m);
    }
    fixture_close(f);
    arena_free(x->arena);
}

static void test_at_the_same_time(void **state)
{
    (void)state;
    with_store(at_the_same_time);
}

/* A large message in several parts is one file. */
static void large(void *arg)
{
    struct fixture *f = arg;
    struct many *x = make_many();
    struct err e;
    struct stat st;
    char *text = mem_alloc(400001), *path;
    memset(text, 'x', 400000);
    text[399999] = '\n';
    text[400000] = '\0';
    fixture_open(f, f->root);
    send_to(f, x->list, MANY, str_from(text, 400000));
    struct mailbox *m = open_box(f, &x->accounts[MANY - 1], "INBOX");
    assert_int_equal(mailbox_find_uid(m, 1)->size, 400000 + 19);
    struct buf b = read_message(m, 1);
    assert_true(str_ends_with_nocase(buf_str(&b), str_from(text, 400000)));
    buf_free(&b);
    mailbox_unref(m);
    checkpoint(f);
    assert_int_equal(files_in(f->root, "example.test/user001/Maildir/new", NULL, &path), 1);
    assert_true(disk_stat(path, &st, &e));
    assert_true(st.st_nlink >= MANY);
    free(path);
    fixture_close(f);
    free(text);
    arena_free(x->arena);
}

static void test_large(void **state)
{
    (void)state;
    with_store(large);
}

/* What stands in the way concerns one account. */
static void obstacle(void *arg)
{
    struct fixture *f = arg;
    struct many *x = make_many();
    struct err e;
    fixture_open(f, f->root);
    put_dir(f->root, "example.test");
    put_file(f->root, "example.test/user003", "not a directory");
    struct spool *s = make_message(f, STR("hello\n"));
    assert_false(store_deliver(f->store, s, STR(""), x->list, 10, &e));
    for (int i = 0; i < 10; i++)
        assert_true(x->list[i].delivered == (i != 3));
    assert_true(x->list[3].error.kind == ERR_IO || err_is_temporary(x->list[3].error.kind));
    spool_unref(s);
    /* In the journal, but not to be made at the next start. */
    char *copy = crash_copy(f->root);
    fixture_close(f);
    shell("rm -rf example.test/user005 && : > example.test/user005", copy);
    char *original = f->root;
    fixture_open(f, copy);
    assert_non_null(store_set_aside(f->store, 0));
    assert_null(store_set_aside(f->store, 1));
    fixture_close(f);
    shell("rm example.test/user005", copy);
    fixture_open(f, copy);
    assert_null(store_set_aside(f->store, 0));
    struct mailbox *m = open_box(f, &x->accounts[5], "INBOX");
    assert_message(m, 1, "hello\n");
    assert_int_equal(count_messages(m), 1);
    mailbox_unref(m);
    fixture_close(f);
    remove_directory(copy);
    f->root = original;
    arena_free(x->arena);
}

static void test_obstacle(void **state)
{
    (void)state;
    with_store(obstacle);
}

int main(void)
{
    log_set_level(LOG_LEVEL_ERROR);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_survives),         cmocka_unit_test(test_makes_little),
        cmocka_unit_test(test_at_the_same_time), cmocka_unit_test(test_large),
        cmocka_unit_test(test_obstacle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
