/*
 * A file of lines is only appended to, and what stands in it counts as far as it ends in a line
 * end. After a crash it may have lost its end, or have zeros in place of what was written last,
 * since nothing is synced: lines that are none are passed over wherever they stand.
 *
 * Writing goes lines first, then their index. Lines that could not be written whole are cut off
 * again. An index that could not be written gets no further entries: those behind a gap would not
 * count; what it lacks is made when the file is complete, or at the next start.
 */
#include "trace/volume.h"

#include "core/disk.h"
#include "core/mem.h"
#include "trace/limits.h"

#include <stdlib.h>

/* So much of a file is read at once. */
#define PIECE ((size_t)256 * 1024)
/* Longer than any line: what is none is taken in pieces. */
#define LINE_MAX_SIZE ((size_t)8192)

/* --- completing an index --- */

/* Counts the lines of `text` into blocks; entries of full ones go into index. Returns how much of
 * the text that was; the rest is no whole line. */
static size_t add_lines(struct block *b, struct str text, struct buf *index)
{
    size_t at = 0;
    while (at < text.n) {
        const char *end = memchr(text.p + at, '\n', text.n - at);
        size_t n = end ? (size_t)(end - text.p) + 1 - at : text.n - at;
        if (!end && n < LINE_MAX_SIZE)
            break;
        if (n > LINE_MAX_SIZE)
            n = LINE_MAX_SIZE;
        block_add(b, str_from(text.p + at, n));
        if (block_is_full(b))
            block_end(b, index);
        at += n;
    }
    return at;
}

/* The lines from `from` on, into blocks. *to: behind the last whole line. */
static bool add_file(struct block *b, int fd, uint64_t from, const char *path, struct buf *index,
                     uint64_t *to, struct err *e)
{
    char *piece = mem_alloc(PIECE);
    size_t got = PIECE;
    bool ok = true;
    block_begin(b, from);
    while (ok && got == PIECE && (ok = disk_read_at(fd, piece, PIECE, from, &got, path, e)))
        from += add_lines(b, str_from(piece, got), index);
    *to = from;
    free(piece);
    return ok;
}

/* --- opening --- */

static int open_file(const char *path, int flags, struct err *e)
{
    int fd;
    disk_open(path, O_RDWR | O_APPEND | flags, 0640, &fd, e);
    return fd;
}

/* Cuts the index off where it is not right any more, and begins it if that is all of it. */
static bool prepare_index(struct volume *s, const struct block_index *x, struct err *e)
{
    struct buf header = BUF_EMPTY;
    s->index_fd = open_file(s->index_path, O_CREAT, e);
    if (s->index_fd < 0 || !disk_truncate(s->index_fd, x->valid, s->index_path, e))
        return false;
    if (x->valid > 0)
        return true;
    block_index_add_header(&header, s->number, false);
    bool ok = disk_write(s->index_fd, header.p, header.n, s->index_path, e);
    buf_free(&header);
    return ok;
}

/* What was found must have lines, if it is more than a torn one. */
static bool has_lines(const struct volume *s, uint64_t size, struct err *e)
{
    return s->block.begin != 0 || size < LINE_MAX_SIZE ||
           err_set(e, ERR_IO, "%s has no lines of a log", s->path);
}

static usec begin_of(const struct block_index *x)
{
    for (size_t i = 0; i < x->count; i++)
        if (x->entries[i].lines > 0)
            return x->entries[i].first;
    return 0;
}

static bool resume(struct volume *s, struct err *e)
{
    struct block_index x = {0};
    struct buf more = BUF_EMPTY;
    uint64_t size = 0, end = 0;
    disk_size(s->fd, &size);
    if (size > TRACE_FILE_MAX)
        return err_set(e, ERR_IO, "%s is too large to be one of the store's", s->path);
    block_index_read(&x, s->index_path, s->number, false, size, NULL);
    s->block.begin = begin_of(&x);
    bool ok = add_file(&s->block, s->fd, x.covered, s->path, &more, &end, e) &&
              has_lines(s, size, e) && (end == size || disk_truncate(s->fd, end, s->path, e)) &&
              prepare_index(s, &x, e) && disk_write(s->index_fd, more.p, more.n, s->index_path, e);
    s->size = end;
    buf_free(&more);
    block_index_free(&x);
    return ok;
}

