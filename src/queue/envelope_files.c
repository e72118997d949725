/*
 * The spool directory, where messages wait that outlive a checkpoint of the journal.
 *
 * Until a checkpoint comes, the journal alone holds a small message; most are sent by then and
 * never become files. The checkpoint writes `ID.env` and `ID.msg` for each message that is still
 * there, and rewrites the envelopes of those whose state has changed; the journal then syncs the
 * file system and forgets the records. A first envelope is written in place: if a crash tears it,
 * the ACCEPT record is still in the journal. A later one may be all there is, so the new ones are
 * written beside the old, all synced with one call, then renamed.
 *
 * A large body is linked here (copied, when the spool is on another file system) and synced before
 * its ACCEPT record.
 *
 * Files of a message that is done are removed at the checkpoint that covers its DONE record: the
 * record is durable then, and one that is lost with the envelope still there could only mean that
 * the message is sent again.
 *
 * What cannot be understood at start is renamed to `*.damaged`, with a line in the log; the others
 * go on.
 */
#include "queue/envelope_files.h"

#include "core/disk.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/worker.h"
#include "queue/message.h"

#include <fcntl.h>
#include <stdlib.h>

static bool write_file(const char *path, struct str content, struct err *e)
{
    int fd;
    if (!disk_open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600, &fd, e))
        return false;
    bool ok = disk_write(fd, content.p, content.n, path, e);
    disk_close(fd);
    return ok;
}

/* --- bodies --- */

struct place_job {
    const char *from;
    char *to;
    const char *dir;
    uint64_t size;
    bool ok;
    struct err error;
};

static bool copy_bytes(int from, int to, const struct place_job *j, struct err *e)
{
    enum { BLOCK = 256 * 1024 };
    char *block = mem_alloc(BLOCK);
    bool ok = true;
    uint64_t done = 0;
    while (ok && done < j->size) {
        size_t got;
        ok = disk_read_at(from, block, BLOCK, done, &got, j->from, e);
        if (ok && got == 0)
            ok = err_set(e, ERR_IO, "%s: shorter than it was", j->from);
        ok = ok && disk_write(to, block, got, j->to, e);
        done += ok ? got : 0;
    }
    free(block);
    return ok && disk_sync(to, j->to, e);
}

static bool copy_file(const struct place_job *j, struct err *e)
{
    int from, to;
    if (!disk_open(j->from, O_RDONLY, 0, &from, e))
        return false;
    if (!disk_open(j->to, O_WRONLY | O_CREAT | O_TRUNC, 0600, &to, e)) {
        disk_close(from);
        return false;
    }
    bool ok = copy_bytes(from, to, j, e);
    disk_close(to);
    disk_close(from);
    return ok;
}

static void place_body(void *arg)
{
    struct place_job *j = arg;
    struct err ignored;
    /* Another file system, or one without links: a copy does. */
    j->ok = (disk_link(j->from, j->to, &j->error) || copy_file(j, &j->error)) &&
            disk_sync_dir(j->dir, &j->error);
    if (!j->ok)
        disk_unlink(j->to, &ignored);
}

SUSPENDS bool envelope_file_place_body(struct queue *q, const char *id, struct spool *body,
                                       struct err *e)
{
    if (!spool_sync(body, e))
        return false;
    struct place_job j = {.from = spool_path(body),
                          .to = message_path(q, id, "msg"),
                          .dir = q->context.spool_dir,
                          .size = spool_size(body)};
    worker_run(WORKER_DISK, place_body, &j);
    free(j.to);
    return j.ok || err_set(e, j.error.kind, "%s", j.error.text);
}

static void unlink_path(void *arg)
{
    struct err e;
    if (!disk_unlink(arg, &e))
        log_warning("queue", NULL, "%s", e.text);
}

SUSPENDS void envelope_file_drop_body(struct queue *q, const char *id)
{
    char *path = message_path(q, id, "msg");
    worker_run(WORKER_DISK, unlink_path, path);
    free(path);
}

void envelope_file_attach_body(struct queue_message *m, uint64_t size)
{
    char *path = message_path(m->queue, m->id, "msg");
    struct spool *old = m->body;
    m->body = spool_from_file(path, size, true);
    spool_unref(old);
    free(path);
}

/* --- removal --- */

void envelope_files_remove_later(struct queue *q, const char *id, lsn done_lsn)
{
    struct queue_removal *r = MEM_NEW(struct queue_removal);
    memcpy(r->id, id, sizeof(r->id));
    r->done_lsn = done_lsn;
    *q->removals_end = r;
    q->removals_end = &r->next;
}

struct remove_job {
    char *paths[2 * QUEUE_FILES_BATCH];
    size_t count;
    bool ok;
    struct err error;
};

static void remove_files(void *arg)
{
    struct remove_job *j = arg;
    j->ok = true;
    for (size_t i = 0; j->ok && i < j->count; i++)
        j->ok = disk_unlink(j->paths[i], &j->error);
}

/* The entries stay in the list until the files are gone. */
SUSPENDS static bool remove_done(struct queue *q, lsn upto, struct err *e)
{
    while (q->removals && q->removals->done_lsn <= upto) {
        struct remove_job j = {0};
        size_t taken = 0;
        for (struct queue_removal *r = q->removals;
             r && r->done_lsn <= upto && taken < QUEUE_FILES_BATCH; r = r->next, taken++) {
            j.paths[j.count++] = message_path(q, r->id, "env");
            j.paths[j.count++] = message_path(q, r->id, "msg");
        }
        worker_run(WORKER_DISK, remove_files, &j);
        for (size_t i = 0; i < j.count; i++)
            free(j.paths[i]);
        if (!j.ok)
            return err_set(e, j.error.kind, "%s", j.error.text);
        for (; taken > 0; taken--) {
            struct queue_removal *r = q->removals;
            q->removals = r->next;
            if (!q->removals)
                q->removals_end = &q->removals;
            free(r);
        }
    }
    return true;
}

