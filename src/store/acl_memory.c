/*
 * What is remembered of lists. Files are looked at on a worker; what was read counts only if no
 * list was changed and no mailbox made, renamed or deleted meanwhile: else it might be older than
 * what everybody knows by then, and is read again.
 */
#include "store/acl_memory.h"

#include "core/disk.h"
#include "core/log.h"
#include "core/lru.h"
#include "core/mem.h"
#include "core/worker.h"
#include "store/account_watch.h"
#include "store/acl_file.h"
#include "store/limits.h"
#include "store/store_internal.h"

#include <stdlib.h>

struct remembered {
    usec looked;
    struct acl_loaded list;
};

struct acl_memory {
    struct account_watcher watcher;
    struct lru *lists;
    uint32_t round; /* grows when what is being read may be out of date */
    bool in_use;    /* there are public mailboxes */
};

/* --- the memory --- */

static void drop(void *value)
{
    arena_free(((struct remembered *)value)->list.arena);
}

static void forget(struct acl_memory *m, struct str name)
{
    void *value = lru_find(m->lists, name);
    m->round++;
    if (value)
        lru_remove(m->lists, value);
}

struct forgetting {
    struct acl_memory *memory;
    struct str top;
};

static bool forget_below(void *arg, void *value)
{
    const struct forgetting *f = arg;
    if (folder_name_is_below(lru_key(value), f->top))
        lru_remove(f->memory->lists, value);
    return true;
}

static void forget_tree(struct acl_memory *m, struct str name)
{
    forget(m, name);
    lru_each(m->lists, forget_below, &(struct forgetting){m, name});
}

static void on_event(void *arg, const struct account_event *event)
{
    struct acl_memory *m = arg;
    if (event->kind == ACCOUNT_CREATED || event->kind == ACCOUNT_DELETED)
        forget(m, event->name);
    if (event->kind == ACCOUNT_RENAMED) {
        forget_tree(m, event->old_name);
        forget_tree(m, event->name);
    }
}

static struct acl_memory *memory_of(struct store *s, struct err *e)
{
    if (s->acls)
        return s->acls;
    struct acl_memory *m = MEM_NEW(struct acl_memory);
    m->watcher.fn = on_event;
    m->watcher.arg = m;
    if (!account_watch(s, store_public_account(s), &m->watcher, e)) {
        free(m);
        return NULL;
    }
    m->lists = lru_new(sizeof(struct remembered), ACL_MEMORY_MAX);
    lru_set_owner(m->lists, NULL, drop);
    return s->acls = m;
}

void acl_memory_free(struct acl_memory *m)
{
    if (!m)
        return;
    account_unwatch(&m->watcher);
    lru_free(m->lists);
    free(m);
}

/* --- is there anything --- */

struct stat_job {
    const char *path;
    bool found;
};

static void run_stat(void *arg)
{
    struct stat_job *job = arg;
    struct stat st;
    job->found = disk_stat(job->path, &st, NULL);
}

bool store_has_public(struct store *s)
{
    struct acl_memory *m = memory_of(s, NULL);
    if (!m || m->in_use)
        return m != NULL;
    struct stat_job job = {.path = m->watcher.account->maildir,
                           .found = m->watcher.account->prepared};
    if (!job.found)
        worker_run(WORKER_DISK, run_stat, &job);
    m->in_use = job.found;
    return job.found;
}

/* --- looking --- */

struct look {
    struct str name; /* canonical */
    char *dir;
    bool known;
    struct acl_stamp stamp;
    struct acl_loaded list;
};

struct looking {
    struct look *list;
    size_t count;
};

static void run_look(void *arg)
{
    struct looking *l = arg;
    for (size_t i = 0; i < l->count; i++) {
        struct look *x = &l->list[i];
        acl_file_load(x->dir, x->known ? &x->stamp : NULL, &x->list);
    }
}

static bool is_fresh(const struct remembered *r)
{
    return r && r->looked && clock_monotonic() - r->looked < ACL_RECHECK;
}

/* There is no INBOX among the public mailboxes, and its directory would be that of them all. */
static bool canonical(struct str name, struct arena *a, struct str *out)
{
    struct buf b = BUF_EMPTY;
    bool ok = name.n == 0 || folder_name_check(name, &b, NULL);
    *out = arena_str(a, buf_str(&b));
    buf_free(&b);
    return ok && !str_equal(*out, STR("INBOX"));
}

