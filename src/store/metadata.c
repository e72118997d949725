/*
 * Setting and getting annotations. A change holds the account as a folder operation does: the
 * mailbox stays where it is while its file is replaced, and nobody else changes it meanwhile.
 */
#include "store/metadata.h"

#include "core/disk.h"
#include "core/worker.h"
#include "store/account_watch.h"
#include "store/folder_name.h"
#include "store/limits.h"
#include "store/public.h"
#include "store/special_use.h"

#include <stdlib.h>

struct metadata_job {
    const char *dir; /* of the mailbox, or the Maildir */
    const char *path;
    struct arena *arena;
    struct metadata current;
    const struct metadata_entry *changes; /* NULL: read only */
    size_t count;
    enum metadata_refusal why;
    bool ok;
    struct err error;
};

static struct metadata_job job_for(struct store_account *a, struct str mailbox, struct arena *arena)
{
    char *dir = mailbox_dir_path(a, mailbox.n > 0 ? mailbox : STR("INBOX"));
    struct metadata_job job = {.dir = arena_c(arena, str_from_c(dir)), .arena = arena};
    struct str path =
        arena_printf(arena, "%s/%s", dir, mailbox.n > 0 ? METADATA_FILE : METADATA_ACCOUNT_FILE);
    job.path = arena_c(arena, path);
    free(dir);
    return job;
}

static bool check_limits(struct metadata_job *job)
{
    for (size_t i = 0; i < job->count; i++) {
        if (job->changes[i].value.n > METADATA_VALUE_MAX) {
            job->why = METADATA_TOO_LARGE;
            return err_set(&job->error, ERR_LIMIT, "the value is too large");
        }
    }
    if (job->current.count <= METADATA_ENTRIES_MAX &&
        metadata_size(&job->current) <= METADATA_SIZE_MAX)
        return true;
    job->why = METADATA_TOO_MANY;
    return err_set(&job->error, ERR_LIMIT, "there are too many annotations");
}

static void run(void *arg)
{
    struct metadata_job *job = arg;
    struct stat st;

    if (!disk_stat(job->dir, &st, NULL)) {
        err_set(&job->error, ERR_NOT_FOUND, "there is no such mailbox");
        return;
    }
    job->ok = metadata_read(job->path, &job->current, job->arena, &job->error);
    if (!job->ok || !job->changes)
        return;
    metadata_apply(&job->current, job->changes, job->count, job->arena);
    job->ok = check_limits(job) && metadata_write(job->path, &job->current, &job->error);
}

static bool run_job(struct metadata_job *job, struct err *e)
{
    worker_run(WORKER_DISK, run, job);
    if (!job->ok && e)
        *e = job->error;
    return job->ok;
}

uint64_t metadata_value_max(void)
{
    return METADATA_VALUE_MAX;
}

/* "" stays: the account. */
static bool check_name(const struct store_account *a, struct str name, struct arena *arena,
                       struct str *canonical, struct err *e)
{
    struct buf b = BUF_EMPTY;

    bool ok =
        name.n == 0 || (folder_name_check(name, &b, e) && account_has_mailbox(a, buf_str(&b), e));
    *canonical = arena_str(arena, buf_str(&b));
    buf_free(&b);
    return ok;
}

/* --- getting --- */

bool metadata_get(struct store *s, const struct account *account, struct str mailbox,
                  struct arena *arena, struct metadata *m, struct err *e)
{
    struct store_account *a = store_account_open(s, account, e);
    struct str name;

    if (!a || !check_name(a, mailbox, arena, &name, e))
        return false;
    struct metadata_job job = job_for(a, name, arena);
    if (!run_job(&job, e) || (name.n > 0 && !special_uses_learn(a, e)))
        return false;
    *m = job.current;
    if (name.n > 0) {
        struct metadata_entry use = {STR(METADATA_SPECIAL_USE),
                                     special_use_of(s, a->special, name, arena)};
        if (use.value.n == 0)
            use.value.p = NULL;
        metadata_apply(m, &use, 1, arena);
    }
    return true;
}

/* --- setting --- */

struct setting_metadata {
    struct store *store;
    struct store_account *account;
    struct arena *arena;
    struct str name;
    struct metadata_entry *changes;
    size_t count;
    const struct metadata_entry *use; /* among the changes, or NULL */
    enum metadata_refusal why;
};

