/*
 * Mailboxes as such: creating, deleting, renaming, subscribing.
 *
 * Creating and subscribing are written to disk and synced at once. Deleting and renaming go through
 * the journal first, since records about messages name mailboxes: on replay they happen in the
 * same order. While one of them is under way in an account, everything that changes the
 * account's mailboxes waits, and it waits itself until nothing is in flight.
 */
#include "store/folder_disk.h"

#include "core/disk.h"
#include "core/mem.h"
#include "core/worker.h"
#include "store/account_watch.h"
#include "store/change.h"
#include "store/expunged.h"
#include "store/folder_name.h"
#include "store/limits.h"
#include "store/metadata.h"
#include "store/pending.h"
#include "store/public.h"
#include "store/special_use.h"
#include "store/subscriptions.h"

struct folder_job {
    struct folder_disk disk;
    struct str name;
    const uint8_t *guid;
    uint64_t mailboxes_max; /* of the account; 0: no limit */
    bool subscribe, keep;
    struct buf note;  /* of a mailbox that is kept */
    struct buf names; /* results: names with NULs; or a path to remove */
    bool ok;
    struct err error;
};

static struct folder_job job_for(const struct store_account *a, struct str name)
{
    return (struct folder_job){.disk = folder_disk_of(a), .name = name};
}

static bool run(void (*fn)(void *arg), struct folder_job *job, struct err *e)
{
    worker_run(WORKER_DISK, fn, job);
    if (!job->ok && e)
        *e = job->error;
    return job->ok;
}

/* The canonical name in `a`. */
static bool check_name(struct str name, struct arena *a, struct str *canonical, struct err *e)
{
    struct buf b = BUF_EMPTY;

    bool ok = folder_name_check(name, &b, e);
    *canonical = arena_str(a, buf_str(&b));
    buf_free(&b);
    return ok;
}

/* --- create and subscribe --- */

/* The mailbox, behind parents that are missing, each with a NUL. */
static uint64_t list_new(struct folder_job *job)
{
    uint64_t count = 0;

    for (size_t i = 0; i <= job->name.n; i++) {
        struct str part = str_head(job->name, i);
        if (i < job->name.n && (job->name.p[i] != '/' || folder_disk_exists(&job->disk, part)))
            continue;
        buf_add_str(&job->names, part);
        buf_add_char(&job->names, '\0');
        count++;
    }
    return count;
}

static bool may_create(struct folder_job *job)
{
    uint64_t count, added;

    if (folder_disk_exists(&job->disk, job->name))
        return true;
    added = list_new(job);
    if (job->mailboxes_max == 0)
        return true;
    if (!folder_disk_count(&job->disk, &count, &job->error))
        return false;
    return count + added <= job->mailboxes_max ||
           err_set(&job->error, ERR_QUOTA, "an account may have %llu mailboxes",
                   (unsigned long long)job->mailboxes_max);
}

static void run_create(void *arg)
{
    struct folder_job *job = arg;
    job->ok = may_create(job) && folder_disk_create(&job->disk, job->name, NULL, &job->error);
}

/* The account is taken. */
static bool create_taken(struct store *s, struct store_account *a, struct str name,
                         struct str special_use, struct err *e)
{
    struct folder_job job = job_for(a, name);
    struct metadata_entry use = {STR(METADATA_SPECIAL_USE), special_use};
    struct buf content = BUF_EMPTY;

    if (special_use.n > 0)
        metadata_format(&content, &(struct metadata){&use, 1});
    job.disk.metadata = buf_str(&content);
    job.mailboxes_max = quota_limits_of(&s->quota, a).mailboxes;
    bool ok = run(run_create, &job, e);
    for (size_t at = 0; ok && at < job.names.n; at += strlen(job.names.p + at) + 1)
        account_tell_name(a, ACCOUNT_CREATED, str_from_c(job.names.p + at));
    if (ok && special_use.n > 0)
        ok = metadata_take_use_away(s, a, name, special_use, e);
    buf_free(&job.names);
    buf_free(&content);
    return ok;
}

bool folder_create(struct store *s, struct store_account *a, struct str name, struct err *e)
{
    if (!store_account_take(a, e))
        return false;
    bool ok = create_taken(s, a, name, STR(""), e);
    store_account_release(a);
    return ok;
}

