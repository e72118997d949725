/*
 * The embedded directory as a source. A few connections to one SQLite database, each lent to one
 * worker at a time: the first is for changes, the others are for questions. Every answer is what
 * the file says at that moment. Domains and addresses are held in memory (embedded_tables.h);
 * users and groups are asked for, since there may be any number of them.
 *
 * A list of accounts is a list of row numbers, read at once, and the rows themselves a slice at a
 * time: no transaction stays open while who asked does something with an account, and who is
 * deleted meanwhile is left out.
 */
#include "auth/embedded.h"

#include "auth/embedded_group.h"
#include "auth/limits.h"
#include "core/mem.h"
#include "core/worker.h"

#include <assert.h>
#include <stdlib.h>

struct embedded {
    struct source source;
    char *path, *default_domain;
    struct {
        struct directory_db *db;
        bool busy;
    } connections[CONNECTIONS]; /* the first is for changes */
    struct cond connection_free, change_free;
    usec password_max_age; /* 0: none */
    struct embedded_tables tables;
};

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

void embedded_run(struct embedded *s, bool change, void (*fn)(struct directory_db *db, void *arg),
                  void *arg)
{
    size_t first = change ? 0 : 1, end = change ? 1 : CONNECTIONS, i;
    struct cond *freed = change ? &s->change_free : &s->connection_free;
    for (;;) {
        for (i = first; i < end && s->connections[i].busy; i++)
            ;
        if (i < end)
            break;
        cond_wait_certain(freed);
    }
    struct work w = {s->connections[i].db, fn, arg};
    s->connections[i].busy = true;
    worker_run(WORKER_DISK, run_work, &w);
    s->connections[i].busy = false;
    cond_signal(freed);
}

/* --- look-ups --- */

struct question {
    struct str text;
    struct arena *arena;
    enum lookup status;
    struct source_account *account;
    struct directory_group *group;
    size_t group_count;
    struct err *error;
};

static void ask_account(struct directory_db *db, void *arg)
{
    struct question *q = arg;
    q->status = directory_db_find_account(db, q->text, q->arena, q->account, q->error);
}

static void ask_group(struct directory_db *db, void *arg)
{
    struct question *q = arg;
    q->status = group_db_find(db, q->text, q->arena, q->group, q->error);
}

/* --- in memory --- */

const struct embedded_tables *embedded_tables(const struct embedded *s)
{
    return &s->tables;
}

void embedded_take(struct embedded *s, struct tables_news *news)
{
    tables_take(&s->tables, news);
}

bool embedded_find_domain(struct embedded *s, struct str name, struct arena *a,
                          struct domain *domain)
{
    return domain_table_give(s->tables.domains, name, a, domain);
}

bool embedded_has_domain(const struct embedded *s, struct str name)
{
    return domain_table_find(s->tables.domains, name) != NULL;
}

bool embedded_usual_domain(const struct embedded *s, struct str *name)
{
    const struct domain *only = domain_table_only(s->tables.domains);
    bool given = *s->default_domain != '\0';
    if (given || only)
        *name = given ? str_from_c(s->default_domain) : only->name;
    return given || only;
}

bool embedded_set_default_domain(struct embedded *s, struct str domain)
{
    if (str_equal(domain, str_from_c(s->default_domain)))
        return false;
    free(s->default_domain);
    s->default_domain = mem_dup(domain.p, domain.n);
    return true;
}

bool embedded_find_address(struct embedded *s, struct str address, struct arena *a,
                           struct directory_address *found)
{
    struct address_table_answer answer;
    if (!address_table_find(s->tables.addresses, address, a, &answer))
        return false;
    *found = (struct directory_address){.address = answer.address,
                                        .destinations = answer.texts,
                                        .count = answer.count,
                                        .internal = answer.flag,
                                        .source = s->source.name};
    return true;
}

/* --- as a source --- */

static struct embedded *embedded_of(struct source *s)
{
    return (struct embedded *)s; /* its first member */
}

static void trace_result(struct lookup_trace *t, enum lookup status, const struct err *e)
{
    if (status == LOOKUP_TEMPFAIL)
        lookup_trace_add(t, "result", "cannot be told now: %s", e->text);
    else
        lookup_trace_add(t, "result", "%s", status == LOOKUP_FOUND ? "found" : "not there");
}

