#pragma once
/*
 * A queue with a real journal and spool directory, a directory and a store in memory, a transport
 * that does as the test says, and a clock that the test moves. A crash is a copy of the data
 * directory as it is at that moment.
 */
#include "core/crash_copy.h"
#include "core/helper.h"
#include "core/journal.h"
#include "core/log.h"
#include "queue/operate.h"
#include "queue/queue.h"
#include "queue/transport.h"
#include "route/fake_directory.h"

#include <dirent.h>
#include <stdlib.h>
#include <time.h>

/* --- the clock --- */

static usec clock_ahead;

static usec test_monotonic(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * USEC_SEC + t.tv_nsec / 1000 + clock_ahead;
}

static usec test_wall(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return t.tv_sec * USEC_SEC + t.tv_nsec / 1000 + clock_ahead;
}

/* --- the store --- */

struct delivered {
    char login[80], mailbox[80];
    char *text;
};

static struct {
    struct delivered list[200];
    size_t count, calls;
    const char *fails; /* login that cannot get mail, or "*" */
    enum err_kind failure;
    const char *public; /* the only public mailbox; NULL: there is none */
    enum err_kind public_fails;
    bool crash; /* takes a copy of the disk when the next delivery is durable */
    char *copy;
    char dir[200];
} mail_store;

static bool gets_mail(const struct store_delivery *d)
{
    return !mail_store.fails || (strcmp(mail_store.fails, "*") != 0 &&
                                 !str_equal(d->account->login, str_from_c(mail_store.fails)));
}

static char *copy_of_the_world(void);

/* What comes with the delivery is durable before it is seen. */
static bool commit_companion(const struct store_companion *c, struct store_delivery *list,
                             size_t count, struct err *e);

bool store_deliver_with(struct store *s, struct spool *message, struct str prefix,
                        struct store_delivery *list, size_t count,
                        const struct store_companion *companion, struct err *e)
{
    bool all = true;
    (void)s;
    mail_store.calls++;
    fiber_yield();
    if (!commit_companion(companion, list, count, e))
        return false;
    if (mail_store.crash)
        mail_store.copy = copy_of_the_world();
    mail_store.crash = false;
    for (size_t i = 0; i < count; i++) {
        struct str login = list[i].account->login;
        if (!gets_mail(&list[i])) {
            err_set(&list[i].error, mail_store.failure, "the mailbox is not well");
            err_set(e, mail_store.failure, "the mailbox is not well");
            all = false;
            continue;
        }
        struct delivered *d = &mail_store.list[mail_store.count++];
        struct buf text = BUF_EMPTY;
        size_t got = 1;
        buf_add_str(&text, prefix);
        while (got > 0) {
            uint64_t at = text.n - prefix.n;
            assert_true(spool_read_at(message, buf_reserve(&text, 65536), 65536, at, &got, e));
            text.n += got;
        }
        buf_c(&text);
        d->text = text.p;
        snprintf(d->login, sizeof(d->login), "%.*s", STR_ARG(login));
        snprintf(d->mailbox, sizeof(d->mailbox), "%.*s", STR_ARG(list[i].mailbox));
        list[i].delivered = true;
        list[i].in_inbox = str_equal(list[i].mailbox, STR("INBOX"));
        list[i].uid = 1;
    }
    return all;
}

const struct account *store_public_account(const struct store *s)
{
    static const struct account account = {.login = {"public", 6}};
    (void)s;
    return &account;
}

bool store_has_mailbox(struct store *s, const struct account *account, struct str name,
                       struct err *e)
{
    (void)s;
    (void)account;
    if (mail_store.public_fails)
        return err_set(e, mail_store.public_fails, "the store is not well");
    return (mail_store.public && str_equal(name, str_from_c(mail_store.public))) ||
           err_set(e, ERR_NOT_FOUND, "no such mailbox");
}

const char *store_spool_dir(const struct store *s)
{
    (void)s;
    return mail_store.dir;
}

static inline void forget_mail(void)
{
    for (size_t i = 0; i < mail_store.count; i++)
        free(mail_store.list[i].text);
    mail_store.count = mail_store.calls = 0;
}

