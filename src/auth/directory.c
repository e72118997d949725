/*
 * The directory as the rest of the server sees it. All state is the loop's: a few connections to
 * the database, each lent to one worker at a time, and the cache of answers.
 *
 * A question goes to the cache first; then to a question of the same name that is on its way (a
 * message to a hundred of our addresses, a client that opens five connections: one query); then to
 * a worker. A change drops the cache before it is reported as done, and detaches the questions on
 * their way: their askers get what was true when they asked, later ones ask again.
 *
 * Failures (locked by another program, I/O error, corrupt file) are answers of this moment only:
 * LOOKUP_TEMPFAIL with the reason, never kept.
 */
#include "auth/directory_internal.h"

#include "auth/password.h"
#include "core/buf.h"
#include "core/mem.h"
#include "core/random.h"
#include "core/worker.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#define FIELD(name) offsetof(struct directory_settings, name)

static const struct setting settings[] = {
    {"path", SETTING_PATH, FIELD(path), "", 0, 0, NULL,
     "The database file of the embedded directory; empty: directory.db in the data directory."},
    {"default_domain", SETTING_STRING, FIELD(default_domain), "", 0, 0, NULL,
     "The domain of logins that name none; empty: the only domain, if there is just one."},
    {"cache_lifetime", SETTING_DURATION, FIELD(cache_lifetime), "5m", 0, 24 * 3600 * USEC_SEC, NULL,
     "How long answers and right passwords are remembered. Changes made with mailctl take effect "
     "at "
     "once. 0: not at all."},
    {NULL, 0, 0, NULL, 0, 0, NULL, NULL},
};

static bool check_settings(const void *values, struct err *e)
{
    const struct directory_settings *s = values;
    struct arena *a = arena_new();
    struct str domain;
    bool ok = *s->default_domain == '\0' || name_domain(a, str_from_c(s->default_domain), &domain);
    arena_free(a);
    return ok ||
           err_set(e, ERR_SYNTAX, "default_domain: \"%s\" is no domain name", s->default_domain);
}

const struct settings_block directory_settings_block = {
    .name = "directory",
    .help = "Users, domains and addresses: the embedded directory, kept with mailctl.",
    .size = sizeof(struct directory_settings),
    .settings = settings,
    .check = check_settings,
};

/* --- opening --- */

struct opening {
    struct directory *d;
    bool ok;
    struct err error;
};

static bool open_connections(struct directory *d, struct err *e)
{
    struct buf hash = BUF_EMPTY;
    unsigned char random[16];
    char password[2 * sizeof(random) + 1];
    random_bytes(random, sizeof(random));
    for (size_t i = 0; i < sizeof(random); i++)
        snprintf(password + 2 * i, 3, "%02x", random[i]);
    if (!password_hash(str_from_c(password), &hash, e))
        return false;
    d->impossible_hash = mem_dup(hash.p, hash.n);
    buf_free(&hash);
    if (!directory_db_prepare(d->path, e))
        return false;
    for (size_t i = 0; i < CONNECTIONS; i++)
        if (!(d->connections[i].db = directory_db_open(d->path, e)))
            return false;
    return true;
}

static void open_on_worker(void *arg)
{
    struct opening *o = arg;
    o->ok = open_connections(o->d, &o->error);
}

static void close_on_worker(void *arg)
{
    struct directory *d = arg;
    for (size_t i = 0; i < CONNECTIONS; i++)
        directory_db_close(d->connections[i].db);
}

static void set_default_domain(struct directory *d, const char *name)
{
    struct arena *a = arena_new();
    struct str domain = STR("");
    if (*name != '\0')
        name_domain(a, str_from_c(name), &domain);
    d->default_domain = mem_dup(domain.p, domain.n);
    arena_free(a);
}

struct directory *directory_open(struct loop *l, const struct directory_settings *s,
                                 const char *path, struct err *e)
{
    (void)l; /* the fiber's own */
    struct directory *d = MEM_NEW(struct directory);
    d->path = mem_dup(path, strlen(path));
    d->cache = cache_new(s->cache_lifetime);
    set_default_domain(d, s->default_domain);
    struct opening o = {.d = d};
    worker_run(WORKER_DISK, open_on_worker, &o);
    if (o.ok)
        return d;
    *e = o.error;
    directory_close(d);
    return NULL;
}

void directory_close(struct directory *d)
{
    if (!d)
        return;
    assert(!d->asked);
    for (size_t i = 0; i < CONNECTIONS; i++)
        assert(!d->connections[i].busy);
    worker_run(WORKER_DISK, close_on_worker, d);
    cache_free(d->cache);
    free(d->impossible_hash);
    free(d->default_domain);
    free(d->path);
    free(d);
}

/* --- work on the database --- */

struct work {
    struct directory_db *db;
    void (*fn)(struct directory_db *db, void *arg);
    void *arg;
};