static char *dir_of(const struct acl_memory *m, struct str name)
{
    const struct store_account *a = m->watcher.account;
    return name.n ? mailbox_dir_path(a, name) : mem_dup(a->maildir, strlen(a->maildir));
}

static void log_problem(const struct remembered *before, const struct acl_loaded *now)
{
    bool told = before->looked && before->list.state == now->state && now->state == ACL_UNKNOWN;
    if (now->state == ACL_DAMAGED)
        log_error("store", NULL, "access control list: %s; nobody has any rights by it",
                  now->error.text);
    else if (now->state == ACL_UNKNOWN && !told)
        log_error("store", NULL, "access control list: %s", now->error.text);
}

/* Takes the list over. */
static void remember(struct acl_memory *m, const struct look *x)
{
    struct remembered *r = lru_add(m->lists, x->name);
    if (!x->list.same) {
        log_problem(r, &x->list);
        arena_free(r->list.arena);
        r->list = x->list;
    }
    r->list.stamp = x->list.stamp;
    r->looked = clock_monotonic();
}

static void end_look(struct looking *l)
{
    for (size_t i = 0; i < l->count; i++)
        free(l->list[i].dir);
}

/* Those of the names, canonical, that have to be looked at. */
static void begin_look(const struct acl_memory *m, const struct str *names, size_t count,
                       struct looking *l, struct arena *a)
{
    *l = (struct looking){.list = arena_array(a, count, sizeof *l->list)};
    for (size_t i = 0; i < count; i++) {
        const struct remembered *r = lru_peek(m->lists, names[i]);
        if (is_fresh(r))
            continue;
        struct look *x = &l->list[l->count++];
        *x = (struct look){.name = names[i], .dir = dir_of(m, names[i]), .known = r != NULL};
        if (r)
            x->stamp = r->list.stamp;
    }
}

/* A few times: people do not change lists all the time. */
#define LOOKS 20

static bool look(struct acl_memory *m, const struct str *names, size_t count, struct err *e)
{
    struct arena *a = arena_new();
    struct looking l;
    bool done = false;
    for (int i = 0; i < LOOKS && !done; i++) {
        uint32_t round = m->round;
        begin_look(m, names, count, &l, a);
        done = l.count == 0;
        if (!done)
            worker_run(WORKER_DISK, run_look, &l);
        bool current = round == m->round;
        for (size_t k = 0; k < l.count; k++) {
            if (current)
                remember(m, &l.list[k]);
            else
                arena_free(l.list[k].list.arena);
        }
        done = done || current;
        end_look(&l);
    }
    arena_free(a);
    return done || err_set(e, ERR_TEMP, "access control lists change too fast");
}

void acl_look(struct store *s, const struct mailbox_info *list, size_t count)
{
    struct acl_memory *m = memory_of(s, NULL);
    struct arena *a = arena_new();
    struct str *names = arena_array(a, count, sizeof *names);
    size_t n = 0;
    for (size_t i = 0; m && i < count && n < ACL_MEMORY_MAX; i++)
        if (list[i].exists && canonical(list[i].name, a, &names[n]))
            n++;
    if (n)
        look(m, names, n, NULL);
    arena_free(a);
}

/* --- rights --- */

static unsigned rights_by(const struct acl_loaded *l, const struct acl_who *who)
{
    return l->state == ACL_LISTED ? acl_rights_of(&l->acl, who) : 0;
}

bool acl_rights(struct store *s, struct str mailbox, const struct acl_who *who, unsigned *rights,
                bool *exists, struct err *e)
{
    struct acl_memory *m = memory_of(s, e);
    struct arena *a = arena_new();
    struct str name;
    *rights = 0;
    if (exists)
        *exists = false;
    bool can_be = canonical(mailbox, a, &name);
    bool ok = m && (!can_be || look(m, &name, 1, e));
    const struct remembered *r = ok && can_be ? lru_find(m->lists, name) : NULL;
    arena_free(a);
    if (!r)
        return ok;
    if (r->list.state == ACL_UNKNOWN)
        return err_set(e, ERR_TEMP, "%s", r->list.error.text);
    *rights = rights_by(&r->list, who);
    if (exists)
        *exists = r->list.state != ACL_NO_MAILBOX;
    return true;
}