bool store_create_special_mailbox(struct store *s, const struct account *account, struct str name,
                                  struct str special_use, struct err *e)
{
    struct arena *arena = arena_new();
    struct str canonical;

    bool ok = check_name(name, arena, &canonical, e);
    struct store_account *a = ok ? store_account_open(s, account, e) : NULL;
    ok = a && store_account_take(a, e);
    if (ok) {
        ok = create_taken(s, a, canonical, special_use, e);
        store_account_release(a);
    }
    arena_free(arena);
    return ok;
}

bool store_create_mailbox(struct store *s, const struct account *account, struct str name,
                          struct err *e)
{
    return store_create_special_mailbox(s, account, name, STR(""), e);
}

static void run_subscribe(void *arg)
{
    struct folder_job *job = arg;
    job->ok = subscriptions_change(job->disk.maildir, &job->disk.naming, job->name, job->subscribe,
                                   &job->error);
}

bool store_subscribe(struct store *s, const struct account *account, struct str name,
                     bool subscribe, struct err *e)
{
    struct arena *arena = arena_new();
    struct str canonical;

    bool ok = check_name(name, arena, &canonical, e);
    struct store_account *a = ok ? store_account_open(s, account, e) : NULL;
    ok = a && store_account_take(a, e);
    if (ok) {
        struct folder_job job = job_for(a, canonical);
        job.subscribe = subscribe;
        ok = run(run_subscribe, &job, e);
        if (ok)
            account_tell_name(a, subscribe ? ACCOUNT_SUBSCRIBED : ACCOUNT_UNSUBSCRIBED, canonical);
        store_account_release(a);
    }
    arena_free(arena);
    return ok;
}

/* --- what delete and rename share --- */

/* --- delete --- */

static void run_delete(void *arg)
{
    struct folder_job *job = arg;
    job->ok = ((job->keep && folder_disk_keep(&job->disk, job->name, job->guid, &job->note)) ||
               folder_disk_take_away(&job->disk, job->name, job->guid, &job->names, &job->error)) &&
              folder_disk_sync(&job->disk, &job->error);
}

static void run_remove_tree(void *arg)
{
    struct folder_job *job = arg;
    job->ok = disk_remove_tree(buf_c(&job->names), &job->error);
}

/* The account is taken. */
static bool delete_taken(struct mailbox *m, struct folder_job *job, struct err *e)
{
    struct store *s = m->store;
    struct change c = {.store = s};

    if (!change_journal_ready(s, e))
        return false;
    job->keep = expunged_prepare_mailbox(m, &job->note);
    if (!mailbox_settle(m, e))
        return false;
    snapshot_keep_all(m);
    buf_clear(&s->record);
    record_add_mailbox(&s->record, str_from_c(m->account->home), job->name, m->c.guid);
    job->guid = m->c.guid;
    bool ok = change_commit(&c, RECORD_DELETE, e);
    if (ok) {
        mailbox_vanish(m);
        ok = run(run_delete, job, e);
        special_uses_forget(m->account);
        account_tell_name(m->account, ACCOUNT_DELETED, job->name);
    }
    change_end(&c);
    mailbox_release_names(m);
    return ok;
}

bool store_delete_mailbox(struct store *s, const struct account *account, struct str name,
                          struct err *e)
{
    struct arena *arena = arena_new();
    struct str canonical;
    struct mailbox *m = NULL;

    bool ok = check_name(name, arena, &canonical, e);
    if (ok && str_equal(canonical, STR("INBOX")))
        ok = err_set(e, ERR_DENIED, "INBOX cannot be deleted");
    struct store_account *a = ok ? store_account_open(s, account, e) : NULL;
    ok = a && store_account_take(a, e);
    if (ok) {
        struct folder_job job = job_for(a, canonical);
        ok = mailbox_get(s, a, canonical, &m, e) && delete_taken(m, &job, e);
        if (m)
            mailbox_unref(m);
        store_account_release(a);
        /* What stays behind is removed at the next start. */
        if (ok && job.names.n > 0)
            run(run_remove_tree, &job, NULL);
        buf_free(&job.names);
        buf_free(&job.note);
    }
    arena_free(arena);
    return ok;
}

/* --- rename --- */