static bool is_too_old(const struct embedded *s, int64_t password_set)
{
    return s->password_max_age > 0 && clock_wall() - password_set * USEC_SEC > s->password_max_age;
}

void embedded_set_password_max_age(struct embedded *s, usec age)
{
    s->password_max_age = age;
}

static enum lookup find_account(struct source *s, struct str address, struct arena *a,
                                struct source_account *found, struct lookup_trace *t, struct err *e)
{
    struct question q = {.text = address, .arena = a, .account = found, .error = e};
    lookup_trace_add(t, "file", "%s", embedded_of(s)->path);
    lookup_trace_add(t, "user", "%.*s", STR_ARG(address));
    embedded_run(embedded_of(s), false, ask_account, &q);
    if (q.status == LOOKUP_FOUND && !found->account.no_login &&
        is_too_old(embedded_of(s), found->password_set))
        found->account.no_login = "password_expired";
    trace_result(t, q.status, e);
    return q.status;
}

static enum lookup find_login(struct source *s, struct str login, struct arena *a,
                              struct source_account *found, struct lookup_trace *t, struct err *e)
{
    struct name name;
    const char *reason;
    if (!name_read(a, login, &name, &reason)) {
        lookup_trace_add(t, "result", "not there: %s", reason);
        return LOOKUP_NOT_FOUND;
    }
    if (name.domain.n == 0 && !embedded_usual_domain(embedded_of(s), &name.domain)) {
        trace_result(t, LOOKUP_NOT_FOUND, e);
        return LOOKUP_NOT_FOUND;
    }
    return find_account(s, name_text(a, &name), a, found, t, e);
}

static enum lookup find_address(struct source *s, struct str address, struct arena *a,
                                struct directory_address *found, struct lookup_trace *t,
                                struct err *e)
{
    lookup_trace_add(t, "file", "%s", embedded_of(s)->path);
    lookup_trace_add(t, "address", "%.*s", STR_ARG(address));
    bool there = embedded_find_address(embedded_of(s), address, a, found);
    enum lookup status = there ? LOOKUP_FOUND : LOOKUP_NOT_FOUND;
    trace_result(t, status, e);
    return status;
}

static enum lookup find_group(struct source *s, struct str address, struct arena *a,
                              struct directory_group *found, struct lookup_trace *t, struct err *e)
{
    struct question q = {.text = address, .arena = a, .group = found, .error = e};
    lookup_trace_add(t, "file", "%s", embedded_of(s)->path);
    lookup_trace_add(t, "group", "%.*s", STR_ARG(address));
    embedded_run(embedded_of(s), false, ask_group, &q);
    trace_result(t, q.status, e);
    return q.status;
}

/* --- lists --- */

struct listing {
    struct str domain;
    struct arena *ids_arena, *arena;
    int64_t *ids;
    size_t count, at;
    struct account slice[LIST_SLICE];
    size_t slice_count;
    bool ok;
    struct err *error;
};

static void list_ids(struct directory_db *db, void *arg)
{
    struct listing *l = arg;
    l->ok = directory_db_list_user_ids(db, l->domain, l->ids_arena, &l->ids, &l->count, l->error);
}

static void read_slice(struct directory_db *db, void *arg)
{
    struct listing *l = arg;
    l->ok = true;
    l->slice_count = 0;
    while (l->ok && l->at < l->count && l->slice_count < LIST_SLICE) {
        enum lookup status = directory_db_get_user(db, l->ids[l->at++], l->arena,
                                                   &l->slice[l->slice_count], l->error);
        l->slice_count += status == LOOKUP_FOUND;
        l->ok = status != LOOKUP_TEMPFAIL;
    }
}

static bool list_slices(struct embedded *s, struct listing *l,
                        bool (*fn)(void *arg, const struct account *account), void *arg)
{
    embedded_run(s, false, list_ids, l);
    while (l->ok && l->at < l->count) {
        embedded_run(s, false, read_slice, l);
        for (size_t i = 0; l->ok && i < l->slice_count; i++)
            if (!fn(arg, &l->slice[i]))
                return false;
        arena_reset(l->arena);
    }
    return l->ok;
}

