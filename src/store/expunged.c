/*
 * Expunged messages are kept for a while (expunged_name.h says where): an expunge renames their
 * files instead of removing them, a deletion does the same with a mailbox's directory. A fiber
 * removes what was kept long enough: once an hour, the accounts that were seen to keep something;
 * at the start and once a day a look into all homes finds these. The disk's work is done in slices
 * on a worker, with pauses longer than the slices.
 *
 * When the disk runs full, the oldest go before their time: half of the time is granted, then half
 * of that, until there is room.
 */
#include "store/expunged.h"

#include "core/disk.h"
#include "core/log.h"
#include "core/worker.h"
#include "store/folder_disk.h"
#include "store/homes.h"
#include "store/limits.h"
#include "store/pending.h"
#include "store/undelete.h"

void expunged_add_note(const struct mailbox *m, struct buf *note)
{
    struct expunged_note n = {.name = str_from_c(m->name), .uid_validity = m->c.uid_validity};

    for (size_t i = 0; i < KEYWORD_LETTERS && i < m->c.keywords.count; i++)
        n.keywords[i] = m->c.keywords.names[i];
    expunged_note_add(note, &n);
}

struct sync_job {
    const char *path;
    bool ok;
    struct err error;
};

static void run_sync(void *arg)
{
    struct sync_job *job = arg;
    job->ok = disk_sync_filesystem(job->path, &job->error);
}

/* Replay does not find a mailbox that is gone: what its records say must be on disk before. */
bool expunged_prepare_mailbox(struct mailbox *m, struct buf *note)
{
    struct sync_job sync = {.path = m->account->maildir};
    struct err e = {0};

    if (m->store->settings.keep_expunged <= 0 || m->c.count == 0)
        return false;
    if (!pending_wait(m, deadline_in(READY_TIMEOUT), &e))
        return false;
    bool ok = mailbox_flush(m, FLUSH_ALL, &e);
    if (ok) {
        worker_run(WORKER_DISK, run_sync, &sync);
        ok = sync.ok;
        e = sync.error;
    }
    if (!ok)
        log_error("store", NULL, "not kept for undelete dir=<%s> reason=\"%s\"", m->dir, e.text);
    if (ok) {
        expunged_add_note(m, note);
        m->account->expunged_from = 0;
    }
    return ok;
}

/* --- removing --- */

static void run_purge(void *arg)
{
    expunged_disk_purge(arg);
}

/* Sleeps longer than the work took, so that it never takes much of the disk. */
static void pause_after(struct store *s, usec begun, unsigned times)
{
    usec end = clock_monotonic() + (clock_monotonic() - begun) * times;

    while (!s->closing && clock_monotonic() < end)
        cond_wait(&s->house_wake, end, NULL);
}

static uint64_t purge_account(struct store *s, struct store_account *a, int64_t before,
                              unsigned pause)
{
    struct expunged_purge p = {.maildir = a->maildir, .before = before, .most = PURGE_SLICE};
    uint64_t removed = 0;

    a->expunged_from = INT64_MAX; /* what comes meanwhile says so */
    do {
        usec begun = clock_monotonic();
        worker_run(WORKER_DISK, run_purge, &p);
        removed += p.removed;
        pause_after(s, begun, pause);
    } while (p.more && p.error.kind == ERR_NONE && !s->closing);
    int64_t from = p.more || p.error.kind != ERR_NONE ? 0 : p.earliest;
    if (from < a->expunged_from)
        a->expunged_from = from;
    if (p.error.kind != ERR_NONE)
        log_error("store", NULL, "expunged messages not removed home=<%s> reason=\"%s\"", a->home,
                  p.error.text);
    return removed;
}

static uint64_t purge_all(struct store *s, int64_t before, unsigned pause)
{
    uint64_t removed = 0;

    for (size_t i = 0; i < s->account_count && !s->closing; i++) {
        if (s->account_list[i]->expunged_from < before)
            removed += purge_account(s, s->account_list[i], before, pause);
    }
    return removed;
}

struct walk_job {
    struct homes homes;
    bool more;
    struct buf
        keeping; /* homes of the accounts whose Maildirs have an expunged/, each with a NUL */
};

