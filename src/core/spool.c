/*
 * A message in transit. Up to SPOOL_MEMORY_MAX it is a buffer in memory, which the journal carries
 * whole. Beyond that it is a file, written in blocks of WRITE_BLOCK by a worker; the buffer then
 * holds the bytes that are not in the file yet. Reading writes them out first.
 *
 * After a failed write or sync the spool stays failed: what the file holds is not known any more.
 * The file disappears with the last reference, unless somebody took it over (spool_keep_file).
 */
#include "core/spool.h"

#include "core/disk.h"
#include "core/file.h"
#include "core/loop.h"
#include "core/mem.h"
#include "core/worker.h"

#include <assert.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#define WRITE_BLOCK  ((size_t)256 * 1024)
#define HEADER_STEP  ((size_t)16 * 1024)
#define COUNT_BLOCK  ((size_t)256 * 1024)
#define MEMORY_FIRST ((size_t)4096)

struct spool {
    unsigned references;
    const char *dir;
    char *path; /* dir/id */
    bool in_file;
    bool keep;
    bool failed;
    bool synced;
    bool counted; /* the lines */
    bool writing; /* a worker has the buffer */
    int fd;       /* -1: not open */
    struct buf bytes;
    uint64_t size, lines;
};

struct spool *spool_new(const char *dir, const char *id)
{
    struct spool *s = MEM_NEW(struct spool);
    struct buf path = BUF_EMPTY;
    buf_add_c(&path, dir);
    buf_add_char(&path, '/');
    buf_add_c(&path, id);
    buf_c(&path);
    *s = (struct spool){.references = 1, .dir = dir, .path = path.p, .counted = true, .fd = -1};
    return s;
}

struct spool *spool_from_file(const char *path, uint64_t size, bool keep)
{
    struct spool *s = MEM_NEW(struct spool);
    *s = (struct spool){.references = 1,
                        .path = mem_dup(path, strlen(path)),
                        .in_file = true,
                        .keep = keep,
                        .synced = true,
                        .fd = -1,
                        .size = size};
    return s;
}

struct spool *spool_ref(struct spool *s)
{
    s->references++;
    return s;
}

static void discard(void *arg)
{
    struct spool *s = arg;
    disk_close(s->fd);
    if (s->in_file && !s->keep)
        disk_unlink(s->path, NULL);
    free(s->path);
    free(s);
}

void spool_unref(struct spool *s)
{
    if (!s || --s->references > 0)
        return;
    assert(!s->writing);
    buf_free(&s->bytes);
    if (s->in_file && !s->keep && loop_current())
        worker_start(WORKER_DISK, discard, NULL, s);
    else
        discard(s);
}

/* --- on a worker --- */

struct job {
    struct spool *s;
    bool sync;
    struct err e;
    bool ok;
};

static bool write_out(struct spool *s, bool sync, struct err *e)
{
    if (s->fd < 0 &&
        !disk_open(s->path, s->in_file ? O_RDWR : O_RDWR | O_CREAT | O_EXCL, 0600, &s->fd, e))
        return false;
    if (!disk_write(s->fd, s->bytes.p, s->bytes.n, s->path, e))
        return false;
    if (!sync)
        return true;
    if (!disk_sync(s->fd, s->path, e))
        return false;
    /* A file taken over by its path was made durable by who made it. */
    return !s->dir || disk_sync_dir(s->dir, e);
}

static void write_job(void *arg)
{
    struct job *j = arg;
    j->ok = write_out(j->s, j->sync, &j->e);
}

static bool is_usable(const struct spool *s, struct err *e)
{
    if (s->failed)
        return err_set(e, ERR_IO, "message file %s failed before", s->path);
    return true;
}

static bool flush(struct spool *s, bool sync, struct err *e)
{
    assert(!s->writing);
    struct job j = {.s = s, .sync = sync};
    s->writing = true;
    spool_ref(s);
    worker_run(WORKER_DISK, write_job, &j);
    s->writing = false;
    if (s->fd >= 0)
        s->in_file = true;
    if (j.ok) {
        s->synced = sync;
        if (sync)
            buf_free(&s->bytes);
        else
            buf_clear(&s->bytes);
    } else {
        s->failed = true;
        err_as_io(&j.e);
        if (e)
            *e = j.e;
    }
    spool_unref(s);
    return j.ok;
}