static void run_work(void *arg)
{
    struct work *w = arg;
    w->fn(w->db, w->arg);
}

void directory_run(struct directory *d, bool change, void (*fn)(struct directory_db *db, void *arg),
                   void *arg)
{
    size_t first = change ? 0 : 1, end = change ? 1 : CONNECTIONS, i;
    struct cond *freed = change ? &d->change_free : &d->connection_free;
    for (;;) {
        for (i = first; i < end && d->connections[i].busy; i++)
            ;
        if (i < end)
            break;
        cond_wait_certain(freed);
    }
    struct work w = {d->connections[i].db, fn, arg};
    d->connections[i].busy = true;
    worker_run(WORKER_DISK, run_work, &w);
    d->connections[i].busy = false;
    cond_signal(freed);
}

static void ask_on_worker(struct directory_db *db, void *arg)
{
    struct answer *a = arg;
    struct directory_secrets secrets = {"", STR("")};
    switch (a->kind) {
    case ANSWER_DOMAIN:
        a->status = directory_db_find_domain(db, a->key, a->arena, &a->domain, &a->error);
        break;
    case ANSWER_ONLY_DOMAIN:
        a->status = directory_db_only_domain(db, a->arena, &a->domain.name, &a->error);
        break;
    case ANSWER_ACCOUNT:
        a->status =
            directory_db_find_account(db, a->key, a->arena, &a->account, &secrets, &a->error);
        a->hash = secrets.hash;
        a->verifier = secrets.verifier;
        break;
    case ANSWER_ADDRESS:
        a->status = directory_db_find_address(db, a->key, a->arena, &a->address, &a->error);
        break;
    }
}

static struct answer *find_asked(struct directory *d, enum answer_kind kind, struct str key)
{
    for (struct answer *a = d->asked; a; a = a->next)
        if (!a->stale && a->kind == kind && str_equal(a->key, key))
            return a;
    return NULL;
}

static void ask_database(struct directory *d, struct answer *a)
{
    a->next = d->asked;
    d->asked = a;
    directory_run(d, false, ask_on_worker, a);
    struct answer **link = &d->asked;
    while (*link != a)
        link = &(*link)->next;
    *link = a->next;
    a->done = true;
    if (a->status != LOOKUP_TEMPFAIL && !a->stale)
        cache_put(d->cache, a);
    cond_broadcast(&a->finished);
}

struct answer *directory_ask(struct directory *d, enum answer_kind kind, struct str key,
                             struct err *e)
{
    struct answer *a = cache_find(d->cache, kind, key);
    if (a)
        return a;
    a = find_asked(d, kind, key);
    if (!a) {
        a = answer_new(kind, key);
        ask_database(d, a);
        return a;
    }
    a->references++;
    while (!a->done) {
        if (!cond_wait(&a->finished, DEADLINE_NONE, e)) {
            answer_unref(a);
            return NULL;
        }
    }
    return a;
}

void directory_forget(struct directory *d)
{
    cache_clear(d->cache);
    for (struct answer *a = d->asked; a; a = a->next)
        a->stale = true;
}

/* --- look-ups --- */

/* Ends a look-up whose answer is not FOUND or whose answer has been copied. */
static enum lookup finish(struct answer *answer, struct err *e)
{
    if (!answer)
        return LOOKUP_TEMPFAIL;
    enum lookup status = answer->status;
    if (status == LOOKUP_TEMPFAIL && e)
        *e = answer->error;
    answer_unref(answer);
    return status;
}

static bool found(const struct answer *answer)
{
    return answer && answer->status == LOOKUP_FOUND;
}

enum lookup directory_find_domain(struct directory *d, struct str name, struct arena *a,
                                  struct domain *domain, struct err *e)
{
    struct str key;
    if (!name_domain(a, name, &key))
        return LOOKUP_NOT_FOUND;
    struct answer *answer = directory_ask(d, ANSWER_DOMAIN, key, e);
    if (found(answer)) {
        *domain = answer->domain;
        domain->name = key;
        domain->relay = arena_str(a, answer->domain.relay);
    }
    return finish(answer, e);
}

enum lookup directory_full_name(struct directory *d, struct str text, struct arena *a,
                                struct str *full, struct err *e)
{
    struct name name;
    enum lookup status = LOOKUP_FOUND;
    if (!name_parse(a, text, &name, NULL))
        return LOOKUP_NOT_FOUND;
    if (name.domain.n == 0)
        name.domain = str_from_c(d->default_domain);
    if (name.domain.n == 0) {
        struct answer *only = directory_ask(d, ANSWER_ONLY_DOMAIN, STR(""), e);
        if (found(only))
            name.domain = arena_str(a, only->domain.name);
        status = finish(only, e);
    }
    if (status == LOOKUP_FOUND)
        *full = name_text(a, &name);
    return status;
}

