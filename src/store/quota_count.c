/*
 * What an account keeps, exactly.
 *
 * Each mailbox in memory knows what it holds (`stored`) and has added that to its account's usage
 * (`counted`); mailbox.c passes on every change. A mailbox that leaves memory leaves an entry with
 * its last numbers; one that enters takes its entry away and counts what it really holds, so what
 * other programs did in between is corrected then.
 *
 * Entries for mailboxes that were not in memory since the start come from one pass over the
 * account's directories, on a worker, when somebody asks first: from the head of a mailbox's index,
 * where that is up to date, else from its files. While that runs, everything goes
 * on: whatever enters memory meanwhile counts for itself and not by what the pass saw; whatever
 * leaves meanwhile leaves an entry of this round, which is newer than what the pass saw. Only
 * folder operations wait, as they do for any change on its way.
 */
#include "core/log.h"
#include "core/mem.h"
#include "core/worker.h"
#include "store/folder_disk.h"
#include "store/index_file.h"
#include "store/store_internal.h"

#include <stdlib.h>

/* --- sums --- */

static void add(struct account_quota *q, struct quota_count c)
{
    q->used.bytes += c.bytes;
    q->used.messages += c.messages;
}

static void subtract(struct account_quota *q, struct quota_count c)
{
    q->used.bytes -= c.bytes;
    q->used.messages -= c.messages;
}

/* --- entries --- */

static size_t entry_place(const struct account_quota *q, struct str name, bool *found)
{
    size_t from = 0, to = q->entry_count;

    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (str_compare(str_from_c(q->entries[middle].name), name) < 0)
            from = middle + 1;
        else
            to = middle;
    }
    *found = from < q->entry_count && str_equal(str_from_c(q->entries[from].name), name);
    return from;
}

static void entry_remove(struct account_quota *q, size_t at)
{
    subtract(q, q->entries[at].count);
    free(q->entries[at].name);
    q->entry_count--;
    memmove(&q->entries[at], &q->entries[at + 1], (q->entry_count - at) * sizeof(*q->entries));
}

static void entry_put(struct account_quota *q, struct str name, struct quota_count count)
{
    bool found;
    size_t at = entry_place(q, name, &found);

    if (found)
        entry_remove(q, at);
    q->entries = mem_grow(q->entries, q->entry_count, &q->entry_capacity, sizeof(*q->entries), 8);
    memmove(&q->entries[at + 1], &q->entries[at], (q->entry_count - at) * sizeof(*q->entries));
    q->entries[at] =
        (struct quota_entry){.name = mem_dup(name.p, name.n), .count = count, .round = q->round};
    q->entry_count++;
    add(q, count);
}

/* Those of earlier rounds, or all. */
static void entries_remove_old(struct account_quota *q, bool all)
{
    size_t kept = 0;

    for (size_t i = 0; i < q->entry_count; i++) {
        struct quota_entry *entry = &q->entries[i];
        if (!all && entry->round == q->round) {
            q->entries[kept++] = *entry;
            continue;
        }
        subtract(q, entry->count);
        free(entry->name);
    }
    q->entry_count = kept;
}

void quota_free(struct account_quota *q)
{
    entries_remove_old(q, true);
    free(q->entries);
    free(q->login);
    free(q->definition);
}

/* --- mailboxes in memory --- */

static void note_change(struct mailbox *m)
{
    quota_mark_dirty(m->store, m->account);
    quota_watch(m->store, m->account);
}

void quota_mailbox_entered(struct mailbox *m)
{
    struct account_quota *q = &m->account->quota;
    struct quota_count before = q->used;
    bool found;
    size_t at = entry_place(q, str_from_c(m->name), &found);

    if (found)
        entry_remove(q, at);
    m->counted = !quota_is_ignored(&m->store->quota, str_from_c(m->name));
    if (m->counted)
        add(q, m->stored);
    if (q->known && (before.bytes != q->used.bytes || before.messages != q->used.messages))
        note_change(m);
}

void quota_mailbox_left(struct mailbox *m, bool keep)
{
    struct account_quota *q = &m->account->quota;

    if (!m->counted)
        return;
    m->counted = false;
    subtract(q, m->stored);
    if (keep && (q->known || q->counting))
        entry_put(q, str_from_c(m->name), m->stored);
    if (m->is_deleted)
        note_change(m);
}

void quota_mailbox_changed(struct mailbox *m, int64_t bytes, int64_t messages)
{
    struct quota_count change = {(uint64_t)bytes, (uint64_t)messages};

    m->stored.bytes += change.bytes;
    m->stored.messages += change.messages;
    if (!m->counted)
        return;
    add(&m->account->quota, change);
    note_change(m);
}

void quota_mailbox_set(struct mailbox *m, struct quota_count stored)
{
    quota_mailbox_changed(m, (int64_t)(stored.bytes - m->stored.bytes),
                          (int64_t)(stored.messages - m->stored.messages));
}

/* --- the pass over the directories --- */

struct count_item {
    char *name, *dir;
    struct quota_count count;
};

struct count_job {
    const char *maildir;
    struct buf names; /* with NULs */
    struct count_item *items;
    size_t count;
    struct quota_files files;
    struct err warning; /* of a mailbox that could not be read */
    struct folder_naming naming;
    bool no_inbox;
    bool fresh; /* the files themselves are looked at */
    bool ok;
    struct err error;
};

static void run_list(void *arg)
{
    struct count_job *job = arg;
    struct folder_disk disk = {.maildir = job->maildir, .naming = job->naming};

    if (!job->no_inbox)
        buf_add(&job->names, "INBOX", sizeof("INBOX"));
    job->ok = folder_disk_list(&disk, &job->names, &job->error);
    quota_files_read(job->maildir, &job->files);
}