struct renaming {
    struct mailbox *mailbox; /* a reference, names taken */
    struct str to;
    bool done;
};

struct rename_job {
    struct folder_disk disk;
    struct renaming *list;
    size_t count;
    bool ok;
    struct err error;
};

/* The client is told that nothing was renamed. */
static void undo_rename(struct rename_job *job)
{
    for (size_t i = job->count; i-- > 0;) {
        struct renaming *r = &job->list[i];
        if (r->done)
            r->done = !folder_disk_rename(&job->disk, r->to, str_from_c(r->mailbox->name), NULL);
    }
}

static void run_rename(void *arg)
{
    struct rename_job *job = arg;

    job->ok = true;
    for (size_t i = 0; i < job->count && job->ok; i++) {
        struct renaming *r = &job->list[i];
        r->done = folder_disk_rename(&job->disk, str_from_c(r->mailbox->name), r->to, &job->error);
        job->ok = r->done;
    }
    if (!job->ok)
        undo_rename(job);
    job->ok = folder_disk_sync(&job->disk, &job->error) && job->ok;
}

static bool commit_rename(struct store *s, struct store_account *a, struct renaming *list,
                          size_t count, struct err *e)
{
    struct folder_job base = job_for(a, STR(""));
    struct rename_job job = {.disk = base.disk, .list = list, .count = count};
    struct change c = {.store = s};
    struct buf *b = &s->record;

    buf_clear(b);
    buf_add_u32(b, (uint32_t)count);
    for (size_t i = 0; i < count; i++) {
        struct mailbox *m = list[i].mailbox;
        record_add_mailbox(b, str_from_c(a->home), str_from_c(m->name), m->c.guid);
        buf_add_counted(b, list[i].to);
    }
    if (b->n > JOURNAL_RECORD_MAX)
        return err_set(e, ERR_LIMIT, "there are too many mailboxes below it");
    bool ok = change_commit(&c, RECORD_RENAME, e);
    if (ok) {
        worker_run(WORKER_DISK, run_rename, &job);
        for (size_t i = 0; i < count; i++) {
            if (list[i].done)
                mailbox_take_name(list[i].mailbox, list[i].to);
        }
        if (!job.ok && e)
            *e = job.error;
        ok = job.ok;
    }
    change_end(&c);
    return ok;
}

/* Mailboxes at or below `from` with their new names; also checks that these are free. */
static bool find_renamings(const struct folder_job *job, struct str from, struct str to,
                           struct arena *arena, struct str **old, struct str **new, size_t *count,
                           struct err *e)
{
    const struct buf *names = &job->names;
    size_t all = 0;

    for (size_t i = 0; i < names->n; i++)
        all += names->p[i] == '\0';
    *old = arena_array(arena, all, sizeof(**old));
    *new = arena_array(arena, all, sizeof(**new));
    *count = 0;
    for (size_t at = 0; at < names->n; at += strlen(names->p + at) + 1) {
        struct str name = str_from_c(names->p + at);
        if (str_equal(name, to) || folder_name_is_below(name, to))
            return err_set(e, ERR_EXISTS, "mailbox %.*s exists already", STR_ARG(name));
        if (!str_equal(name, from) && !folder_name_is_below(name, from))
            continue;
        struct str new_name =
            arena_printf(arena, "%.*s%.*s", STR_ARG(to), STR_ARG(str_skip(name, from.n)));
        struct str checked;
        if (!check_name(new_name, arena, &checked, e))
            return false;
        (*old)[*count] = arena_str(arena, name);
        (*new)[(*count)++] = new_name;
    }
    return *count > 0 || err_set(e, ERR_NOT_FOUND, "mailbox %.*s does not exist", STR_ARG(from));
}

/* As CREATE would: it counts, and is told. */
static bool create_parent(struct store *s, struct store_account *a, struct str name, struct err *e)
{
    ptrdiff_t slash = str_find_last_char(name, '/');
    struct err error = {0};

    if (slash < 0 || create_taken(s, a, str_head(name, (size_t)slash), STR(""), &error) ||
        error.kind == ERR_EXISTS)
        return true;
    if (e)
        *e = error;
    return false;
}

static void run_names(void *arg)
{
    struct folder_job *job = arg;
    job->ok = folder_disk_list(&job->disk, &job->names, &job->error);
}

