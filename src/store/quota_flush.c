/*
 * The files of quota at a checkpoint: maildirsize of accounts that have changed, if they have a
 * limit or had such a file, and the marker of warnings. Written without a sync of their own; the
 * checkpoint syncs the file system.
 *
 * An account that has the file (from Dovecot, say) but whose usage nobody asked for yet is counted
 * now; when that is not possible the file goes, and who wants it makes it anew: a wrong one is
 * never left.
 */
#include "core/log.h"
#include "core/mem.h"
#include "core/worker.h"
#include "store/limits.h"
#include "store/store_internal.h"

#include <stdlib.h>

enum flush_work { WRITE_FILE, REMOVE_FILE, FIND_FILE };

struct flush_item {
    struct store_account *account;
    enum flush_work work;
    char *content;
    int warned; /* -1: the marker stays */
    bool found, ok;
    struct err error;
};

struct flush_job {
    struct flush_item items[QUOTA_FLUSH_BATCH];
    size_t count;
};

void quota_mark_dirty(struct store *s, struct store_account *a)
{
    if (a->quota.dirty)
        return;
    a->quota.dirty = true;
    a->quota.dirty_next = s->quota_dirty;
    s->quota_dirty = a;
}

void quota_flush_soon(struct store *s, struct store_account *a)
{
    quota_mark_dirty(s, a);
    s->quota_flush_soon = true;
    store_wake_keeper(s);
}

/* --- the worker's part --- */

static void run_item(struct flush_item *item)
{
    const char *maildir = item->account->maildir;

    item->ok = true;
    if (item->work == WRITE_FILE) {
        item->ok = maildirsize_write(maildir, str_from_c(item->content), &item->error);
    } else {
        struct quota_files files = {0};
        if (item->work == FIND_FILE) {
            quota_files_read(maildir, &files);
            item->found = files.has_file;
        }
        if (item->work == REMOVE_FILE)
            item->ok = maildirsize_write(maildir, (struct str){0}, &item->error);
        buf_free(&files.text);
    }
    if (item->ok && item->warned >= 0)
        item->ok = quota_marker_write(maildir, (unsigned)item->warned, &item->error);
}

static void run_flush(void *arg)
{
    struct flush_job *job = arg;

    for (size_t i = 0; i < job->count; i++)
        run_item(&job->items[i]);
}

/* --- the loop's part --- */

static char *make_content(const struct account_quota *q, const struct quota_limits *limits)
{
    struct buf b = BUF_EMPTY;

    if (limits->storage > 0 || limits->messages > 0)
        quota_definition_add(&b, limits);
    else
        buf_add_c(&b, q->definition);
    buf_printf(&b, "\n%llu %llu\n", (unsigned long long)q->used.bytes,
               (unsigned long long)q->used.messages);
    buf_c(&b);
    return b.p;
}

static bool prepare(struct store *s, struct store_account *a, struct flush_item *item)
{
    struct account_quota *q = &a->quota;
    struct quota_limits limits = quota_limits_of(&s->quota, a);
    bool limited = limits.storage > 0 || limits.messages > 0;

    *item = (struct flush_item){.account = a, .warned = -1};
    if (!q->known) {
        item->work = FIND_FILE;
        return !q->absent;
    }
    if (q->warned != q->warned_file)
        item->warned = (int)q->warned;
    q->warned_file = q->warned;
    if (limited || q->definition) {
        item->work = WRITE_FILE;
        item->content = make_content(q, &limits);
        q->has_file = true;
        return true;
    }
    item->work = REMOVE_FILE;
    bool needed = q->has_file || item->warned >= 0;
    q->has_file = false;
    return needed;
}

static void remove_file(struct store_account *a)
{
    struct flush_job *job = MEM_NEW(struct flush_job);

    job->count = 1;
    job->items[0] = (struct flush_item){.account = a, .work = REMOVE_FILE, .warned = -1};
    worker_run(WORKER_DISK, run_flush, job);
    free(job);
}

/* The account has the file, but nobody knows the usage. While a folder operation is under way that
 * may itself wait for this checkpoint there is no time to count. */
static void learn(struct store *s, struct store_account *a, size_t *budget)
{
    if (a->quota.counting) {
        quota_mark_dirty(s, a); /* soon it is known */
        return;
    }
    if (*budget > 0 && !a->busy) {
        (*budget)--;
        if (quota_learn(s, a, false, NULL)) {
            quota_mark_dirty(s, a);
            return;
        }
    }
    remove_file(a);
}

static void finish(struct store *s, struct flush_item *item, size_t *budget)
{
    struct account_quota *q = &item->account->quota;

    free(item->content);
    q->absent = item->work == FIND_FILE && !item->found;
    if (item->found)
        learn(s, item->account, budget);
    if (item->ok)
        return;
    /* The next change tries again. */
    log_error("store", NULL, "quota cannot be written home=<%s> reason=\"%s\"", item->account->home,
              item->error.text);
    q->has_file = true;
    q->warned_file = UINT32_MAX;
}

static void flush_list(struct store *s, struct flush_job *job, size_t *budget)
{
    struct store_account *list = s->quota_dirty;

    s->quota_dirty = NULL;
    while (list) {
        job->count = 0;
        while (list && job->count < QUOTA_FLUSH_BATCH) {
            struct store_account *a = list;
            list = a->quota.dirty_next;
            a->quota.dirty = false;
            job->count += prepare(s, a, &job->items[job->count]);
        }
        if (job->count > 0)
            worker_run(WORKER_DISK, run_flush, job);
        for (size_t i = 0; i < job->count; i++)
            finish(s, &job->items[i], budget);
    }
}

void quota_flush(struct store *s)
{
    struct flush_job *job = mem_alloc(sizeof(*job));
    size_t budget = QUOTA_LEARN_MAX;

    /* One at a time, or an older content could come last. */
    while (s->quota_flushing)
        cond_wait_certain(&s->quota_flushed);
    s->quota_flushing = true;
    s->quota_flush_soon = false;
    flush_list(s, job, &budget);
    if (budget < QUOTA_LEARN_MAX)
        flush_list(s, job, &budget); /* those that were counted just now */
    s->quota_flushing = false;
    cond_broadcast(&s->quota_flushed);
    free(job);
}
