/*
 * A text file is a header, and texts one behind the other:
 *
 *   magic, checksum of what follows, length of the prefix, length of the body, id, prefix, body
 *
 * A file is written to by the process that made it, and by no later one: so whatever a crash left
 * behind the last text that somebody knows of is in nobody's way. A batch takes its place in the
 * file before it is written; one whose writing fails leaves a hole, which is as good as a text that
 * nobody needs.
 *
 * A file is removed one checkpoint after the one that wrote down that nothing in it is needed. Till
 * then an older state could come back, with a power cut, that still needs it.
 */
#include "queue/text_file.h"

#include "core/crc32c.h"
#include "core/disk.h"
#include "core/file.h"
#include "core/mem.h"
#include "core/worker.h"
#include "queue/limits.h"

#include <assert.h>
#include <endian.h>
#include <stdlib.h>

#define TEXT_MAGIC  0x5451444du /* "MDQT" */
#define FILE_MAGIC  "maild text 1\n"
#define HEADER_SIZE (sizeof(FILE_MAGIC) - 1)

/* --- the files --- */

static char *file_path(const struct text_files *t, uint32_t number)
{
    struct buf path = BUF_EMPTY;
    buf_printf(&path, "%s/text.%u", t->dir, number);
    buf_c(&path);
    return path.p;
}

static struct text_file *file_add(struct text_files *t, uint32_t number)
{
    struct text_file **at = &t->first;
    while (*at && (*at)->number < number)
        at = &(*at)->next;
    struct text_file *f = MEM_NEW(struct text_file);
    f->number = number;
    f->fd = -1;
    f->next = *at;
    *at = f;
    if (number >= t->next_number)
        t->next_number = number + 1;
    return f;
}

void text_files_found(struct text_files *t, uint32_t number, uint64_t size)
{
    struct text_file *f = file_add(t, number);
    f->size = size;
    t->size += size;
}

struct text_file *text_file_find(const struct text_files *t, uint32_t number)
{
    struct text_file *f = t->first;
    while (f && f->number != number)
        f = f->next;
    return f;
}

static void file_free(struct text_files *t, struct text_file *f)
{
    struct text_file **at = &t->first;
    while (*at != f)
        at = &(*at)->next;
    *at = f->next;
    t->size -= f->size;
    disk_close(f->fd);
    free(f);
}

void text_files_free(struct text_files *t)
{
    while (t->first)
        file_free(t, t->first);
    t->current = NULL;
}

void text_place_use(const struct text_place *p)
{
    if (p->file)
        p->file->live += p->size;
}

void text_place_leave(struct text_place *p)
{
    if (p->file) {
        assert(p->file->live >= p->size);
        p->file->live -= p->size;
    }
    *p = (struct text_place){.file = NULL};
}

/* --- writing --- */

void text_batch_add(struct text_batch *b, const char *id, struct str prefix, struct str body)
{
    struct text_entry entry = {.at = (uint32_t)b->bytes.n};
    memcpy(entry.id, id, ID_SIZE);
    buf_add_u32(&b->bytes, TEXT_MAGIC);
    buf_add_u32(&b->bytes, 0);
    size_t guarded = b->bytes.n;
    buf_add_u32(&b->bytes, (uint32_t)prefix.n);
    buf_add_u32(&b->bytes, (uint32_t)body.n);
    buf_add(&b->bytes, id, ID_SIZE);
    buf_add_str(&b->bytes, prefix);
    buf_add_str(&b->bytes, body);
    uint32_t crc = htole32(crc32c(0, b->bytes.p + guarded, b->bytes.n - guarded));
    memcpy(b->bytes.p + guarded - sizeof(crc), &crc, sizeof(crc));
    entry.size = (uint32_t)b->bytes.n - entry.at;
    buf_add(&b->entries, &entry, sizeof(entry));
}

struct text_entry *text_batch_entry(const struct text_batch *b, size_t i)
{
    return i < b->entries.n / sizeof(struct text_entry) ? (struct text_entry *)b->entries.p + i
                                                        : NULL;
}

void text_batch_free(struct text_batch *b)
{
    buf_free(&b->bytes);
    buf_free(&b->entries);
}

struct write_job {
    struct text_file *file;
    char *path;
    struct str bytes;
    uint64_t offset;
    int fd;
    bool ok;
    struct err error;
};

static void make_file(void *arg)
{
    struct write_job *j = arg;
    j->ok = disk_open(j->path, O_RDWR | O_CREAT | O_EXCL, 0600, &j->fd, &j->error);
    if (!j->ok)
        return;
    j->ok = disk_write(j->fd, FILE_MAGIC, HEADER_SIZE, j->path, &j->error);
    if (!j->ok) {
        disk_close(j->fd);
        disk_unlink(j->path, NULL);
    }
}

/* Another one for what comes now. */
SUSPENDS static bool next_file(struct text_files *t, struct err *e)
{
    uint32_t number = t->next_number++;
    struct write_job j = {.path = file_path(t, number), .fd = -1};
    worker_run(WORKER_DISK, make_file, &j);
    free(j.path);
    if (!j.ok)
        return err_set(e, j.error.kind, "%s", j.error.text);
    t->current = file_add(t, number);
    t->current->fd = j.fd;
    t->current->size = HEADER_SIZE;
    t->size += HEADER_SIZE;
    return true;
}

