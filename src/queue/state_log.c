/*
 * Writing the state log.
 *
 * What a checkpoint adds ends with its position in the journal. So a start can tell an end that a
 * power cut has torn (the journal still has all of it) from one that a disk has spoilt.
 *
 * A new file counts when its beginning is whole, which an entry of its own says; until then the one
 * before holds. That is removed one checkpoint later: until the first is complete the new file may
 * be lost.
 *
 * After a failed write it is not known what the file holds, so the next checkpoint begins a new
 * one.
 */
#include "queue/state_log.h"

#include "core/disk.h"
#include "core/mem.h"
#include "core/worker.h"
#include "queue/message.h"
#include "queue/state_entry.h"
#include "queue/state_log_internal.h"
#include "queue/walk.h"

#include <stdlib.h>

/* --- the file --- */

char *state_log_path(const struct state_log *s, uint32_t number)
{
    struct buf path = BUF_EMPTY;
    buf_printf(&path, "%s/state.%u", s->queue->context.spool_dir, number);
    buf_c(&path);
    return path.p;
}

struct state_log *state_log_new(struct queue *q)
{
    struct state_log *s = MEM_NEW(struct state_log);
    s->queue = q;
    s->fd = -1;
    s->next_number = 1;
    return s;
}

void state_log_free(struct state_log *s)
{
    if (!s)
        return;
    disk_close(s->fd);
    buf_free(&s->found);
    buf_free(&s->old);
    free(s);
}

struct file_job {
    char *path;
    int fd;
    struct str bytes;
    uint64_t offset;
    bool ok;
    struct err error;
};

static void open_job(void *arg)
{
    struct file_job *j = arg;
    j->ok = disk_open(j->path, O_WRONLY | O_CREAT, 0600, &j->fd, &j->error);
}

static void write_job(void *arg)
{
    struct file_job *j = arg;
    struct iovec v = {.iov_base = (char *)j->bytes.p, .iov_len = j->bytes.n};
    j->ok = disk_write_at(j->fd, &v, 1, j->offset, j->path, &j->error);
}

static void unlink_job(void *arg)
{
    struct file_job *j = arg;
    disk_close(j->fd);
    j->ok = disk_unlink(j->path, &j->error);
}

SUSPENDS static bool run(const struct state_log *s, uint32_t number, struct file_job *j,
                         void (*fn)(void *arg), struct err *e)
{
    j->path = state_log_path(s, number);
    worker_run(WORKER_DISK, fn, j);
    free(j->path);
    return j->ok || err_set(e, j->error.kind, "%s", j->error.text);
}

/* --- what a checkpoint writes --- */

/* A file that is being written to. */
struct output {
    struct state_log *log;
    uint32_t number;
    int fd;
    uint64_t at;
    struct buf bytes;
};

SUSPENDS static bool flush(struct output *o, struct err *e)
{
    struct file_job j = {.fd = o->fd, .bytes = buf_str(&o->bytes), .offset = o->at};
    if (o->bytes.n == 0)
        return true;
    bool ok = run(o->log, o->number, &j, write_job, e);
    o->at += ok ? o->bytes.n : 0;
    buf_clear(&o->bytes);
    return ok;
}

SUSPENDS static bool flush_if_full(struct output *o, struct err *e)
{
    return o->bytes.n < QUEUE_STATE_BLOCK || flush(o, e);
}

static void put(struct output *o, struct queue_message *m)
{
    if (m->stored && !o->log->broken)
        state_put_change(&o->bytes, m);
    else
        state_put_message(&o->bytes, m);
    for (size_t i = 0; i < m->recipient_count; i++)
        m->recipients[i].changed = false;
    m->stored = m->in_log = true;
    link_remove(&m->dirty);
    if (m->old_file) {
        buf_add(&o->log->queue->old_envelopes, m->id, ID_SIZE);
        m->old_file = false;
    }
}

/* Its text may be in memory still: the journal keeps it for the next one. */
static bool is_to_be_written(const struct queue_message *m, lsn upto)
{
    return m->accept_lsn <= upto && !m->fresh && !m->done;
}