/* Such a mailbox keeps its use under another name. */
static bool is_special_by_name(const struct store *s, struct str name)
{
    for (size_t i = 0; i < s->special_count; i++) {
        if (str_equal(s->special[i].name, name))
            return true;
    }
    return false;
}

/* The account is taken. */
static bool rename_taken(struct store *s, struct store_account *a, struct str from, struct str to,
                         struct arena *arena, struct err *e)
{
    struct folder_job job = job_for(a, to);
    struct str *old, *new;
    size_t count = 0, opened = 0;

    bool ok = run(run_names, &job, e) &&
              find_renamings(&job, from, to, arena, &old, &new, &count, e) &&
              create_parent(s, a, to, e);
    buf_free(&job.names);
    struct renaming *list = arena_array(arena, count, sizeof(*list));
    while (ok && opened < count) {
        struct mailbox *m;
        ok = mailbox_get(s, a, old[opened], &m, e);
        if (ok && !(ok = mailbox_settle(m, e)))
            mailbox_unref(m);
        if (ok) {
            list[opened] = (struct renaming){.mailbox = m, .to = new[opened]};
            opened++;
        }
    }
    for (size_t i = 0; ok && i < count; i++)
        ok = !is_special_by_name(s, old[i]) || metadata_keep_use(s, a, old[i], e);
    ok = ok && journal_ready(s->journal, deadline_in(READY_TIMEOUT), e) &&
         commit_rename(s, a, list, count, e);
    special_uses_forget(a);
    if (ok)
        account_tell(
            a, &(struct account_event){.kind = ACCOUNT_RENAMED, .name = to, .old_name = from});
    for (size_t i = 0; i < opened; i++) {
        mailbox_release_names(list[i].mailbox);
        mailbox_unref(list[i].mailbox);
    }
    return ok;
}

/* RFC 3501 6.3.5: the messages go to a new mailbox, INBOX stays, its children as well. Annotations
 * are copied (RFC 5464 4.1). */
static bool rename_inbox(struct store *s, struct store_account *a, struct str to,
                         struct arena *arena, struct err *e)
{
    struct mailbox *from = NULL, *target = NULL;
    bool ok = store_account_take(a, e);
    if (ok) {
        ok = create_taken(s, a, to, STR(""), e) && metadata_copy(a, STR("INBOX"), to, e);
        store_account_release(a);
    }
    ok = ok && mailbox_get(s, a, STR("INBOX"), &from, e) && mailbox_get(s, a, to, &target, e);

    while (ok && from->c.count > 0) {
        size_t count = from->c.count < COPY_MAX ? from->c.count : COPY_MAX, done;
        uint32_t *uids = arena_array(arena, count, sizeof(*uids)), *source, *copies;
        for (size_t i = 0; i < count; i++)
            uids[i] = from->c.messages[i].uid;
        ok = mailbox_copy(from, uids, count, target, true, arena, &source, &copies, &done, e);
        if (done == 0)
            break;
    }
    if (from)
        mailbox_unref(from);
    if (target)
        mailbox_unref(target);
    return ok;
}

bool store_rename_mailbox(struct store *s, const struct account *account, struct str from,
                          struct str to, struct err *e)
{
    struct arena *arena = arena_new();
    struct str old, new;

    bool ok = check_name(from, arena, &old, e) && check_name(to, arena, &new, e);
    if (ok && str_equal(new, STR("INBOX")))
        ok = err_set(e, ERR_EXISTS, "INBOX exists already");
    if (ok && str_equal(old, new))
        ok = err_set(e, ERR_EXISTS, "mailbox %.*s exists already", STR_ARG(new));
    if (ok && folder_name_is_below(new, old) && !str_equal(old, STR("INBOX")))
        ok = err_set(e, ERR_SYNTAX, "a mailbox cannot be renamed below itself");
    struct store_account *a = ok ? store_account_open(s, account, e) : NULL;
    if (!a || !account_has_mailbox(a, old, e)) {
        ok = false;
    } else if (str_equal(old, STR("INBOX"))) {
        ok = rename_inbox(s, a, new, arena, e);
    } else if ((ok = store_account_take(a, e))) {
        ok = rename_taken(s, a, old, new, arena, e);
        store_account_release(a);
    }
    arena_free(arena);
    return ok;
}
