/*
 * Checkpoints. In order: everything appended so far is made durable in the journal; each consumer
 * brings the effects of these records into its files; the file system is synced; the checkpoint
 * file is replaced by one that says from where a replay starts; only then are the segments before
 * that free. A crash between any two steps leaves the old checkpoint and all that it needs.
 *
 * When the sync of the file system fails, some of the consumers' files are lost in a way
 * that a second sync would not report. So the journal fails for good: the restart replays.
 */
#include "core/crc32c.h"
#include "core/disk.h"
#include "core/journal_private.h"
#include "core/log.h"
#include "core/worker.h"

#include <assert.h>

#define MAGIC         "MAILDCKP"
#define VERSION       2
#define FILE_MAX      4096
#define RETRY_AFTER   (5 * USEC_SEC)
#define CONTENT_BYTES 37 /* before the checksum; 29 in version 1, which had no salt */

/* --- the file --- */

bool checkpoint_write(const char *path, const char *copy, const struct checkpoint *c, struct err *e)
{
    struct buf b = BUF_EMPTY;
    buf_add_c(&b, MAGIC);
    buf_add_u32(&b, VERSION);
    buf_add_u64(&b, c->upto);
    buf_add_u64(&b, c->sequence);
    buf_add_u8(&b, c->begun);
    buf_add_u64(&b, c->salt);
    buf_add_u32(&b, crc32c(0, b.p, b.n));
    bool ok = disk_replace_file(path, buf_str(&b), 0600, e) &&
              disk_replace_file(copy, buf_str(&b), 0600, e);
    buf_free(&b);
    return ok;
}

bool checkpoint_read(const char *path, struct checkpoint *c, bool *found, struct err *e)
{
    struct buf b = BUF_EMPTY;
    struct err why;
    *found = disk_read_file(path, FILE_MAX, &b, &why);
    if (!*found) {
        buf_free(&b);
        if (why.kind == ERR_NOT_FOUND)
            return true;
        return err_set(e, why.kind == ERR_LIMIT ? ERR_SYNTAX : ERR_IO, "%s", why.text);
    }
    struct reader r = {.p = b.p, .n = b.n};
    bool ok = b.n >= 12 && memcmp(b.p, MAGIC, 8) == 0;
    if (ok) {
        r.p += 8;
        r.n -= 8;
        uint32_t version = read_u32(&r);
        c->upto = read_u64(&r);
        c->sequence = read_u64(&r);
        c->begun = read_u8(&r);
        c->salt = version == 1 ? 0 : read_u64(&r);
        size_t content = (size_t)(r.p - b.p);
        ok = (version == 1 || version == VERSION) && !r.bad && r.n == 4 &&
             read_u32(&r) == crc32c(0, b.p, content);
    }
    buf_free(&b);
    return ok || err_set(e, ERR_SYNTAX, "%s is damaged or of another version", path);
}

/* --- a checkpoint --- */

struct sync_job {
    const char *paths[JOURNAL_CONSUMERS];
    size_t count;
    struct err e;
    bool ok;
};

/* True if a path before the i-th lies on the same file system. */
static bool is_synced(const struct sync_job *s, size_t i)
{
    struct stat st, other;
    if (!disk_stat(s->paths[i], &st, NULL))
        return false; /* the sync says what is wrong */
    for (size_t k = 0; k < i; k++)
        if (disk_stat(s->paths[k], &other, NULL) && other.st_dev == st.st_dev)
            return true;
    return false;
}

static void sync_on_worker(void *arg)
{
    struct sync_job *s = arg;
    s->ok = true;
    for (size_t i = 0; i < s->count && s->ok; i++)
        s->ok = is_synced(s, i) || disk_sync_filesystem(s->paths[i], &s->e);
}

struct write_job {
    const char *path, *copy;
    struct checkpoint checkpoint;
    struct err e;
    bool ok;
};

static void write_on_worker(void *arg)
{
    struct write_job *w = arg;
    w->ok = checkpoint_write(w->path, w->copy, &w->checkpoint, &w->e);
}

static void remove_on_worker(void *arg)
{
    struct segment *s = arg;
    disk_unlink(s->path, NULL);
    segment_free(s);
}

static void put_aside_on_worker(void *arg)
{
    struct segment *s = arg;
    if (!damage_move(s))
        disk_unlink(s->path, NULL);
    segment_free(s);
}

/* The segment in which the record behind `upto` is or will be. */
static struct checkpoint position_behind(const struct journal *j, lsn upto)
{
    struct checkpoint c = {.upto = upto, .sequence = j->next_sequence, .salt = j->salt};
    if (!j->current)
        return c;
    for (const struct segment *s = j->active.first; s; s = s->next)
        /* One that is being written to for the first time may not exist after a crash. */
        if (s->first <= upto + 1 && s->used > 0) {
            c.sequence = s->sequence;
            c.begun = true;
        }
    assert(c.begun);
    return c;
}

