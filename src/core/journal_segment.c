/*
 * Segment files: "segment-NUMBER", all of one size, written full with zeros and synced once when
 * they are made, then used over and over. A sync of a later write has no metadata to write.
 *
 * A segment in use begins with a header block: magic, version, sequence number of the use, position
 * of its first record, a salt, checksum. The salt is chance and goes into the checksum of every
 * record, so that what a sender puts into a message can never be taken for a record, whatever a
 * crash leaves behind.
 */
#include "core/crc32c.h"
#include "core/disk.h"
#include "core/journal_private.h"
#include "core/mem.h"

#include <fcntl.h>
#include <stdlib.h>

#define MAGIC        "MAILDJNL"
#define VERSION      1
#define HEADER_BYTES 36 /* before the checksum */
#define ZERO_BLOCK   ((size_t)64 * 1024)
#define ZERO_BLOCKS  16 /* written by one call */

void segment_list_append(struct segment_list *list, struct segment *s)
{
    s->next = NULL;
    if (list->last)
        list->last->next = s;
    else
        list->first = s;
    list->last = s;
    list->count++;
}

struct segment *segment_list_take(struct segment_list *list)
{
    struct segment *s = list->first;
    if (!s)
        return NULL;
    list->first = s->next;
    if (!list->first)
        list->last = NULL;
    list->count--;
    s->next = NULL;
    return s;
}

struct segment *segment_new(const char *dir, uint64_t number, uint64_t size)
{
    struct segment *s = MEM_NEW(struct segment);
    struct buf path = BUF_EMPTY;
    buf_printf(&path, "%s/segment-%06llu", dir, (unsigned long long)number);
    buf_c(&path);
    s->path = path.p;
    s->fd = -1;
    s->size = size;
    return s;
}

void segment_free(struct segment *s)
{
    disk_close(s->fd);
    free(s->path);
    free(s->damaged);
    free(s->report);
    free(s);
}

static bool write_zeros(int fd, uint64_t size, const char *path, struct err *e)
{
    char *zeros = mem_zero(ZERO_BLOCK);
    struct iovec blocks[ZERO_BLOCKS];
    bool ok = true;
    for (uint64_t done = 0; ok && done < size;) {
        int count = 0;
        uint64_t offset = done;
        for (; count < ZERO_BLOCKS && done < size; count++) {
            size_t n = size - done < ZERO_BLOCK ? (size_t)(size - done) : ZERO_BLOCK;
            blocks[count] = (struct iovec){zeros, n};
            done += n;
        }
        ok = disk_write_at(fd, blocks, count, offset, path, e);
    }
    free(zeros);
    return ok && disk_sync(fd, path, e);
}

bool segment_create(struct segment *s, const char *dir, struct err *e)
{
    struct buf temporary = BUF_EMPTY;
    buf_printf(&temporary, "%s.new", s->path);
    const char *path = buf_c(&temporary);
    int fd;
    bool ok = disk_open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600, &fd, e);
    if (ok) {
        ok = write_zeros(fd, s->size, path, e);
        disk_close(fd);
        ok = ok && disk_rename(path, s->path, e) && disk_sync_dir(dir, e) && segment_open(s, e);
        if (!ok)
            disk_unlink(path, NULL);
    }
    buf_free(&temporary);
    return ok;
}

bool segment_open(struct segment *s, struct err *e)
{
    /* Not every file system can go past the page cache. */
    return disk_open(s->path, O_RDWR | O_DIRECT, 0, &s->fd, NULL) ||
           disk_open(s->path, O_RDWR, 0, &s->fd, e);
}

void segment_header_write(char *block, const struct segment *s, uint64_t salt)
{
    struct buf b = BUF_EMPTY;
    buf_add_c(&b, MAGIC);
    buf_add_u32(&b, VERSION);
    buf_add_u64(&b, s->sequence);
    buf_add_u64(&b, s->first);
    buf_add_u64(&b, salt);
    buf_add_u32(&b, crc32c(0, b.p, b.n));
    memset(block, 0, JOURNAL_BLOCK);
    memcpy(block, b.p, b.n);
    buf_free(&b);
}

bool segment_header_read(const char *block, struct segment *s)
{
    struct reader r = {.p = block, .n = JOURNAL_BLOCK};
    if (memcmp(block, MAGIC, 8) != 0)
        return false;
    r.p += 8;
    r.n -= 8;
    uint32_t version = read_u32(&r);
    s->sequence = read_u64(&r);
    s->first = read_u64(&r);
    uint64_t salt = read_u64(&r);
    uint32_t crc = read_u32(&r);
    if (version != VERSION || crc != crc32c(0, block, HEADER_BYTES) || s->sequence == 0) {
        s->sequence = 0;
        return false;
    }
    s->seed = journal_seed(salt);
    return true;
}