static void run_walk(void *arg)
{
    struct walk_job *job = arg;
    struct buf path = BUF_EMPTY, maildir = BUF_EMPTY;
    struct stat st;

    buf_clear(&job->keeping);
    job->more = homes_next(&job->homes, HOMES_SLICE);
    const struct buf *found = &job->homes.found;
    for (size_t at = 0; at < found->n; at += strlen(found->p + at) + 1) {
        buf_clear(&maildir);
        buf_printf(&maildir, "%s/%s", job->homes.path, found->p + at);
        buf_clear(&path);
        buf_printf(&path, "%s/" EXPUNGED_DIR, maildir.p);
        if (disk_stat(buf_c(&path), &st, NULL) &&
            folder_disk_add_owner(&job->keeping, buf_c(&maildir), job->homes.path))
            buf_add_char(&job->keeping, '\0');
    }
    buf_free(&path);
    buf_free(&maildir);
}

/* Finds the accounts that keep something. */
static void walk_homes(struct store *s, unsigned pause)
{
    struct walk_job job = {.homes = {.path = s->path}};

    do {
        usec begun = clock_monotonic();
        worker_run(WORKER_DISK, run_walk, &job);
        for (size_t at = 0; at < job.keeping.n; at += strlen(job.keeping.p + at) + 1) {
            struct store_account *a = store_account_get(s, str_from_c(job.keeping.p + at), NULL);
            if (a)
                a->expunged_from = 0;
        }
        pause_after(s, begun, pause);
    } while (job.more && !s->closing);
    homes_free(&job.homes);
    buf_free(&job.keeping);
}

/* --- a full disk --- */

struct space_job {
    const char *path;
    uint64_t bytes, inodes;
    bool ok;
};

static void run_space(void *arg)
{
    struct space_job *job = arg;
    job->ok = disk_free_space(job->path, &job->bytes, &job->inodes, NULL);
}

static bool space_is_short(struct store *s)
{
    struct space_job job = {.path = s->path};

    worker_run(WORKER_DISK, run_space, &job);
    return s->pending_error.kind == ERR_NO_SPACE ||
           (job.ok && job.bytes < journal_disk_reserve(s->journal) * 3 / 2);
}

/* Second before which everything goes that is kept this long; of what is not kept at all that of
 * this very second as well. */
static int64_t kept_since(usec keep)
{
    return keep > 0 ? (clock_wall() - keep) / USEC_SEC : INT64_MAX;
}

static void make_room(struct store *s)
{
    usec keep = s->settings.keep_expunged;
    uint64_t removed = 0;

    while (keep > 0 && !s->closing && space_is_short(s)) {
        keep = keep > 60 * USEC_SEC ? keep / 2 : 0;
        removed += purge_all(s, kept_since(keep), 0);
    }
    if (removed > 0)
        log_warning("store", NULL,
                    "expunged messages removed early count=%llu: the disk is nearly full",
                    (unsigned long long)removed);
}

/* --- the fiber --- */

static void keep_house(void *arg)
{
    struct store *s = arg;
    usec walk_at = 0, purge_at = 0;

    while (!s->closing) {
        usec now = clock_monotonic();
        if (!s->replaying && now >= walk_at) {
            walk_homes(s, PURGE_PAUSE);
            walk_at = now + PURGE_WALK_INTERVAL;
        }
        if (!s->replaying && (now >= purge_at || s->purge_soon)) {
            s->purge_soon = false;
            purge_all(s, kept_since(s->settings.keep_expunged), PURGE_PAUSE);
            purge_at = now + PURGE_INTERVAL;
        }
        if (!s->replaying && !s->closing)
            make_room(s);
        if (!s->closing && !s->purge_soon)
            cond_wait(&s->house_wake, deadline_in(HOUSE_INTERVAL), NULL);
    }
    s->background--;
    cond_broadcast(&s->background_done);
}

void expunged_start(struct store *s)
{
    if (fiber_start(s->loop, "store housekeeping", keep_house, s))
        s->background++;
}

/* --- for operators --- */

bool store_purge_expunged(struct store *s, const struct account *account, int64_t before,
                          uint64_t *removed, struct err *e)
{
    if (!account) {
        walk_homes(s, 0);
        *removed = purge_all(s, before, 1);
        return true;
    }
    struct store_account *a = store_account_open(s, account, e);
    if (!a)
        return false;
    *removed = purge_account(s, a, before, 1);
    return true;
}