/* An empty special use is not the same as none: see special_use.h. */
static bool take_changes(struct setting_metadata *x, const struct metadata_entry *changes,
                         struct err *e)
{
    x->changes = arena_array(x->arena, x->count, sizeof(*x->changes));
    for (size_t i = 0; i < x->count; i++) {
        struct metadata_entry *c = &x->changes[i];
        struct buf uses = BUF_EMPTY;
        *c = changes[i];
        if (x->name.n == 0 || !str_equal_nocase(c->name, STR(METADATA_SPECIAL_USE)))
            continue;
        bool ok = special_use_check(c->value, &uses, e);
        c->value = arena_str(x->arena, buf_str(&uses));
        buf_free(&uses);
        x->use = c;
        if (!ok) {
            x->why = METADATA_SPECIAL_NO;
            return false;
        }
    }
    return true;
}

static void tell(struct setting_metadata *x, struct str mailbox, const struct metadata_entry *list,
                 size_t count)
{
    account_tell(x->account,
                 &(struct account_event){
                     .kind = ACCOUNT_METADATA, .name = mailbox, .entries = list, .count = count});
}

/* Mailboxes that were given one of these uses lose it. */
static bool take_use_away(struct setting_metadata *x, struct str uses, struct err *e)
{
    struct special_uses *all = x->account->special;
    bool ok = true;

    for (size_t i = 0; ok && i < all->count; i++) {
        struct str name = arena_str(x->arena, str_from_c(all->list[i].name));
        struct str had = arena_str(x->arena, str_from_c(all->list[i].uses));
        if (str_equal(name, x->name) || !special_use_overlap(had, uses))
            continue;
        struct metadata_entry less = {STR(METADATA_SPECIAL_USE),
                                      special_use_without(had, uses, x->arena)};
        struct metadata_job job = job_for(x->account, name, x->arena);
        job.changes = &less;
        job.count = 1;
        ok = run_job(&job, e);
        if (ok)
            tell(x, name, &less, 1);
    }
    return ok;
}

/* The account is taken, so nobody makes it forget its special uses. */
static bool set_taken(struct setting_metadata *x, struct err *e)
{
    struct metadata_job job = job_for(x->account, x->name, x->arena);

    if (x->use && !special_uses_learn(x->account, e))
        return false;
    job.changes = x->changes;
    job.count = x->count;
    bool ok = run_job(&job, e);
    x->why = job.why;
    if (ok)
        tell(x, x->name, x->changes, x->count);
    if (x->use) {
        ok = ok && take_use_away(x, x->use->value, e);
        special_uses_forget(x->account);
    }
    return ok;
}

bool metadata_set(struct store *s, const struct account *account, struct str mailbox,
                  const struct metadata_entry *changes, size_t count, enum metadata_refusal *why,
                  struct err *e)
{
    struct setting_metadata x = {.store = s, .count = count};

    *why = METADATA_TOO_MANY;
    if (count > METADATA_ENTRIES_MAX)
        return err_set(e, ERR_LIMIT, "there are too many annotations");
    x.arena = arena_new();
    x.account = store_account_open(s, account, e);
    bool ok = x.account && check_name(x.account, mailbox, x.arena, &x.name, e) &&
              take_changes(&x, changes, e) && store_account_take(x.account, e);
    if (ok) {
        ok = set_taken(&x, e);
        store_account_release(x.account);
    }
    *why = x.why;
    arena_free(x.arena);
    return ok;
}

/* --- folder operations; the account is taken --- */

bool metadata_take_use_away(struct store *s, struct store_account *a, struct str mailbox,
                            struct str uses, struct err *e)
{
    struct setting_metadata x = {.store = s, .account = a, .arena = arena_new(), .name = mailbox};

    bool ok = special_uses_learn(a, e) && take_use_away(&x, uses, e);
    special_uses_forget(a);
    arena_free(x.arena);
    return ok;
}

bool metadata_keep_use(struct store *s, struct store_account *a, struct str mailbox, struct err *e)
{
    struct arena *arena = arena_new();
    bool ok = special_uses_learn(a, e);

    if (ok) {
        struct metadata_entry use = {STR(METADATA_SPECIAL_USE),
                                     special_use_of(s, a->special, mailbox, arena)};
        struct metadata_job job = job_for(a, mailbox, arena);
        job.changes = &use;
        job.count = 1;
        ok = use.value.n == 0 || run_job(&job, e);
    }
    arena_free(arena);
    return ok;
}

bool metadata_copy(struct store_account *a, struct str from, struct str to, struct err *e)
{
    struct arena *arena = arena_new();
    struct metadata_job source = job_for(a, from, arena), target = job_for(a, to, arena);
    const struct metadata_entry no_use = {.name = STR(METADATA_SPECIAL_USE)};

    bool ok = run_job(&source, e);
    metadata_apply(&source.current, &no_use, 1, arena);
    target.changes = source.current.list;
    target.count = source.current.count;
    ok = ok && (target.count == 0 || run_job(&target, e));
    arena_free(arena);
    return ok;
}