bool volume_is_open(const struct volume *s)
{
    return s->path != NULL;
}

static void drop(struct volume *s)
{
    disk_close(s->fd);
    disk_close(s->index_fd);
    free(s->path);
    free(s->index_path);
    s->path = s->index_path = NULL;
}

static char *path_of(const char *dir, uint32_t number, enum volume_file file)
{
    struct buf b = BUF_EMPTY;
    volume_add_path(&b, dir, number, file);
    char *path = mem_dup(b.p, b.n);
    buf_free(&b);
    return path;
}

static bool open_volume(struct volume *s, const char *dir, uint32_t number, int flags,
                        struct err *e)
{
    s->number = number;
    s->path = path_of(dir, number, VOLUME_LINES);
    s->index_path = path_of(dir, number, VOLUME_INDEX);
    s->index_fd = -1;
    s->index_broken = false;
    s->fd = open_file(s->path, flags, e);
    if (s->fd >= 0 && resume(s, e))
        return true;
    drop(s);
    return false;
}

bool volume_create(struct volume *s, const char *dir, uint32_t number, struct err *e)
{
    return open_volume(s, dir, number, O_CREAT | O_EXCL, e);
}

bool volume_resume(struct volume *s, const char *dir, uint32_t number, struct err *e)
{
    return open_volume(s, dir, number, 0, e);
}

/* --- writing --- */

static void write_index(struct volume *s, const struct buf *entries)
{
    if (entries->n > 0 && !s->index_broken)
        s->index_broken = !disk_write(s->index_fd, entries->p, entries->n, s->index_path, NULL);
}

bool volume_write(struct volume *s, struct str lines, struct err *e)
{
    struct buf entries = BUF_EMPTY;
    if (!disk_write(s->fd, lines.p, lines.n, s->path, e)) {
        if (!disk_truncate(s->fd, s->size, s->path, NULL))
            drop(s); /* opened again, it is cut where its last line ends */
        return false;
    }
    s->size += lines.n;
    add_lines(&s->block, lines, &entries);
    write_index(s, &entries);
    buf_free(&entries);
    return true;
}

void volume_close(struct volume *s, bool complete)
{
    struct buf entries = BUF_EMPTY;
    if (!volume_is_open(s))
        return;
    if (complete && s->block.size > 0)
        block_end(&s->block, &entries);
    write_index(s, &entries);
    buf_free(&entries);
    drop(s);
}

/* --- mending --- */

static bool rebuild(const char *dir, uint32_t number, struct err *e)
{
    struct volume *s = MEM_NEW(struct volume);
    bool ok = volume_resume(s, dir, number, e);
    if (ok)
        volume_close(s, true);
    free(s);
    return ok;
}

bool volume_mend(const char *dir, uint32_t number, bool *mended, struct err *e)
{
    struct block_index x = {0};
    struct stat st;
    char *path = path_of(dir, number, VOLUME_LINES);
    char *index_path = path_of(dir, number, VOLUME_INDEX);
    bool ok = disk_stat(path, &st, e);
    *mended = false;
    if (ok) {
        block_index_read(&x, index_path, number, false, (uint64_t)st.st_size, NULL);
        *mended = x.covered != (uint64_t)st.st_size || x.valid == 0 || x.valid != x.bytes.n;
    }
    block_index_free(&x);
    if (ok && (uint64_t)st.st_size > TRACE_FILE_MAX)
        ok = err_set(e, ERR_LIMIT, "%s is too large to be one of the store's", path);
    else if (ok && *mended)
        ok = rebuild(dir, number, e);
    free(path);
    free(index_path);
    return ok;
}