static SUSPENDS void release_segments(struct journal *j, uint64_t before)
{
    while (j->active.first && j->active.first->sequence < before) {
        struct segment *s = segment_list_take(&j->active);
        uint64_t others = (j->active.count + j->free.count) * j->segment_size;
        s->used = 0;
        if (s->damaged)
            worker_run(WORKER_DISK, put_aside_on_worker, s);
        else if (s->size == j->segment_size && others < j->size_max)
            segment_list_append(&j->free, s);
        else
            worker_start(WORKER_DISK, remove_on_worker, NULL, s);
    }
}

static bool bring_up_to(struct journal *j, lsn upto, struct err *e)
{
    if (!journal_commit(j, upto, e))
        return false;
    for (size_t i = 0; i < j->consumer_count; i++)
        if (j->consumers[i].checkpoint && !j->consumers[i].checkpoint(j->consumers[i].arg, upto, e))
            return false;
    struct sync_job s = {.count = j->consumer_count};
    for (size_t i = 0; i < j->consumer_count; i++)
        s.paths[i] = j->consumers[i].sync_path;
    worker_run(WORKER_DISK, sync_on_worker, &s);
    if (s.ok)
        return true;
    journal_fail(j, &s.e);
    return err_set(e, ERR_IO, "%s", s.e.text);
}

bool journal_run_checkpoint(struct journal *j, struct err *e)
{
    lsn upto = j->next - 1;
    if (upto == j->checkpointed && j->salt_written)
        return true;
    uint64_t bytes = j->bytes_total;
    if (upto != j->checkpointed && !bring_up_to(j, upto, e))
        return false;
    struct write_job w = {.path = j->checkpoint_path,
                          .copy = j->checkpoint_copy,
                          .checkpoint = position_behind(j, upto)};
    worker_run(WORKER_DISK, write_on_worker, &w);
    if (!w.ok) {
        if (e)
            *e = w.e;
        return false;
    }
    j->salt_written = true;
    j->checkpointed = upto;
    j->bytes_checkpointed = bytes;
    j->stats.checkpoints++;
    release_segments(j, w.checkpoint.sequence);
    cond_broadcast(&j->room);
    return true;
}

/* --- when --- */

static void run_and_report(struct journal *j)
{
    uint64_t asked = j->checkpoint_asked;
    struct err e = {.kind = ERR_NONE};
    j->checkpoint_running = true;
    bool ok = j->failed ? err_set(&e, ERR_IO, "the journal failed: %s", j->failure.text)
                        : journal_run_checkpoint(j, &e);
    j->checkpoint_running = false;
    if (!ok && !j->failed)
        log_error("maild", NULL, "checkpoint failed, it will be tried again: %s", e.text);
    j->checkpoint_error = e;
    j->checkpoint_error.kind = ok ? ERR_NONE : e.kind;
    j->checkpoint_done = asked;
    cond_broadcast(&j->checkpoint_ended);
}

/* The interval counts from the end of the last one. */
static usec next_checkpoint(const struct journal *j, usec ended)
{
    return ended + (j->checkpoint_error.kind == ERR_NONE ? j->checkpoint_interval : RETRY_AFTER);
}

static void checkpoint_fiber(void *arg)
{
    struct journal *j = arg;
    struct err e;
    while (!j->closing) {
        usec ended = clock_monotonic();
        while (!j->closing && j->checkpoint_done == j->checkpoint_asked)
            if (!cond_wait(&j->checkpoint_wake, next_checkpoint(j, ended), &e))
                break;
        if (!j->closing && (!j->failed || j->checkpoint_done != j->checkpoint_asked))
            run_and_report(j);
    }
    j->checkpoint_fiber = false;
    cond_broadcast(&j->checkpoint_ended);
}

bool journal_start_checkpoints(struct journal *j)
{
    j->checkpoint_fiber = fiber_start(j->loop, "journal checkpoint", checkpoint_fiber, j);
    return j->checkpoint_fiber;
}

void journal_want_checkpoint(struct journal *j)
{
    if (j->checkpoint_running || j->checkpoint_done != j->checkpoint_asked || j->closing)
        return;
    /* After a failure the fiber tries again by itself, not at once. */
    if (j->checkpoint_error.kind != ERR_NONE)
        return;
    j->checkpoint_asked++;
    cond_signal(&j->checkpoint_wake);
}

void journal_consider_checkpoint(struct journal *j)
{
    if (j->bytes_total - j->bytes_checkpointed >= j->size_max / 2)
        journal_want_checkpoint(j);
}

bool journal_checkpoint(struct journal *j, struct err *e)
{
    if (!j->checkpoint_fiber || j->closing)
        return err_set(e, ERR_CANCELLED, "the journal is being closed");
    uint64_t mine = ++j->checkpoint_asked;
    cond_signal(&j->checkpoint_wake);
    while (j->checkpoint_done < mine && j->checkpoint_fiber)
        cond_wait_certain(&j->checkpoint_ended);
    if (j->checkpoint_done < mine)
        return err_set(e, ERR_CANCELLED, "the journal is being closed");
    if (j->checkpoint_error.kind == ERR_NONE)
        return true;
    if (e)
        *e = j->checkpoint_error;
    return false;
}
