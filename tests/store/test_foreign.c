/*
 * Other programs at work in a Maildir: what they do is seen by who has the mailbox open, within a
 * moment; what the store does itself is never taken for theirs; no message is lost to the one or
 * the other.
 */
#include "store_helper.h"

#include "core/crash_copy.h"
#include "store/store_internal.h"

#include <pthread.h>

#define MAILDIR "example.test/alice/Maildir"

static void shell(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void shell(const char *format, ...)
{
    struct buf command = BUF_EMPTY;
    va_list args;
    va_start(args, format);
    buf_vprintf(&command, format, args);
    va_end(args);
    if (system(buf_c(&command)) != 0)
        fail_msg("%s", command.p);
    buf_free(&command);
}

/* A session that has the mailbox selected. */
struct session {
    struct mailbox_watcher watcher;
    struct mailbox *mailbox;
    struct cond changed;
    unsigned changes;
};

static void on_change(void *arg, struct mailbox *m)
{
    struct session *s = arg;
    (void)m;
    s->changes++;
    cond_broadcast(&s->changed);
}

static void session_begin(struct session *s, struct fixture *f, const char *name)
{
    *s = (struct session){.watcher = {.fn = on_change, .arg = s}};
    s->mailbox = open_box(f, &alice, name);
    mailbox_watch(s->mailbox, &s->watcher);
}

static void session_end(struct session *s)
{
    mailbox_unwatch(&s->watcher);
    mailbox_unref(s->mailbox);
}

/* Waits for a change; false when none comes. */
static bool session_wait(struct session *s, usec most)
{
    unsigned before = s->changes;
    usec deadline = deadline_in(most);
    while (s->changes == before) {
        if (!cond_wait(&s->changed, deadline, NULL))
            return false;
    }
    return true;
}

static void wait_change(struct session *s)
{
    if (!session_wait(s, 20 * USEC_SEC))
        fail_msg("nobody was told");
}

static void wait_files(struct fixture *f)
{
    struct store_stats st;
    do {
        assert_true(fiber_sleep(USEC_MSEC, NULL));
        store_get_stats(f->store, &st);
    } while (st.files_pending > 0);
}

static void seen_at_once(void *arg)
{
    struct fixture *f = arg;
    struct session s;
    fixture_open(f, f->root);
    for (int i = 0; i < 4; i++)
        deliver(f, &alice, "INBOX", STR(""), STR("ours\n"));
    wait_files(f);
    session_begin(&s, f, "INBOX");

    usec began = clock_monotonic();
    put_file(f->root, MAILDIR "/tmp/1.new.host", "theirs\n");
    shell("cd %s/mail/" MAILDIR " && mv tmp/1.new.host new/", f->root);
    wait_change(&s);
    assert_true(clock_monotonic() - began < 5 * USEC_SEC);
    assert_int_equal(count_messages(s.mailbox), 5);
    assert_message(s.mailbox, 5, "theirs\n");
    const struct message *message = mailbox_find_uid(s.mailbox, 5);
    assert_int_equal(message->size, 7);
    assert_int_equal(message->size_crlf, 8);
    assert_int_equal(message->flags, 0);

    /* Flags, in a name that the store cannot have made; removal; a new name for what has one. */
    shell("cd %s/mail/" MAILDIR " && mv new/1.new.host cur/1.new.host:2,FPS,x && "
          "set -- new/*Q1.* && mv $1 cur/${1#new/}:2,RS && set -- new/*Q2.* && rm $1",
          f->root);
    while (count_messages(s.mailbox) != 4 ||
           mailbox_find_uid(s.mailbox, 5)->flags != (MESSAGE_FLAGGED | MESSAGE_SEEN))
        wait_change(&s);
    assert_int_equal(mailbox_find_uid(s.mailbox, 1)->flags, MESSAGE_ANSWERED | MESSAGE_SEEN);
    assert_null(mailbox_find_uid(s.mailbox, 2));
    assert_message(s.mailbox, 1, "ours\n");

    /* A change of ours on top of theirs keeps both. */
    struct err e;
    uint32_t uid = 5;
    assert_true(change_flags(s.mailbox, &uid, 1, FLAGS_ADD, MESSAGE_ANSWERED, NULL, 0, &e));
    shell("cd %s/mail/" MAILDIR " && mv cur/1.new.host:2,FPS,x cur/1.new.host:2,FPST,x", f->root);
    while (!(mailbox_find_uid(s.mailbox, 5)->flags & MESSAGE_DELETED))
        wait_change(&s);
    assert_int_equal(mailbox_find_uid(s.mailbox, 5)->flags,
                     MESSAGE_FLAGGED | MESSAGE_SEEN | MESSAGE_ANSWERED | MESSAGE_DELETED);
    checkpoint(f);
    assert_int_equal(files_in(f->root, MAILDIR "/cur", ":2,FPRST,x", NULL), 1);
    session_end(&s);
    fixture_close(f);
}

static void test_seen_at_once(void **state)
{
    (void)state;
    with_store(seen_at_once);
}

/* Nothing that the store does makes it look at its own directories. */
static void own_changes(void *arg)
{
    struct fixture *f = arg;
    struct session s;
    struct err e;
    struct arena *a = arena_new();
    fixture_open(f, f->root);
    session_begin(&s, f, "INBOX");
    struct mailbox *sent = open_box(f, &alice, "Sent");
    assert_true(foreign_is_watched(s.mailbox));
    usec merged = s.mailbox->foreign.merged, merged_sent = sent->foreign.merged;
    for (int i = 0; i < 300; i++) {
        deliver(f, &alice, "INBOX", STR("P: q\n"), STR("text\n"));
        append(f, s.mailbox, STR("appended\n"), i % 2 ? MESSAGE_SEEN : 0, i % 3 ? NULL : "work", 5);
    }
    uint32_t uids[600], *source, *copies;
    size_t done;
    for (uint32_t i = 0; i < 600; i++)
        uids[i] = i + 1;
    assert_true(change_flags(s.mailbox, uids, 400, FLAGS_ADD, MESSAGE_FLAGGED, NULL, 0, &e));
    checkpoint(f);
    assert_true(
        mailbox_copy(s.mailbox, uids + 100, 200, sent, true, a, &source, &copies, &done, &e));
    mailbox_claim_recent(s.mailbox, false);
    assert_true(mailbox_expunge(s.mailbox, uids + 10, 50, &e));
    assert_true(change_flags(s.mailbox, uids, 500, FLAGS_REPLACE, MESSAGE_DRAFT, NULL, 0, &e));
    checkpoint(f);
    assert_true(store_rename_mailbox(f->store, &alice, STR("Sent"), STR("Gone"), &e));
    assert_true(store_delete_mailbox(f->store, &alice, STR("Gone"), &e));
    assert_true(fiber_sleep(2 * FOREIGN_DELAY, &e));
    assert_false(s.mailbox->foreign.seen);
    assert_int_equal(s.mailbox->foreign.merged, merged);
    assert_int_equal(sent->foreign.merged, merged_sent);
    mailbox_unref(sent);
    session_end(&s);
    fixture_close(f);
    arena_free(a);
}

static void test_own_changes(void **state)
{
    (void)state;
    with_store(own_changes);
}

/* Without the kernel's help: when the mailbox is opened. */
static void not_watched(void *arg)
{
    struct fixture *f = arg;
    fixture_open(f, f->root);
    deliver(f, &alice, "INBOX", STR(""), STR("one\n"));
    wait_files(f);
    struct mailbox *m = open_box(f, &alice, "INBOX");
    foreign_forget(m);
    struct watch_set *watches = f->store->watches;
    f->store->watches = NULL;
    shell("cd %s/mail/" MAILDIR " && echo two > new/2.two && echo three > cur/3.three:2,S",
          f->root);
    mailbox_unref(m);
    m = open_box(f, &alice, "INBOX");
    assert_int_equal(count_messages(m), 3);
    mailbox_unref(m);
    /* Nothing happened: nothing is read; something did, in the same tick as our own change. */
    shell("touch -d '1 hour ago' %s/mail/" MAILDIR "/new %s/mail/" MAILDIR "/cur", f->root,
          f->root);
    m = open_box(f, &alice, "INBOX");
    usec merged = m->foreign.merged;
    mailbox_unref(m);
    m = open_box(f, &alice, "INBOX");
    assert_int_equal(m->foreign.merged, merged);
    deliver(f, &alice, "INBOX", STR(""), STR("four\n"));
    wait_files(f);
    shell("cd %s/mail/" MAILDIR " && rm new/2.two", f->root);
    mailbox_unref(m);
    m = open_box(f, &alice, "INBOX");
    assert_int_equal(count_messages(m), 3);
    assert_null(mailbox_find_uid(m, 2));
    mailbox_unref(m);
    f->store->watches = watches;
    fixture_close(f);
}

static void test_not_watched(void **state)
{
    (void)state;
    with_store(not_watched);
}

/* UIDs that were told are durable. */
static void after_a_crash(void *arg)
{
    struct fixture *f = arg;
    struct session s;
    fixture_open(f, f->root);
    session_begin(&s, f, "INBOX");
    shell("cd %s/mail/" MAILDIR " && echo 0 k > dovecot-keywords && echo two > new/20.b && "
          "echo one > cur/10.a:2,Sa",
          f->root);
    wait_change(&s);
    assert_message(s.mailbox, 1, "one\n");
    assert_message(s.mailbox, 2, "two\n");
    shell("cd %s/mail/" MAILDIR " && echo zero > new/5.c && mv new/20.b cur/20.b:2,F && rm cur/10*",
          f->root);
    wait_change(&s);
    assert_message(s.mailbox, 3, "zero\n");
    session_end(&s);
    char *copy = crash_copy(f->root), *original = f->root;
    fixture_close(f);
    fixture_open(f, copy);
    struct mailbox *m = open_box(f, &alice, "INBOX");
    assert_int_equal(count_messages(m), 2);
    assert_message(m, 2, "two\n");
    assert_message(m, 3, "zero\n");
    assert_int_equal(mailbox_find_uid(m, 2)->flags, MESSAGE_FLAGGED);
    assert_int_equal(mailbox_uid_next(m), 4);
    mailbox_unref(m);
    fixture_close(f);
    remove_directory(copy);
    f->root = original;
}

static void test_after_a_crash(void **state)
{
    (void)state;
    with_store(after_a_crash);
}

/* Dovecot was started by mistake, and gave UIDs and keyword letters. */
static void lists_of_another(void *arg)
{
    struct fixture *f = arg;
    struct session s;
    fixture_open(f, f->root);
    session_begin(&s, f, "INBOX");
    append(f, s.mailbox, STR("ours\n"), 0, "mine", 5);
    checkpoint(f);
    shell("cd %s/mail/" MAILDIR " && echo 30 G0a :7.x >> dovecot-uidlist && "
          "printf '0 theirs\\n1 mine\\n' > dovecot-keywords && echo x > new/7.x && "
          "echo y > cur/6.y:2,a",
          f->root);
    wait_change(&s);
    assert_message(s.mailbox, 1, "ours\n");
    assert_message(s.mailbox, 30, "x\n");
    assert_message(s.mailbox, 31, "y\n");
    size_t count;
    const struct str *names = mailbox_keywords(s.mailbox, &count);
    assert_int_equal(mailbox_find_uid(s.mailbox, 1)->keywords, 1);
    assert_int_equal(mailbox_find_uid(s.mailbox, 31)->keywords, 2);
    assert_int_equal(count, 2);
    assert_true(str_equal(names[0], STR("mine")));
    assert_true(str_equal(names[1], STR("theirs")));
    session_end(&s);
    checkpoint(f);
    assert_int_equal(files_in(f->root, MAILDIR "/cur", "6.y:2,b", NULL), 1);
    struct buf list = file_content(f->root, MAILDIR "/dovecot-uidlist");
    struct buf keywords = file_content(f->root, MAILDIR "/dovecot-keywords");
    assert_true(str_find(buf_str(&list), STR("\n30 S2 W3 G0a :7.x\n31 S2 W3 :6.y\n")) > 0);
    assert_string_equal(buf_c(&keywords), "0 mine\n1 theirs\n");
    buf_free(&list);
    buf_free(&keywords);
    fixture_close(f);
}

static void test_lists_of_another(void **state)
{
    (void)state;
    with_store(lists_of_another);
}

/* Two files with one base name are two messages; lists that are removed come back. */
static void oddities(void *arg)
{
    struct fixture *f = arg;
    struct session s;
    fixture_open(f, f->root);
    deliver(f, &alice, "INBOX", STR(""), STR("first\n"));
    deliver(f, &alice, "INBOX", STR(""), STR("second\n"));
    checkpoint(f);
    session_begin(&s, f, "INBOX");
    uint32_t validity = mailbox_uid_validity(s.mailbox);
    shell("cd %s/mail/" MAILDIR " && rm dovecot-uidlist && set -- new/*Q1.* && "
          "cp $1 cur/${1#new/}:2,F && mkdir cur/9.directory && touch cur/.hidden",
          f->root);
    wait_change(&s);
    assert_int_equal(count_messages(s.mailbox), 3);
    assert_message(s.mailbox, 3, "first\n");
    assert_message(s.mailbox, 1, "first\n");
    session_end(&s);
    fixture_close(f);
    fixture_open(f, f->root);
    struct mailbox *m = open_box(f, &alice, "INBOX");
    assert_int_equal(count_messages(m), 3);
    assert_int_equal(mailbox_uid_validity(m), validity);
    assert_message(m, 2, "second\n");
    mailbox_unref(m);
    fixture_close(f);
}

static void test_oddities(void **state)
{
    (void)state;
    with_store(oddities);
}

/* Folders come, go and come again. */
static void folders(void *arg)
{
    struct fixture *f = arg;
    struct session s;
    struct err e;
    fixture_open(f, f->root);
    shell("cd %s/mail/ && mkdir -p " MAILDIR "/.Theirs", f->root);
    struct mailbox *m = NULL;
    assert_true(store_create_mailbox(f->store, &alice, STR("Ours"), &e));
    shell("cd %s/mail/" MAILDIR " && mkdir -p .Theirs/cur .Theirs/new .Theirs/tmp && "
          "echo one > .Theirs/new/1.one",
          f->root);
    session_begin(&s, f, "Theirs");
    assert_int_equal(count_messages(s.mailbox), 1);
    shell("rm -r %s/mail/" MAILDIR "/.Theirs", f->root);
    while (!mailbox_is_deleted(s.mailbox))
        wait_change(&s);
    assert_false(mailbox_open(f->store, &alice, STR("Theirs"), &m, &e));
    assert_int_equal(e.kind, ERR_NOT_FOUND);
    session_end(&s);
    /* Made again by somebody else: another mailbox. */
    shell("cd %s/mail/" MAILDIR " && mkdir -p .Theirs/cur .Theirs/new .Theirs/tmp && "
          "echo two > .Theirs/new/1.one",
          f->root);
    session_begin(&s, f, "Theirs");
    assert_message(s.mailbox, 1, "two\n");
    uint32_t validity = mailbox_uid_validity(s.mailbox);
    shell("cd %s/mail/" MAILDIR " && mv .Theirs .Other && mkdir -p .Theirs/cur .Theirs/new "
          ".Theirs/tmp && echo '3 V%u N4 G00112233445566778899aabbccddeeff' > "
          ".Theirs/dovecot-uidlist && echo a > .Theirs/cur/4.x:2,",
          f->root, validity + 1);
    foreign_suspect(s.mailbox);
    while (!mailbox_is_deleted(s.mailbox))
        wait_change(&s);
    session_end(&s);
    m = open_box(f, &alice, "Theirs");
    assert_int_equal(mailbox_uid_validity(m), validity + 1);
    assert_message(m, 4, "a\n");
    mailbox_unref(m);
    /* The account's disk is not there: that is no reason to forget anything. */
    session_begin(&s, f, "INBOX");
    shell("cd %s/mail/example.test/alice && mv Maildir away", f->root);
    foreign_suspect(s.mailbox);
    assert_false(session_wait(&s, 2 * FOREIGN_DELAY));
    assert_false(mailbox_is_deleted(s.mailbox));
    shell("cd %s/mail/example.test/alice && mv away Maildir", f->root);
    session_end(&s);
    fixture_close(f);
}

static void test_folders(void **state)
{
    (void)state;
    with_store(folders);
}

/* --- everything at once --- */

#define STRESS_MESSAGES 400
#define STRESS_TIME     (3 * USEC_SEC)

struct other_program {
    char *dir;
    atomic_bool stop;
    unsigned added, renamed, removed;
};

static bool see_any(void *arg, const char *name, unsigned char type)
{
    struct buf *names = arg;
    (void)type;
    if (name[0] != '.')
        buf_add(names, name, strlen(name) + 1);
    return true;
}

/* Renames as a mail reader does, adds, and now and then removes what it added itself. */
static void meddle(struct other_program *o, const char *sub, uint32_t n)
{
    struct buf names = BUF_EMPTY, from = BUF_EMPTY, to = BUF_EMPTY;
    char path[300];
    snprintf(path, sizeof(path), "%s/%s", o->dir, sub);
    disk_list(path, see_any, &names, NULL);
    for (size_t at = 0; at < names.n; at += strlen(names.p + at) + 1) {
        const char *name = names.p + at, *colon = strchr(name, ':');
        if (random_u64() % 8)
            continue;
        buf_clear(&from);
        buf_clear(&to);
        buf_printf(&from, "%s/%s/%s", o->dir, sub, name);
        int base = colon ? (int)(colon - name) : (int)strlen(name);
        if (strstr(name, ".theirs") && n % 7 == 0) {
            o->removed += disk_unlink(buf_c(&from), NULL);
            continue;
        }
        buf_printf(&to, "%s/cur/%.*s:2,%s", o->dir, base, name, random_u64() % 2 ? "F" : "P");
        o->renamed += disk_rename(buf_c(&from), buf_c(&to), NULL);
    }
    buf_free(&names);
    buf_free(&from);
    buf_free(&to);
}

static void *other_program(void *arg)
{
    struct other_program *o = arg;
    for (uint32_t n = 0; !atomic_load(&o->stop); n++) {
        char tmp[300], path[300], text[30];
        snprintf(tmp, sizeof(tmp), "%s/tmp/%u.theirs", o->dir, n);
        snprintf(path, sizeof(path), "%s/new/%u.theirs", o->dir, n);
        snprintf(text, sizeof(text), "theirs %u\n", n);
        write_test_file(tmp, str_from_c(text));
        o->added += disk_rename(tmp, path, NULL);
        meddle(o, n % 2 ? "cur" : "new", n);
        usleep(3000);
    }
    return NULL;
}

/* The number in "ours 17", by UID; what is ours must keep its UID. */
static void check_ours(struct mailbox *m, const uint32_t *uids, const bool *expunged)
{
    for (uint32_t i = 0; i < STRESS_MESSAGES; i++) {
        char text[30];
        snprintf(text, sizeof(text), "ours %u\n", i);
        if (uids[i] == 0)
            continue;
        if (expunged[i])
            assert_null(mailbox_find_uid(m, uids[i]));
        else if (!mailbox_find_uid(m, uids[i]))
            fail_msg("uid %u (%s) was lost", uids[i], text);
        else
            assert_message(m, uids[i], text);
    }
}

/* No message of theirs is there twice. */
static void check_theirs(struct mailbox *m, unsigned added)
{
    size_t count;
    bool *there = mem_array(added + 1, sizeof(*there));
    const struct message *messages = mailbox_messages(m, &count);
    for (size_t i = 0; i < count; i++) {
        struct buf b = read_message(m, messages[i].uid);
        unsigned n;
        if (sscanf(buf_c(&b), "theirs %u", &n) == 1) {
            assert_true(n <= added && !there[n]);
            there[n] = true;
        }
        buf_free(&b);
    }
    free(there);
}

static void stress(void *arg)
{
    struct fixture *f = arg;
    struct session s;
    struct err e;
    uint32_t uids[STRESS_MESSAGES] = {0}, next = 0;
    bool expunged[STRESS_MESSAGES] = {0};
    pthread_t thread;
    fixture_open(f, f->root);
    session_begin(&s, f, "INBOX");
    struct other_program o = {.dir = path_in(f->root, "mail/" MAILDIR)};
    assert_int_equal(pthread_create(&thread, NULL, other_program, &o), 0);
    usec end = deadline_in(STRESS_TIME);
    for (int round = 0; clock_monotonic() < end; round++) {
        char text[30];
        if (next < STRESS_MESSAGES && round % 2 == 0) {
            snprintf(text, sizeof(text), "ours %u\n", next);
            uids[next++] = deliver(f, &alice, "INBOX", STR(""), str_from_c(text));
        }
        uint32_t i = (uint32_t)(random_u64() % next);
        if (!expunged[i])
            assert_true(change_flags(s.mailbox, &uids[i], 1, round % 3 ? FLAGS_ADD : FLAGS_REMOVE,
                                     MESSAGE_SEEN, NULL, 0, &e));
        if (round % 5 == 0) {
            assert_true(mailbox_expunge(s.mailbox, &uids[i], 1, &e));
            expunged[i] = true;
        }
        if (round % 20 == 0)
            checkpoint(f);
        if (round % 50 == 0)
            check_ours(s.mailbox, uids, expunged);
        fiber_sleep(USEC_MSEC, NULL);
    }
    atomic_store(&o.stop, true);
    pthread_join(thread, NULL);
    for (unsigned i = 0; i < 1000 && (s.mailbox->foreign.seen || i < 3); i++)
        fiber_sleep(20 * USEC_MSEC, NULL);
    check_ours(s.mailbox, uids, expunged);
    check_theirs(s.mailbox, o.added);
    wait_files(f);
    checkpoint(f);
    size_t count = count_messages(s.mailbox);
    print_message("own %u; others: %u added, %u removed, %u renamed; %zu left\n", next, o.added,
                  o.removed, o.renamed, count);
    assert_int_equal(files_in(f->root, MAILDIR "/cur", NULL, NULL) +
                         files_in(f->root, MAILDIR "/new", NULL, NULL),
                     count);
    session_end(&s);
    fixture_close(f);
    fixture_open(f, f->root);
    struct mailbox *m = open_box(f, &alice, "INBOX");
    check_ours(m, uids, expunged);
    assert_int_equal(count_messages(m), count);
    mailbox_unref(m);
    fixture_close(f);
    free(o.dir);
}

static void test_stress(void **state)
{
    (void)state;
    with_store(stress);
}

/* --- the end of the server in the middle of it --- */

static void merge_one(void *arg)
{
    struct mailbox *m = arg;
    m->foreign.seen = true;
    assert_true(mailbox_merge(m, NULL));
    mailbox_unref(m);
}

/* The journal waits for what was found. */
static void end(void *arg)
{
    struct fixture *f = arg;
    fixture_open(f, f->root);
    deliver(f, &alice, "INBOX", STR(""), STR("ours\n"));
    struct mailbox *m = open_box(f, &alice, "INBOX");
    checkpoint(f);
    shell("echo theirs > %s/mail/" MAILDIR "/new/1234567890.theirs", f->root);
    assert_non_null(fiber_start(loop_current(), "merge", merge_one, m));
    fiber_yield();
    fixture_close(f);
    fixture_open(f, f->root);
    m = open_box(f, &alice, "INBOX");
    assert_int_equal(count_messages(m), 2);
    mailbox_unref(m);
    fixture_close(f);
}

static void test_end(void **state)
{
    (void)state;
    with_store(end);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_end),           cmocka_unit_test(test_seen_at_once),
        cmocka_unit_test(test_own_changes),   cmocka_unit_test(test_not_watched),
        cmocka_unit_test(test_after_a_crash), cmocka_unit_test(test_lists_of_another),
        cmocka_unit_test(test_oddities),      cmocka_unit_test(test_folders),
        cmocka_unit_test(test_stress),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
