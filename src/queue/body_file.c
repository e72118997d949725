/*
 * A large body is linked into the spool directory (copied, when the spool is on another file
 * system) and synced before its ACCEPT record.
 */
#include "queue/body_file.h"

#include "core/disk.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/worker.h"
#include "queue/message.h"

#include <fcntl.h>
#include <stdlib.h>

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

SUSPENDS bool body_file_place(struct queue *q, const char *id, struct spool *body, struct err *e)
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
        log_warning("queue", NULL, "file not removed: %s", e.text);
}

SUSPENDS void body_file_drop(struct queue *q, const char *id)
{
    char *path = message_path(q, id, "msg");
    worker_run(WORKER_DISK, unlink_path, path);
    free(path);
}

struct spool *body_file_open(const struct queue_message *m)
{
    char *path = message_path(m->queue, m->id, "msg");
    struct spool *body = spool_from_file(path, m->body_size, true);
    free(path);
    return body;
}

void body_file_attach(struct queue_message *m)
{
    struct spool *old = m->body;
    m->body = body_file_open(m);
    spool_unref(old);
}