/* A mailbox that cannot be read counts nothing until it can: mail does not wait for it. */
static void run_count(void *arg)
{
    struct count_job *job = arg;

    for (size_t i = 0; i < job->count; i++) {
        struct count_item *item = &job->items[i];
        struct index_header h;
        if (!job->fresh && index_read_totals(item->dir, &h))
            item->count = (struct quota_count){.bytes = h.size, .messages = h.messages};
        else
            mailbox_totals_read(item->dir, &item->count, &job->warning);
    }
}

static bool is_in_memory(const struct store *s, const struct store_account *a, struct str name)
{
    const struct mailbox *m = mailbox_cached((struct store *)s, a, name);
    return m && m->load == MAILBOX_READY;
}

static void choose_items(struct store *s, struct store_account *a, struct count_job *job)
{
    const struct buf *names = &job->names;
    size_t all = 0;

    for (size_t i = 0; i < names->n; i++)
        all += names->p[i] == '\0';
    job->items = mem_array(all, sizeof(*job->items));
    for (size_t at = 0; at < names->n; at += strlen(names->p + at) + 1) {
        struct str name = str_from_c(names->p + at);
        if (quota_is_ignored(&s->quota, name) || is_in_memory(s, a, name))
            continue;
        job->items[job->count++] =
            (struct count_item){.name = mem_dup(name.p, name.n), .dir = mailbox_dir_path(a, name)};
    }
}

static void apply(struct store *s, struct store_account *a, struct count_job *job)
{
    struct account_quota *q = &a->quota;

    entries_remove_old(q, false);
    for (size_t i = 0; i < job->count; i++) {
        struct str name = str_from_c(job->items[i].name);
        bool found;
        entry_place(q, name, &found);
        if (!found && !is_in_memory(s, a, name))
            entry_put(q, name, job->items[i].count);
    }
    q->known = true;
    if (job->warning.kind != ERR_NONE)
        log_warning("store", NULL, "quota cannot be counted home=<%s> reason=\"%s\"", a->home,
                    job->warning.text);
}

static void take_files(struct store *s, struct store_account *a, const struct quota_files *f)
{
    struct account_quota *q = &a->quota;
    struct quota_limits limits = quota_limits_of(&s->quota, a);
    struct buf ours = BUF_EMPTY;

    quota_definition_add(&ours, &limits);
    bool same = ours.n > 0 && f->readable && str_equal(f->definition, buf_str(&ours));
    q->has_file = f->has_file;
    q->warned = q->warned_file = f->warned;
    free(q->definition);
    q->definition = f->readable && !same ? mem_dup(f->definition.p, f->definition.n) : NULL;
    bool wanted = ours.n > 0 ? !same : f->has_file;
    if (wanted || f->count.bytes != q->used.bytes || f->count.messages != q->used.messages)
        quota_flush_soon(s, a);
    buf_free(&ours);
}

static void job_free(struct count_job *job)
{
    for (size_t i = 0; i < job->count; i++) {
        free(job->items[i].name);
        free(job->items[i].dir);
    }
    free(job->items);
    buf_free(&job->names);
    buf_free(&job->files.text);
}

/* One pass; *again: the rules changed meanwhile. */
static bool count(struct store *s, struct store_account *a, bool fresh, bool *again, struct err *e)
{
    struct account_quota *q = &a->quota;
    struct count_job job = {.maildir = a->maildir,
                            .naming = a->store->naming,
                            .no_inbox = a->is_public,
                            .fresh = fresh};
    uint32_t round = ++q->round;
    bool first = !q->known;

    worker_run(WORKER_DISK, run_list, &job);
    if (job.ok) {
        choose_items(s, a, &job);
        worker_run(WORKER_DISK, run_count, &job);
    } else if (e) {
        *e = job.error;
    }
    *again = job.ok && round != q->round;
    if (job.ok && !*again) {
        apply(s, a, &job);
        if (first)
            take_files(s, a, &job.files);
        else
            quota_flush_soon(s, a);
    }
    job_free(&job);
    return job.ok;
}

bool quota_learn(struct store *s, struct store_account *a, bool fresh, struct err *e)
{
    struct account_quota *q = &a->quota;
    bool again = true, ok = true;

    while (q->counting || a->busy) {
        if (!cond_wait(&a->changed, DEADLINE_NONE, e))
            return false;
    }
    if (q->known && !fresh)
        return true;
    q->counting = true;
    /* No folder operation may begin meanwhile. */
    a->in_flight++;
    while (ok && again)
        ok = count(s, a, fresh, &again, e);
    q->counting = false;
    if (!q->known)
        entries_remove_old(q, true);
    store_account_landed(a);
    cond_broadcast(&a->changed);
    if (ok)
        quota_watch(s, a);
    return ok;
}

/* --- other rules --- */

void quota_forget(struct store_account *a)
{
    a->quota.known = false;
    a->quota.round++;
    entries_remove_old(&a->quota, true);
}

void quota_forget_all(struct store *s)
{
    for (size_t i = 0; i < s->account_buckets; i++) {
        for (struct store_account *a = s->accounts[i]; a; a = a->next)
            quota_forget(a);
    }
    for (size_t i = 0; i < s->mailbox_buckets; i++) {
        for (struct mailbox *m = s->mailboxes[i]; m; m = m->next) {
            if (m->load != MAILBOX_READY)
                continue;
            if (m->counted)
                subtract(&m->account->quota, m->stored);
            m->counted = false;
            quota_mailbox_entered(m);
        }
    }
}