unsigned acl_remembered(struct store *s, struct str mailbox, const struct acl_who *who)
{
    struct arena *a = arena_new();
    struct str name;
    bool can_be = s->acls && canonical(mailbox, a, &name);
    const struct remembered *r = can_be ? lru_peek(s->acls->lists, name) : NULL;
    arena_free(a);
    return r ? rights_by(&r->list, who) : 0;
}

/* --- the lists themselves --- */

struct list_job {
    char *dir;
    const char *root;
    struct arena *arena;
    struct acl acl;
    struct str text;                 /* instead of what there is; NULL: it is read */
    const struct acl_identifier *id; /* to be changed, or NULL */
    enum acl_change change;
    unsigned rights;
    bool ok;
    struct err error;
};

static void run_list(void *arg)
{
    struct list_job *job = arg;
    struct acl_loaded l;
    struct buf text = BUF_EMPTY;
    acl_file_load(job->dir, NULL, &l);
    if (l.state == ACL_NO_MAILBOX) {
        err_set(&job->error, ERR_NOT_FOUND, "there is no such mailbox");
    } else if (job->text.p) {
        job->ok = acl_parse(&job->acl, job->text, job->arena, &job->error) &&
                  acl_file_write(job->dir, job->root, &job->acl, &job->error);
    } else if (l.state == ACL_DAMAGED || l.state == ACL_UNKNOWN) {
        job->error = l.error;
    } else {
        /* Once more, so that its strings are in the caller's arena. */
        if (l.state == ACL_LISTED)
            acl_format(&text, &l.acl);
        job->ok = acl_parse(&job->acl, buf_str(&text), job->arena, &job->error);
    }
    arena_free(l.arena);
    buf_free(&text);
    job->ok = job->ok &&
              (!job->id ||
               (acl_apply(&job->acl, job->id, job->change, job->rights, job->arena, &job->error) &&
                acl_file_write(job->dir, job->root, &job->acl, &job->error)));
}

static bool run_job(struct acl_memory *m, struct str mailbox, struct list_job *job, struct err *e)
{
    struct str name;
    if (!canonical(mailbox, job->arena, &name))
        return err_set(e, ERR_NOT_FOUND, "there is no such mailbox");
    job->dir = dir_of(m, name);
    job->root = m->watcher.account->maildir;
    worker_run(WORKER_DISK, run_list, job);
    free(job->dir);
    if (job->id || job->text.p)
        forget(m, name);
    if (!job->ok && e)
        *e = job->error;
    return job->ok;
}

bool acl_get(struct store *s, struct str mailbox, struct arena *a, struct acl *acl, struct err *e)
{
    struct acl_memory *m = memory_of(s, e);
    struct list_job job = {.arena = a};
    bool ok =
        m && store_account_open(s, store_public_account(s), e) && run_job(m, mailbox, &job, e);
    *acl = job.acl;
    return ok;
}

/* The account is taken, as for a folder operation: nobody else changes the list, and the mailbox
 * stays where it is. */
SUSPENDS static bool change_list(struct store *s, struct str mailbox, struct list_job *job,
                                 struct err *e)
{
    struct acl_memory *m = memory_of(s, e);
    struct store_account *a = m ? store_account_open(s, store_public_account(s), e) : NULL;
    if (!a || !store_account_take(a, e))
        return false;
    job->arena = arena_new();
    bool ok = run_job(m, mailbox, job, e);
    arena_free(job->arena);
    store_account_release(a);
    return ok;
}

bool acl_set(struct store *s, struct str mailbox, const struct acl_identifier *id,
             enum acl_change change, unsigned rights, struct err *e)
{
    struct list_job job = {.id = id, .change = change, .rights = rights};
    return change_list(s, mailbox, &job, e);
}

bool acl_put(struct store *s, struct str mailbox, struct str text, struct err *e)
{
    struct list_job job = {.text = text.p ? text : STR("")};
    return change_list(s, mailbox, &job, e);
}