enum lookup directory_find_account(struct directory *d, struct str login, struct arena *a,
                                   struct account *account, struct err *e)
{
    struct str full;
    enum lookup status = directory_full_name(d, login, a, &full, e);
    if (status != LOOKUP_FOUND)
        return status;
    struct answer *answer = directory_ask(d, ANSWER_ACCOUNT, full, e);
    if (found(answer))
        *account = account_copy(a, &answer->account);
    return finish(answer, e);
}

enum lookup directory_find_entry(struct directory *d, struct str address, struct arena *a,
                                 struct directory_address *entry, struct err *e)
{
    struct str full;
    enum lookup status = directory_full_name(d, address, a, &full, e);
    if (status != LOOKUP_FOUND)
        return status;
    struct answer *answer = directory_ask(d, ANSWER_ADDRESS, full, e);
    if (found(answer)) {
        *entry = answer->address;
        entry->address = full;
        entry->destinations = arena_array(a, entry->count, sizeof(*entry->destinations));
        for (size_t i = 0; i < entry->count; i++)
            entry->destinations[i] = arena_str(a, answer->address.destinations[i]);
    }
    return finish(answer, e);
}

enum lookup directory_find_address(struct directory *d, struct str address, struct arena *a,
                                   struct str **destinations, size_t *count, struct err *e)
{
    struct directory_address entry;
    enum lookup status = directory_find_entry(d, address, a, &entry, e);
    if (status == LOOKUP_FOUND) {
        *destinations = entry.destinations;
        *count = entry.count;
    }
    return status;
}

enum lookup directory_find_verifier(struct directory *d, struct str login, struct arena *a,
                                    struct str *verifier, struct err *e)
{
    struct str full;
    enum lookup status = directory_full_name(d, login, a, &full, e);
    if (status != LOOKUP_FOUND)
        return status;
    struct answer *answer = directory_ask(d, ANSWER_ACCOUNT, full, e);
    bool usable = found(answer) && !answer->account.no_login && answer->verifier.n > 0;
    if (usable)
        *verifier = arena_str(a, answer->verifier);
    status = finish(answer, e);
    return status == LOOKUP_FOUND && !usable ? LOOKUP_NOT_FOUND : status;
}

/* --- passwords --- */

struct verification {
    struct str password;
    const char *hash;
    enum password_match match;
};

static void verify_on_worker(void *arg)
{
    struct verification *v = arg;
    v->match = password_verify(v->password, v->hash);
}

/* The reason is for the log; the client hears the same for all. */
static enum lookup refuse(struct err *e, const char *reason)
{
    err_set(e, ERR_DENIED, "%s", reason);
    return LOOKUP_NOT_FOUND;
}

static enum lookup judge(const struct answer *answer, enum password_match match, struct err *e)
{
    if (!found(answer))
        return refuse(e, "unknown_user");
    if (match == PASSWORD_UNUSABLE) {
        err_set(e, ERR_TEMP, "the stored password of %.*s is of no method this system knows",
                STR_ARG(answer->account.login));
        return LOOKUP_TEMPFAIL;
    }
    if (match == PASSWORD_WRONG)
        return refuse(e, "wrong_password");
    return answer->account.no_login ? refuse(e, answer->account.no_login) : LOOKUP_FOUND;
}

/* Compares with the stored hash, or one nobody's password has, at the same cost. */
static enum lookup check_hash(struct directory *d, struct answer *answer, struct str password,
                              struct err *e)
{
    struct success_tag tag;
    struct verification v = {password, found(answer) ? answer->hash : d->impossible_hash,
                             PASSWORD_RIGHT};
    success_make_tag(d->cache, found(answer) ? answer->account.login : STR(""), v.hash, password,
                     &tag);
    if (!found(answer) || !success_find(d->cache, &tag)) {
        if (worker_backlog(WORKER_AUTH) > LOGINS_WAITING_MAX) {
            err_set(e, ERR_TEMP, "too many logins are waiting for their password check");
            return LOOKUP_TEMPFAIL;
        }
        worker_run(WORKER_AUTH, verify_on_worker, &v);
    }
    enum lookup status = judge(answer, v.match, e);
    if (status == LOOKUP_FOUND)
        success_put(d->cache, &tag);
    return status;
}

enum lookup directory_check_password(struct directory *d, struct str login, struct str password,
                                     struct arena *a, struct account *account, struct err *e)
{
    struct str full;
    struct answer *answer = NULL;
    enum lookup status = directory_full_name(d, login, a, &full, e);
    if (status == LOOKUP_FOUND) {
        if (!(answer = directory_ask(d, ANSWER_ACCOUNT, full, e)))
            return LOOKUP_TEMPFAIL;
        status = answer->status;
    }
    if (status == LOOKUP_TEMPFAIL)
        return finish(answer, e);
    status = check_hash(d, answer, password, e);
    if (status == LOOKUP_FOUND)
        *account = account_copy(a, &answer->account);
    answer_unref(answer);
    return status;
}