static void write_bytes(void *arg)
{
    struct write_job *j = arg;
    struct iovec v = {.iov_base = (char *)j->bytes.p, .iov_len = j->bytes.n};
    j->ok = disk_write_at(j->fd, &v, 1, j->offset, j->path, &j->error);
}

/* Larger with the whole, so that there are never many. */
static uint64_t file_size_max(const struct text_files *t)
{
    uint64_t size = t->size / QUEUE_TEXT_FILES;
    return size < QUEUE_TEXT_FILE_MIN   ? QUEUE_TEXT_FILE_MIN
           : size > QUEUE_TEXT_FILE_MAX ? QUEUE_TEXT_FILE_MAX
                                        : size;
}

SUSPENDS bool text_batch_write(struct text_files *t, struct text_batch *b, struct err *e)
{
    if (b->bytes.n == 0)
        return true;
    if ((!t->current || t->current->size + b->bytes.n > file_size_max(t)) && !next_file(t, e))
        return false;
    struct text_file *f = t->current;
    struct write_job j = {.path = file_path(t, f->number),
                          .bytes = buf_str(&b->bytes),
                          .offset = f->size,
                          .fd = f->fd};
    f->size += b->bytes.n;
    t->size += b->bytes.n;
    f->users++;
    worker_run(WORKER_DISK, write_bytes, &j);
    f->users--;
    free(j.path);
    if (!j.ok)
        return err_set(e, j.error.kind, "%s", j.error.text);
    struct text_entry *entry;
    for (size_t i = 0; (entry = text_batch_entry(b, i)); i++)
        entry->place = (struct text_place){f, (uint32_t)j.offset + entry->at, entry->size};
    return true;
}

/* --- reading --- */

bool text_decode(struct str bytes, const char *id, struct str *prefix, struct str *body)
{
    struct reader r = {.p = bytes.p, .n = bytes.n};
    uint32_t magic = read_u32(&r), crc = read_u32(&r);
    const char *guarded = r.p;
    size_t n = r.n;
    uint32_t prefix_n = read_u32(&r), body_n = read_u32(&r);
    if (r.bad || magic != TEXT_MAGIC || r.n < ID_SIZE || prefix_n > r.n - ID_SIZE ||
        body_n != r.n - ID_SIZE - prefix_n || crc != crc32c(0, guarded, n) ||
        strncmp(r.p, id, ID_SIZE) != 0)
        return false;
    *prefix = str_from(r.p + ID_SIZE, prefix_n);
    *body = str_from(r.p + ID_SIZE + prefix_n, body_n);
    return true;
}

/* Its descriptor stays open as long as the file is there; there are few. */
SUSPENDS static bool open_file(const struct text_files *t, struct text_file *f, const char *path,
                               struct err *e)
{
    int fd;
    (void)t;
    if (f->fd >= 0)
        return true;
    if (!file_open(path, O_RDONLY, 0, &fd, e))
        return false;
    if (f->fd < 0)
        f->fd = fd;
    else
        file_close(fd); /* another fiber was faster */
    return true;
}

SUSPENDS bool text_read(const struct text_files *t, const struct text_place *p, const char *id,
                        struct buf *bytes, struct str *prefix, struct str *body, struct err *e)
{
    struct text_place place = *p;
    char *path = file_path(t, place.file->number);
    size_t got = 0;
    place.file->users++;
    bool ok = open_file(t, place.file, path, e) &&
              file_read_at(place.file->fd, buf_reserve(bytes, place.size), place.size, place.offset,
                           &got, path, e);
    place.file->users--;
    bytes->n += got;
    if (ok && !text_decode(buf_str(bytes), id, prefix, body))
        ok = err_set(e, ERR_SYNTAX, "%s: the text at %u is damaged", path, place.offset);
    free(path);
    return ok;
}

/* --- the end --- */

void text_files_let_go(struct text_files *t, lsn upto)
{
    for (struct text_file *f = t->first; f; f = f->next)
        if (f != t->current && f->live == 0 && f->users == 0 && f->free_after == 0)
            f->free_after = upto;
}

static void unlink_file(void *arg)
{
    struct write_job *j = arg;
    j->ok = disk_unlink(j->path, &j->error);
}

SUSPENDS bool text_files_remove_free(struct text_files *t, lsn checkpointed, struct err *e)
{
    for (struct text_file *f = t->first, *next; f; f = next) {
        next = f->next;
        if (f->free_after == 0 || f->free_after > checkpointed || f->users > 0)
            continue;
        struct write_job j = {.path = file_path(t, f->number)};
        worker_run(WORKER_DISK, unlink_file, &j);
        free(j.path);
        if (!j.ok)
            return err_set(e, j.error.kind, "%s", j.error.text);
        next = f->next;
        file_free(t, f);
    }
    return true;
}
