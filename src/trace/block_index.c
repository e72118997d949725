/*
 * Entries are appended as blocks become full, never changed and never synced. Each has a checksum,
 * so a torn or rotten one is noticed; behind it nothing counts, and the lines from there on are
 * looked through one by one. An index is never needed: it can be made of the lines.
 */
#include "trace/block_index.h"

#include "core/crc32c.h"
#include "core/disk.h"
#include "core/mem.h"
#include "trace/limits.h"

#include <stdlib.h>

#define HEADER_SIZE 24
#define ENTRY_SIZE  56 /* in front of the filter */
#define ENTRY_MAGIC 0x4b4c4254u
#define VERSION     1

static const char magic[12] = "maild trace\n";

/* The checksum of what is behind it. */
static void fill_checksum(struct buf *b, size_t at)
{
    uint32_t sum = crc32c(0, b->p + at + 4, b->n - at - 4);
    for (int i = 0; i < 4; i++)
        b->p[at + (size_t)i] = (char)(sum >> 8 * i);
}

void block_index_add_header(struct buf *b, uint32_t number, bool compressed)
{
    buf_add(b, magic, sizeof(magic));
    size_t at = b->n;
    buf_add_u32(b, 0);
    buf_add_u16(b, VERSION);
    buf_add_u16(b, compressed);
    buf_add_u32(b, number);
    fill_checksum(b, at);
}

void block_index_add_entry(struct buf *b, const struct index_entry *entry)
{
    buf_add_u32(b, ENTRY_MAGIC);
    size_t at = b->n;
    buf_add_u32(b, 0);
    buf_add_u64(b, entry->offset);
    buf_add_u32(b, entry->size);
    buf_add_u32(b, entry->stored);
    buf_add_u32(b, entry->checksum);
    buf_add_u32(b, entry->lines);
    buf_add_u64(b, (uint64_t)entry->first);
    buf_add_u64(b, (uint64_t)entry->last);
    buf_add_u32(b, (uint32_t)entry->filter.n);
    buf_add_u32(b, 0);
    buf_add(b, entry->filter.p, entry->filter.n);
    fill_checksum(b, at);
}

static bool is_header(struct str bytes, uint32_t number, bool compressed)
{
    struct buf right = BUF_EMPTY;
    block_index_add_header(&right, number, compressed);
    bool ok = str_equal(str_head(bytes, HEADER_SIZE), buf_str(&right));
    buf_free(&right);
    return ok;
}

static bool take_entry(struct reader *r, struct index_entry *entry)
{
    const char *from = r->p;
    if (read_u32(r) != ENTRY_MAGIC)
        return false;
    uint32_t sum = read_u32(r);
    entry->offset = read_u64(r);
    entry->size = read_u32(r);
    entry->stored = read_u32(r);
    entry->checksum = read_u32(r);
    entry->lines = read_u32(r);
    entry->first = (usec)read_u64(r);
    entry->last = (usec)read_u64(r);
    size_t filter = read_u32(r);
    read_u32(r);
    if (r->bad || filter > r->n)
        return false;
    entry->filter = str_from(r->p, filter);
    r->p += filter;
    r->n -= filter;
    return crc32c(0, from + 8, ENTRY_SIZE - 8 + filter) == sum;
}

/* stored: bytes of the file in front of it. */
static bool follows(const struct block_index *x, const struct index_entry *entry, uint64_t stored,
                    bool compressed, uint64_t size)
{
    return entry->offset == x->covered && entry->size > 0 && entry->size <= TRACE_BLOCK_MAX &&
           entry->stored > 0 && stored + entry->stored <= size &&
           (compressed || entry->stored == entry->size);
}

void block_index_parse(struct block_index *x, uint32_t number, bool compressed, uint64_t size)
{
    struct reader r = {.p = x->bytes.p, .n = x->bytes.n};
    uint64_t stored = 0;
    size_t room = 0;
    free(x->entries);
    x->entries = NULL;
    x->count = x->valid = 0;
    x->covered = 0;
    if (r.n < HEADER_SIZE || !is_header(buf_str(&x->bytes), number, compressed))
        return;
    r.p += HEADER_SIZE;
    r.n -= HEADER_SIZE;
    x->valid = HEADER_SIZE;
    struct index_entry entry;
    while (r.n >= ENTRY_SIZE && take_entry(&r, &entry) &&
           follows(x, &entry, stored, compressed, size)) {
        x->entries = mem_grow(x->entries, x->count, &room, sizeof(*x->entries), 64);
        entry.at = stored;
        x->entries[x->count++] = entry;
        x->covered += entry.size;
        stored += entry.stored;
        x->valid = x->bytes.n - r.n;
    }
}

bool block_index_read(struct block_index *x, const char *path, uint32_t number, bool compressed,
                      uint64_t size, struct err *e)
{
    buf_clear(&x->bytes);
    bool ok = disk_read_file(path, TRACE_INDEX_MAX, &x->bytes, e);
    if (!ok)
        buf_clear(&x->bytes);
    block_index_parse(x, number, compressed, size);
    return ok;
}

void block_index_free(struct block_index *x)
{
    buf_free(&x->bytes);
    free(x->entries);
    *x = (struct block_index){0};
}