/* The text of the only mail that the mailbox got. */
static inline const char *only_mail(const char *login)
{
    const char *found = NULL;
    for (size_t i = 0; i < mail_store.count; i++)
        if (strcmp(mail_store.list[i].login, login) == 0) {
            assert_null(found);
            found = mail_store.list[i].text;
        }
    assert_non_null(found);
    return found;
}

/* --- the transport --- */

struct sent {
    char address[80];
    char destination[80];
    char *text; /* prefix and body */
    enum transport_status status;
    usec at;
    unsigned connection;
};

static struct {
    struct sent list[30000];
    size_t count;
    unsigned connections, open, open_most;
    enum transport_status (*script)(const struct transport_message *m,
                                    struct transport_recipient *r);
    bool unreachable;
    bool held; /* connections wait for wire_release */
    struct cond released;
    usec takes; /* time of a message */
} wire;

static inline enum transport_status take_all(const struct transport_message *m,
                                             struct transport_recipient *r)
{
    (void)m;
    r->text = STR("250 2.0.0 taken");
    return TRANSPORT_DELIVERED;
}

static inline enum transport_status not_now(const struct transport_message *m,
                                            struct transport_recipient *r)
{
    (void)m;
    r->code = STR("4.2.0");
    r->text = STR("451 4.2.0 not now");
    r->relay = STR("mx.far.test[192.0.2.1]:25");
    return TRANSPORT_DEFERRED;
}

static inline enum transport_status never(const struct transport_message *m,
                                          struct transport_recipient *r)
{
    (void)m;
    r->code = STR("5.1.1");
    r->text = STR("550 5.1.1 no such user here");
    r->relay = STR("mx.far.test[192.0.2.1]:25");
    return TRANSPORT_FAILED;
}

static void carry(struct transport_job *job, struct transport_message *m, unsigned connection)
{
    struct err e;
    for (size_t i = 0; i < m->recipient_count; i++) {
        struct sent *s = &wire.list[wire.count++];
        struct buf text = BUF_EMPTY;
        size_t got;
        buf_add_str(&text, m->prefix);
        assert_true(spool_read_at(m->body, buf_reserve(&text, 200), 200, 0, &got, &e));
        text.n += got;
        buf_c(&text);
        snprintf(s->address, sizeof(s->address), "%.*s", STR_ARG(m->recipients[i].address));
        snprintf(s->destination, sizeof(s->destination), "%.*s", STR_ARG(job->destination));
        s->text = text.p;
        s->at = clock_wall();
        s->connection = connection;
        if (wire.unreachable)
            m->recipients[i].text = STR("connection refused");
        else
            m->recipients[i].status = wire.script(m, &m->recipients[i]);
        s->status = m->recipients[i].status;
    }
    m->destination_failed = wire.unreachable;
}

static void test_transport(void *arg, struct transport_job *job)
{
    struct err e;
    unsigned connection = ++wire.connections;
    (void)arg;
    if (++wire.open > wire.open_most)
        wire.open_most = wire.open;
    if (!wire.unreachable)
        transport_connected(job);
    while (wire.held && cond_wait(&wire.released, DEADLINE_NONE, &e)) {
    }
    do {
        if (wire.takes && !fiber_sleep(wire.takes, &e))
            break;
        carry(job, job->message, connection);
    } while (!wire.unreachable && transport_next(job));
    wire.open--;
}

static inline void forget_wire(void)
{
    for (size_t i = 0; i < wire.count; i++)
        free(wire.list[i].text);
    memset(&wire, 0, sizeof(wire));
    wire.script = take_all;
}

/* --- the queue --- */

static struct {
    struct loop *loop;
    char *root;
    struct journal *journal;
    struct router *router;
    struct queue *queue;
    struct queue_settings settings;
    bool opened;
} world;

static char *copy_of_the_world(void)
{
    return crash_copy(world.root);
}

static bool commit_companion(const struct store_companion *c, struct store_delivery *list,
                             size_t count, struct err *e)
{
    size_t delivered = 0;
    for (size_t i = 0; i < count; i++) {
        list[i].delivered = gets_mail(&list[i]);
        delivered += list[i].delivered;
        if (!list[i].delivered)
            err_set(&list[i].error, mail_store.failure, "the mailbox is not well");
    }
    bool ok = true;
    if (delivered > 0 && c && c->prepare(c->arg, list, count)) {
        /* The store's own record follows: here one of the queue that says nothing new. */
        struct buf done = BUF_EMPTY;
        c->append(c->arg);
        buf_add_counted(&done, STR("nobody"));
        struct str part = buf_str(&done);
        lsn last = journal_append(world.journal, JOURNAL_QUEUE, 4, 1, &part, 1);
        ok = journal_commit(world.journal, last, e);
        buf_free(&done);
    }
    for (size_t i = 0; i < count; i++) {
        list[i].delivered = false;
        if (!ok)
            list[i].error = *e;
    }
    return ok;
}