/* --- writing --- */

bool spool_write(struct spool *s, struct str bytes, struct err *e)
{
    assert(s->dir);
    if (!is_usable(s, e))
        return false;
    if (!s->bytes.p)
        buf_reserve(&s->bytes, MEMORY_FIRST);
    buf_add_str(&s->bytes, bytes);
    s->size += bytes.n;
    s->lines += str_count_char(bytes, '\n');
    s->synced = false;
    if (s->bytes.n <= SPOOL_MEMORY_MAX || (s->in_file && s->bytes.n < WRITE_BLOCK))
        return true;
    return flush(s, false, e);
}

bool spool_leave_memory(struct spool *s, struct err *e)
{
    return is_usable(s, e) && (s->in_file || flush(s, false, e));
}

bool spool_sync(struct spool *s, struct err *e)
{
    if (!is_usable(s, e))
        return false;
    if (!s->in_file || s->synced)
        return true;
    return flush(s, true, e);
}

/* --- looking --- */

uint64_t spool_size(const struct spool *s)
{
    return s->size;
}

uint64_t spool_lines(const struct spool *s)
{
    return s->lines;
}

struct str spool_memory(const struct spool *s)
{
    return s->in_file ? str_from(NULL, 0) : buf_str(&s->bytes);
}

const char *spool_path(const struct spool *s)
{
    return s->in_file ? s->path : NULL;
}

void spool_keep_file(struct spool *s)
{
    s->keep = true;
}

bool spool_read_at(struct spool *s, void *p, size_t n, uint64_t offset, size_t *got, struct err *e)
{
    *got = 0;
    if (!is_usable(s, e))
        return false;
    if (!s->in_file) {
        struct str part = str_head(str_skip(buf_str(&s->bytes), offset), n);
        if (part.n > 0)
            memcpy(p, part.p, part.n);
        *got = part.n;
        return true;
    }
    if (s->bytes.n > 0 && !flush(s, false, e))
        return false;
    if (s->fd < 0) {
        int fd;
        if (!file_open(s->path, O_RDONLY, 0, &fd, e)) {
            err_as_io(e);
            return false;
        }
        /* Another fiber may have opened it meanwhile. */
        if (s->fd < 0)
            s->fd = fd;
        else
            file_close(fd);
    }
    return file_read_at(s->fd, p, n, offset, got, s->path, e);
}

/* Length of the header block with its empty line; 0 if that is not in sight. What lies before
 * `from` was searched already. */
static size_t header_end(struct str s, size_t from)
{
    if (from == 0 && s.n > 0 && s.p[0] == '\n')
        return 1;
    ptrdiff_t at = str_find(str_skip(s, from), STR("\n\n"));
    return at < 0 ? 0 : from + (size_t)at + 2;
}

bool spool_read_header(struct spool *s, size_t max, struct buf *b, struct err *e)
{
    size_t start = b->n;
    for (;;) {
        size_t have = b->n - start, got;
        size_t want = max - have < HEADER_STEP ? max - have : HEADER_STEP;
        if (want == 0)
            return true;
        if (!spool_read_at(s, buf_reserve(b, want), want, have, &got, e)) {
            b->n = start;
            return false;
        }
        b->n += got;
        /* One byte back: the empty line may lie across two steps. */
        struct str read = str_from(b->p + start, b->n - start);
        size_t end = header_end(read, have > 0 ? have - 1 : 0);
        if (end > 0) {
            b->n = start + end;
            return true;
        }
        if (got < want)
            return true;
    }
}

bool spool_count_lines(struct spool *s, struct err *e)
{
    if (s->counted)
        return true;
    char *block = mem_alloc(COUNT_BLOCK);
    uint64_t lines = 0;
    size_t got = COUNT_BLOCK;
    bool ok = true;
    for (uint64_t at = 0; ok && got == COUNT_BLOCK; at += got) {
        ok = spool_read_at(s, block, COUNT_BLOCK, at, &got, e);
        lines += ok ? str_count_char(str_from(block, got), '\n') : 0;
    }
    free(block);
    if (ok)
        s->lines = lines;
    s->counted = ok;
    return ok;
}