SUSPENDS static bool write_changed(struct output *o, lsn upto, struct err *e)
{
    struct queue *q = o->log->queue;
    struct link work;
    bool ok = true;
    link_init(&work);
    link_append_all(&work, &q->dirty);
    while (ok && !link_is_empty(&work)) {
        struct queue_message *m =
            (struct queue_message *)((char *)work.next - offsetof(struct queue_message, dirty));
        link_remove(&m->dirty);
        if (is_to_be_written(m, upto))
            put(o, m);
        else
            message_mark_dirty(m);
        ok = flush_if_full(o, e);
    }
    link_append_all(&q->dirty, &work);
    return ok;
}

SUSPENDS static bool write_gone(struct output *o, lsn upto, struct err *e)
{
    bool ok = true;
    for (const struct queue_removal *r = o->log->queue->removals; ok && r && r->done_lsn <= upto;
         r = r->next) {
        if (r->in_log)
            state_put_gone(&o->bytes, r->id);
        ok = flush_if_full(o, e);
    }
    return ok;
}

SUSPENDS static bool append(struct state_log *s, lsn upto, struct err *e)
{
    struct output o = {.log = s, .number = s->number, .fd = s->fd, .at = s->size};
    bool ok = write_changed(&o, upto, e) && write_gone(&o, upto, e);
    state_put_checkpoint(&o.bytes, upto);
    ok = ok && flush(&o, e);
    s->broken = !ok;
    s->size = o.at;
    buf_free(&o.bytes);
    return ok;
}

SUSPENDS static bool write_all(struct output *o, lsn upto, struct err *e)
{
    struct walk w;
    struct queue_message *m;
    uint64_t count = 0;
    bool ok = true;
    for (walk_begin(&w, o->log->queue); ok && (m = walk_next(&w));) {
        if (!is_to_be_written(m, upto))
            continue;
        m->stored = false;
        put(o, m);
        count++;
        ok = flush_if_full(o, e);
    }
    walk_end(&w);
    state_put_whole(&o->bytes, count);
    state_put_checkpoint(&o->bytes, upto);
    return ok && flush(o, e);
}

/* Another one takes the place of the present one. */
SUSPENDS static bool begin_file(struct state_log *s, lsn upto, struct err *e)
{
    struct output o = {.log = s, .number = s->next_number++, .fd = -1};
    struct file_job j = {.fd = -1};
    if (!run(s, o.number, &j, open_job, e))
        return false;
    o.fd = j.fd;
    s->broken = true; /* until it is written: messages are marked as if they were in it */
    buf_add_c(&o.bytes, STATE_FILE_MAGIC);
    bool ok = write_all(&o, upto, e);
    buf_free(&o.bytes);
    if (!ok) {
        struct err ignored;
        run(s, o.number, &j, unlink_job, &ignored);
        return false;
    }
    state_log_replaced(s, upto);
    s->number = o.number;
    s->fd = o.fd;
    s->size = s->beginning = o.at;
    s->broken = false;
    return true;
}

static bool has_grown(const struct state_log *s)
{
    uint64_t most = s->beginning > QUEUE_STATE_GROWTH_MIN ? s->beginning : QUEUE_STATE_GROWTH_MIN;
    return s->size - s->beginning > most;
}

SUSPENDS bool state_log_write(struct state_log *s, lsn upto, struct err *e)
{
    bool ok =
        s->fd >= 0 && !s->broken && !has_grown(s) ? append(s, upto, e) : begin_file(s, upto, e);
    if (ok && s->old_after == 0)
        s->old_after = upto; /* of those that were found at start */
    return ok;
}

/* --- files that were replaced --- */

void state_log_replaced(struct state_log *s, lsn upto)
{
    disk_close(s->fd);
    s->fd = -1;
    if (s->number > 0)
        buf_add(&s->old, &s->number, sizeof(s->number));
    s->number = 0;
    s->old_after = upto;
}

SUSPENDS bool state_log_remove_old(struct state_log *s, lsn checkpointed, struct err *e)
{
    bool ok = true;
    if (s->old_after == 0 || s->old_after > checkpointed)
        return true;
    for (size_t at = 0; ok && at < s->old.n; at += sizeof(uint32_t)) {
        uint32_t number;
        struct file_job j = {.fd = -1};
        memcpy(&number, s->old.p + at, sizeof(number));
        ok = run(s, number, &j, unlink_job, e);
    }
    if (ok) {
        buf_clear(&s->old);
        s->old_after = 0;
    }
    return ok;
}