static bool list_accounts(struct source *s, struct str domain,
                          bool (*fn)(void *arg, const struct account *account), void *arg,
                          struct err *e)
{
    struct listing *l = MEM_NEW(struct listing); /* too large for a fiber's stack */
    *l = (struct listing){
        .domain = domain, .ids_arena = arena_new(), .arena = arena_new(), .error = e};
    bool ok = list_slices(embedded_of(s), l, fn, arg);
    arena_free(l->arena);
    arena_free(l->ids_arena);
    free(l);
    return ok;
}

static void ask_groups(struct directory_db *db, void *arg)
{
    struct question *q = arg;
    bool ok = group_db_list(db, q->text, q->arena, &q->group, &q->group_count, q->error);
    q->status = ok ? LOOKUP_FOUND : LOOKUP_TEMPFAIL;
}

/* With all members, as find_group gives them. */
static bool list_groups(struct source *s, struct str domain,
                        bool (*fn)(void *arg, const struct directory_group *group), void *arg,
                        struct err *e)
{
    struct question q = {.text = domain, .arena = arena_new(), .error = e};
    embedded_run(embedded_of(s), false, ask_groups, &q);
    bool ok = q.status == LOOKUP_FOUND;
    for (size_t i = 0; ok && i < q.group_count; i++) {
        struct question each = {
            .text = q.group[i].address, .arena = arena_new(), .group = &q.group[i], .error = e};
        embedded_run(embedded_of(s), false, ask_group, &each);
        ok = each.status != LOOKUP_TEMPFAIL &&
             (each.status == LOOKUP_NOT_FOUND || fn(arg, &q.group[i]));
        arena_free(each.arena);
    }
    arena_free(q.arena);
    return ok;
}

static void describe(struct source *s, struct lookup_trace *t)
{
    lookup_trace_add(t, "file", "%s", embedded_of(s)->path);
}

/* --- opening --- */

static void close_on_worker(void *arg)
{
    struct embedded *s = arg;
    for (size_t i = 0; i < CONNECTIONS; i++)
        directory_db_close(s->connections[i].db);
}

void embedded_close(struct embedded *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < CONNECTIONS; i++)
        assert(!s->connections[i].busy);
    worker_run(WORKER_DISK, close_on_worker, s);
    tables_close(&s->tables);
    free(s->default_domain);
    free(s->path);
    free(s);
}

static void close_source(struct source *s)
{
    embedded_close(embedded_of(s));
}

/* Passwords are checked with their hash, and set as a change (directory_password.c). */
static const struct source_functions functions = {
    .kind = "embedded",
    .find_login = find_login,
    .find_account = find_account,
    .find_address = find_address,
    .find_group = find_group,
    .list_accounts = list_accounts,
    .list_groups = list_groups,
    .describe = describe,
    .close = close_source,
};

struct opening {
    struct embedded *s;
    struct tables_news *news;
    struct err *error;
};

static void open_on_worker(void *arg)
{
    struct opening *o = arg;
    struct directory_db *db = NULL;
    bool ok = directory_db_prepare(o->s->path, o->error);
    for (size_t i = 0; ok && i < CONNECTIONS; i++)
        ok = (db = o->s->connections[i].db = directory_db_open(o->s->path, o->error)) != NULL;
    if (!ok)
        return;
    tables_touch_all(db);
    o->news = tables_read(db, o->error);
    tables_touch_nothing(db);
}

struct embedded *embedded_open(const char *path, const char *default_domain, struct err *e)
{
    struct embedded *s = MEM_NEW(struct embedded);
    s->source = (struct source){.functions = &functions, .name = EMBEDDED_NAME};
    s->path = mem_dup(path, strlen(path));
    s->default_domain = mem_dup(default_domain, strlen(default_domain));
    struct opening o = {.s = s, .error = e};
    worker_run(WORKER_DISK, open_on_worker, &o);
    if (!o.news) {
        embedded_close(s);
        return NULL;
    }
    embedded_take(s, o.news);
    tables_news_free(o.news);
    return s;
}

struct source *embedded_source(struct embedded *s)
{
    return &s->source;
}