static inline bool world_try_open(struct err *e)
{
    char *journal_dir = path_in(world.root, "journal"), *spool = path_in(world.root, "queue");
    snprintf(mail_store.dir, sizeof(mail_store.dir), "%s/spool", world.root);
    assert_true(disk_make_dirs(mail_store.dir, 0700, e));
    struct journal_settings js = {
        .dir = journal_dir, .segment_size = 2 * 1024 * 1024, .disk_reserve = 1};
    world.journal = journal_open(&js, e);
    assert_non_null(world.journal);
    struct router_context rc = {.hostname = "mail.example.test"};
    world.router = router_new(
        &rc, &(struct router_settings){.postmaster = "", .separator = "+", .groups = true});
    struct queue_context c = {.loop = loop_current(),
                              .journal = world.journal,
                              .router = world.router,
                              .hostname = "mail.example.test",
                              .spool_dir = spool};
    world.queue = queue_open(&world.settings, &c, e);
    assert_non_null(world.queue);
    queue_set_transport(world.queue, test_transport, NULL);
    bool ok = journal_start(world.journal, e);
    if (ok)
        queue_start(world.queue);
    world.opened = ok;
    /* The context's strings live as long as the queue. */
    static char *keep[2];
    free(keep[0]);
    free(keep[1]);
    keep[0] = journal_dir;
    keep[1] = spool;
    return ok;
}

static inline void world_open(void)
{
    struct err e;
    if (!world_try_open(&e))
        fail_msg("%s", e.text);
}

static inline void world_close(void)
{
    if (world.opened)
        queue_stop(world.queue, clock_monotonic());
    journal_close(world.journal);
    queue_free(world.queue);
    router_free(world.router);
    world.opened = false;
}

/* What is on the disk now becomes another server's start; this one ends without effect on it. */
static inline void world_crash(void)
{
    char *before = world.root, *after = crash_copy(before);
    world_close();
    remove_directory(before);
    world.root = after;
}

/* Runs until nothing happens for a while. */
static inline void wire_release(void)
{
    wire.held = false;
    cond_broadcast(&wire.released);
}

static inline void settle(void)
{
    struct err e;
    for (int quiet = 0; quiet < 3;) {
        struct queue_stats s;
        size_t before = wire.count + mail_store.count + mail_store.calls;
        assert_true(fiber_sleep(10 * USEC_MSEC, &e));
        queue_get_stats(world.queue, &s);
        bool same = before == wire.count + mail_store.count + mail_store.calls;
        quiet = same && s.connections == 0 ? quiet + 1 : 0;
    }
}

/* Results of attempts are not waited for; they become durable within a tenth of a second. */
static inline void let_results_be_written(void)
{
    struct err e;
    assert_true(fiber_sleep(200 * USEC_MSEC, &e));
}

static inline void advance(usec duration)
{
    clock_ahead += duration;
    fiber_yield(); /* a loop that waits already does not see the clock move */
    settle();
}

/* --- giving it mail --- */

struct gift {
    const char *sender;
    const char *recipients[8];
    const char *text;
    size_t padding; /* added to the text */
    bool per_recipient;
    struct envelope_options options;
    unsigned notify[8];
    const char *requested[8]; /* ORCPT */
    bool accepted[8];         /* results */
    struct err error[8], whole;
    char id[ID_SIZE];
};