/* --- checkpoint --- */

struct envelope_write {
    char id[ID_SIZE];
    char *path, *body_path;
    struct buf content;
    struct spool *body; /* to be written; NULL: has its file */
};

struct write_job {
    struct envelope_write files[QUEUE_FILES_BATCH];
    size_t count;
    bool ok;
    struct err error;
};

static void write_envelopes(void *arg)
{
    struct write_job *j = arg;
    j->ok = true;
    for (size_t i = 0; j->ok && i < j->count; i++) {
        struct envelope_write *w = &j->files[i];
        j->ok = (!w->body || write_file(w->body_path, spool_memory(w->body), &j->error)) &&
                write_file(w->path, buf_str(&w->content), &j->error);
    }
}

/* Snapshot of the message as it is now; `rewritten` gets the ids whose files must be renamed. */
static void prepare_write(struct envelope_write *w, struct queue_message *m, struct buf *rewritten)
{
    struct queue *q = m->queue;
    memcpy(w->id, m->id, sizeof(w->id));
    w->path = message_path(q, m->id, m->in_files ? "env.tmp" : "env");
    if (m->in_files)
        buf_add(rewritten, m->id, sizeof(m->id));
    envelope_file_encode(&w->content, m);
    if (spool_memory(m->body).p) {
        w->body = spool_ref(m->body);
        w->body_path = message_path(q, m->id, "msg");
    }
    m->in_files = true;
}

static void finish_write(struct queue *q, struct envelope_write *w, bool ok)
{
    struct queue_message *m = message_find(q, str_from_c(w->id));
    if (m && !ok)
        message_mark_dirty(m);
    if (m && ok && w->body && spool_memory(m->body).p)
        envelope_file_attach_body(m, spool_size(w->body));
    spool_unref(w->body);
    buf_free(&w->content);
    free(w->path);
    free(w->body_path);
}

/* Takes messages off the list `work` until it is empty or a batch is full. */
SUSPENDS static bool write_batch(struct queue *q, struct link *work, lsn upto,
                                 struct buf *rewritten, struct err *e)
{
    struct write_job *j = MEM_NEW(struct write_job);
    while (!link_is_empty(work) && j->count < QUEUE_FILES_BATCH) {
        struct queue_message *m =
            (struct queue_message *)((char *)work->next - offsetof(struct queue_message, dirty));
        link_remove(&m->dirty);
        if (m->accept_lsn > upto)
            message_mark_dirty(m); /* the journal keeps it for the next one */
        else
            prepare_write(&j->files[j->count++], m, rewritten);
    }
    worker_run(WORKER_DISK, write_envelopes, j);
    bool ok = j->ok || err_set(e, j->error.kind, "%s", j->error.text);
    for (size_t i = 0; i < j->count; i++)
        finish_write(q, &j->files[i], ok);
    free(j);
    return ok;
}

struct rename_job {
    const char *dir;
    struct str ids;
    bool ok;
    struct err error;
};

static void rename_envelopes(void *arg)
{
    struct rename_job *j = arg;
    struct buf from = BUF_EMPTY, to = BUF_EMPTY;
    j->ok = disk_sync_filesystem(j->dir, &j->error);
    for (size_t at = 0; j->ok && at < j->ids.n; at += ID_SIZE) {
        buf_clear(&from);
        buf_clear(&to);
        buf_printf(&from, "%s/%s.env.tmp", j->dir, j->ids.p + at);
        buf_printf(&to, "%s/%s.env", j->dir, j->ids.p + at);
        j->ok = disk_rename(buf_c(&from), buf_c(&to), &j->error);
    }
    buf_free(&from);
    buf_free(&to);
}

SUSPENDS static bool rename_rewritten(struct queue *q, const struct buf *ids, struct err *e)
{
    struct rename_job j = {.dir = q->context.spool_dir, .ids = buf_str(ids), .ok = true};
    if (ids->n > 0)
        worker_run(WORKER_DISK, rename_envelopes, &j);
    return j.ok || err_set(e, j.error.kind, "%s", j.error.text);
}

SUSPENDS bool envelope_files_checkpoint(void *arg, lsn upto, struct err *e)
{
    struct queue *q = arg;
    struct buf rewritten = BUF_EMPTY;
    struct link work;
    link_init(&work);
    while (!link_is_empty(&q->dirty)) {
        struct link *l = q->dirty.next;
        link_remove(l);
        link_append(&work, l);
    }
    bool ok = true;
    while (ok && !link_is_empty(&work))
        ok = write_batch(q, &work, upto, &rewritten, e);
    ok = ok && rename_rewritten(q, &rewritten, e);
    while (!link_is_empty(&work)) {
        struct link *l = work.next;
        link_remove(l);
        link_append(&q->dirty, l);
    }
    for (size_t at = 0; !ok && at < rewritten.n; at += ID_SIZE) {
        struct queue_message *m = message_find(q, str_from_c(rewritten.p + at));
        if (m)
            message_mark_dirty(m);
    }
    buf_free(&rewritten);
    return ok && remove_done(q, upto, e);
}