static inline bool give(struct gift *g)
{
    struct arena *a = arena_new();
    struct envelope_recipient recipients[8] = {{.accepted = false}};
    struct envelope envelope = {.sender = str_from_c(g->sender),
                                .recipients = recipients,
                                .component = "submission",
                                .prefix = STR("Received: from test\n"),
                                .options = g->options};
    struct err e = {.kind = ERR_NONE};
    random_id(envelope.id);
    memcpy(g->id, envelope.id, sizeof(g->id));
    for (; envelope.recipient_count < 8 && g->recipients[envelope.recipient_count];
         envelope.recipient_count++) {
        struct envelope_recipient *r = &recipients[envelope.recipient_count];
        r->address = str_from_c(g->recipients[envelope.recipient_count]);
        r->notify = g->notify[envelope.recipient_count];
        r->original_recipient = str_from_c(g->requested[envelope.recipient_count]);
        r->route = route_recipient(world.router, r->address, a);
    }
    struct spool *spool = spool_new(mail_store.dir, envelope.id);
    assert_true(spool_write(spool, str_from_c(g->text ? g->text : "Subject: x\n\nbody\n"), &e));
    for (size_t done = 0; done < g->padding; done += 1000) {
        char line[1001];
        memset(line, 'x', 1000);
        line[999] = '\n';
        assert_true(spool_write(spool, str_from(line, 1000), &e));
    }
    bool ok = queue_accept(world.queue, &envelope, spool, g->per_recipient, &e);
    spool_unref(spool);
    for (size_t i = 0; i < envelope.recipient_count; i++) {
        g->accepted[i] = recipients[i].accepted;
        if (recipients[i].error)
            g->error[i] = *recipients[i].error;
    }
    g->whole = e;
    arena_free(a);
    return ok;
}

/* What an operator does to a message. */
static inline bool operate(enum queue_action action, const char *id, struct err *e)
{
    struct queue_operation o = {world.queue, action, true, "root", STR(""), 0};
    return queue_operate(&o, id, e) && queue_operation_commit(&o, e);
}

static inline size_t queued(void)
{
    struct queue_stats s;
    queue_get_stats(world.queue, &s);
    return s.messages;
}

/* Number of files in the spool directory whose names end so. */
static inline size_t files(const char *suffix)
{
    char *path = path_in(world.root, "queue");
    DIR *d = opendir(path);
    size_t count = 0;
    assert_non_null(d);
    for (struct dirent *entry; (entry = readdir(d));)
        count += str_ends_with_nocase(str_from_c(entry->d_name), str_from_c(suffix));
    closedir(d);
    free(path);
    return count;
}

/* Number of files there whose names are this and a number. */
static inline size_t files_named(const char *prefix)
{
    char *path = path_in(world.root, "queue");
    DIR *d = opendir(path);
    size_t count = 0, n = strlen(prefix);
    assert_non_null(d);
    for (struct dirent *entry; (entry = readdir(d));) {
        uint64_t number;
        count += strncmp(entry->d_name, prefix, n) == 0 &&
                 str_to_u64(str_from_c(entry->d_name + n), &number);
    }
    closedir(d);
    free(path);
    return count;
}

static inline void world_body(void *arg)
{
    void (*fn)(void) = *(void (**)(void))arg;
    fn();
}

/* A test: fn in a fresh world. */
static inline void in_world(void (*fn)(void))
{
    struct err e;
    const char *log = getenv("TEST_LOG");
    assert_true(log_open(log ? log : "/dev/null", LOG_LEVEL_INFO, &e));
    memset(&fake, 0, sizeof(fake));
    fake.domains[0] = "example.test";
    fake.accounts[0] = "alice@example.test";
    fake.accounts[1] = "bob@example.test";
    memset(&mail_store, 0, sizeof(mail_store));
    memset(&wire, 0, sizeof(wire));
    forget_wire();
    clock_ahead = 0;
    clock_replace(test_monotonic, test_wall);
    world.settings = (struct queue_settings){.retry_first = 300 * USEC_SEC,
                                             .retry_max = 3600 * USEC_SEC,
                                             .lifetime = 4 * 86400 * USEC_SEC,
                                             .delay_warning = 0,
                                             .connections_max = 20,
                                             .connections_per_destination = 4,
                                             .connections_at_first = 4,
                                             .relay_host = "",
                                             .relay_user = "",
                                             .relay_password = "",
                                             .report_text = "",
                                             .double_bounces = true};
    world.root = make_directory();
    run_in_fiber(world_body, &fn);
    remove_directory(world.root);
    forget_mail();
    forget_wire();
    clock_replace(NULL, NULL);
}

#define WORLD_TEST(name)                                                                           \
    static void test_##name(void **state)                                                          \
    {                                                                                              \
        (void)state;                                                                               \
        in_world(name);                                                                            \
    }
