/*
 * The file of summaries: its format, and what workers do with it.
 *
 *   file    "maild-cache\n" and 4 bytes of zero, u32 version, u32 UIDVALIDITY, 16 bytes of GUID,
 *           u32 CRC-32C of that, zeros up to SUMMARY_FILE_HEADER
 *   block   u32 magic, u32 CRC-32C of the rest of the header, u32 size of the header, u32 number of
 *           messages, u64 size of the block, u32 number of columns, u32 zero; for each column u32
 *           offset in the block, u32 size, u32 CRC-32C; for each message u32 UID, u64 size;
 *           the columns; zeros up to a multiple of 8
 *   column  for each message u32 end of its bytes behind these numbers; the bytes
 *
 * Numbers are little-endian.
 */
#include "store/summary_file.h"

#include "core/crc32c.h"
#include "core/disk.h"
#include "core/mem.h"
#include "store/limits.h"

#include <assert.h>
#include <fcntl.h>
#include <stdlib.h>

static const char file_magic[16] = "maild-cache\n";

#define BLOCK_MAGIC 0x314b4c42u /* "BLK1" */
#define BLOCK_FIXED 32
#define COLUMN_SIZE 12
#define ENTRY_SIZE  12
#define BLOCK_MAX   ((uint64_t)1 << 31)

static uint32_t checksum(struct str s)
{
    return crc32c(0, s.p, s.n);
}

static void put_u32(char *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (char)(v >> 8 * i);
}

static uint32_t get_u32(const char *p)
{
    const unsigned char *u = (const unsigned char *)p;
    return (uint32_t)u[0] | (uint32_t)u[1] << 8 | (uint32_t)u[2] << 16 | (uint32_t)u[3] << 24;
}

/* --- the file's header --- */

void summary_file_header(struct buf *b, const struct summary_identity *id)
{
    size_t start = b->n;

    buf_add(b, file_magic, sizeof(file_magic));
    buf_add_u32(b, SUMMARY_FILE_VERSION);
    buf_add_u32(b, id->uid_validity);
    buf_add(b, id->guid, GUID_SIZE);
    buf_add_u32(b, checksum(str_skip(buf_str(b), start)));
    while (b->n - start < SUMMARY_FILE_HEADER)
        buf_add_char(b, 0);
}

bool summary_file_is(struct str header, const struct summary_identity *id)
{
    struct buf right = BUF_EMPTY;

    summary_file_header(&right, id);
    bool is = str_equal(str_head(header, SUMMARY_FILE_HEADER), buf_str(&right));
    buf_free(&right);
    return is;
}

/* --- blocks --- */

static void add_column(struct buf *b, const struct summary_entry *entries, size_t count,
                       size_t field)
{
    size_t end = 0;

    for (size_t i = 0; i < count; i++) {
        end += entries[i].record->fields[field].n;
        buf_add_u32(b, (uint32_t)end);
    }
    for (size_t i = 0; i < count; i++)
        buf_add_str(b, entries[i].record->fields[field]);
}

void summary_block_format(struct buf *b, const struct summary_entry *entries, size_t count)
{
    size_t start = b->n, columns = start + BLOCK_FIXED;
    size_t head = BLOCK_FIXED + SUMMARY_FIELDS * COLUMN_SIZE + count * ENTRY_SIZE, bytes = head;

    assert(count <= SUMMARY_BLOCK && head <= SUMMARY_HEAD_MAX);
    for (size_t i = 0; i < count; i++)
        bytes += summary_record_size(entries[i].record) + 4 * SUMMARY_FIELDS;
    memset(buf_reserve(b, bytes + 8), 0, head);
    b->n += BLOCK_FIXED + SUMMARY_FIELDS * COLUMN_SIZE;
    for (size_t i = 0; i < count; i++) {
        buf_add_u32(b, entries[i].uid);
        buf_add_u64(b, entries[i].size);
    }
    for (size_t f = 0; f < SUMMARY_FIELDS; f++, columns += COLUMN_SIZE) {
        size_t at = b->n;
        add_column(b, entries, count, f);
        put_u32(b->p + columns, (uint32_t)(at - start));
        put_u32(b->p + columns + 4, (uint32_t)(b->n - at));
        put_u32(b->p + columns + 8, checksum(str_skip(buf_str(b), at)));
    }
    while ((b->n - start) % 8 != 0)
        buf_add_char(b, 0);
    assert(b->n - start < BLOCK_MAX);
    char *p = b->p + start;
    put_u32(p, BLOCK_MAGIC);
    put_u32(p + 8, (uint32_t)head);
    put_u32(p + 12, (uint32_t)count);
    put_u32(p + 16, (uint32_t)(b->n - start));
    put_u32(p + 24, SUMMARY_FIELDS);
    put_u32(p + 4, checksum(str_from(p + 8, head - 8)));
}

/* Each column lies behind the header, within the block, and has its numbers. */
static bool read_columns(struct reader *r, uint32_t head, struct summary_block *block)
{
    for (size_t f = 0; f < SUMMARY_FIELDS; f++) {
        uint32_t offset = read_u32(r), length = read_u32(r);
        block->columns[f].offset = offset;
        block->columns[f].length = length;
        block->columns[f].checksum = read_u32(r);
        if (offset < head || offset > block->length || length > block->length - offset ||
            length < 4 * block->count)
            return false;
    }
    return true;
}

bool summary_block_parse(struct str head, uint64_t at, struct summary_block *block)
{
    struct reader r = {.p = head.p, .n = head.n};
    uint32_t magic = read_u32(&r), sum = read_u32(&r), length = read_u32(&r);

    block->at = at;
    block->count = read_u32(&r);
    block->length = read_u64(&r);
    uint32_t columns = read_u32(&r);
    read_u32(&r);
    if (r.bad || magic != BLOCK_MAGIC || columns != SUMMARY_FIELDS || block->count == 0 ||
        block->count > SUMMARY_BLOCK || block->length >= BLOCK_MAX || block->length % 8 != 0 ||
        length != BLOCK_FIXED + SUMMARY_FIELDS * COLUMN_SIZE + block->count * ENTRY_SIZE ||
        length > head.n || checksum(str_from(head.p + 8, length - 8)) != sum ||
        !read_columns(&r, length, block))
        return false;
    for (uint32_t i = 0; i < block->count; i++) {
        block->uids[i] = read_u32(&r);
        block->sizes[i] = read_u64(&r);
    }
    return !r.bad;
}

bool summary_column_check(const struct summary_block *block, unsigned field, struct str bytes)
{
    uint32_t before = 0, room = block->columns[field].length - 4 * block->count;

    if (bytes.n != block->columns[field].length ||
        checksum(bytes) != block->columns[field].checksum)
        return false;
    for (uint32_t i = 0; i < block->count; i++) {
        uint32_t end = get_u32(bytes.p + 4 * i);
        if (end < before || end > room)
            return false;
        before = end;
    }
    return true;
}

struct str summary_column_get(const struct summary_block *block, struct str bytes, uint32_t at)
{
    uint32_t start = at > 0 ? get_u32(bytes.p + 4 * (at - 1)) : 0, end = get_u32(bytes.p + 4 * at);
    return str_from(bytes.p + 4 * block->count + start, end - start);
}

/* --- reading all headers --- */

static void keep_block(struct summary_blocks *b, const struct summary_block *block)
{
    b->list = mem_grow(b->list, b->count, &b->capacity, sizeof(*b->list), 16);
    b->list[b->count++] = *block;
}

static void load_blocks(int fd, const char *path, struct summary_blocks *blocks)
{
    char *head = mem_alloc(SUMMARY_HEAD_MAX);
    struct summary_block *block = MEM_NEW(struct summary_block);
    size_t got = 0;

    while (disk_read_at(fd, head, SUMMARY_HEAD_MAX, blocks->end, &got, path, NULL) && got > 0) {
        if (!summary_block_parse(str_from(head, got), blocks->end, block)) {
            disk_truncate(fd, blocks->end, path, NULL);
            break;
        }
        keep_block(blocks, block);
        blocks->end += block->length;
    }
    free(block);
    free(head);
}

void summary_file_load(const char *path, const struct summary_identity *id,
                       struct summary_blocks *blocks)
{
    char header[SUMMARY_FILE_HEADER];
    size_t got = 0;
    int fd;

    *blocks = (struct summary_blocks){0};
    if (!disk_open(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK, 0, &fd, NULL))
        return;
    if (disk_read_at(fd, header, sizeof(header), 0, &got, path, NULL) &&
        summary_file_is(str_from(header, got), id)) {
        blocks->end = SUMMARY_FILE_HEADER;
        load_blocks(fd, path, blocks);
    }
    disk_close(fd);
}

void summary_blocks_free(struct summary_blocks *b)
{
    free(b->list);
    *b = (struct summary_blocks){0};
}

/* --- writing --- */

static bool write_at(int fd, const char *path, const struct buf *b, uint64_t at, struct err *e)
{
    struct iovec iov = {b->p, b->n};
    return disk_write_at(fd, &iov, 1, at, path, e);
}

/* A file that is there and of no use goes first. */
static bool make_file(const char *path, int *fd, struct err *e)
{
    return disk_unlink(path, e) &&
           disk_open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600, fd, e);
}

/* Is it still the file that was loaded, or has somebody put another there? */
static bool open_again(const char *path, const struct summary_identity *id, uint64_t end, int *fd,
                       struct err *e)
{
    char header[SUMMARY_FILE_HEADER];
    struct stat st;
    size_t got = 0;

    if (!disk_open(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK, 0, fd, e))
        return false;
    if (disk_read_at(*fd, header, sizeof(header), 0, &got, path, e) &&
        summary_file_is(str_from(header, got), id) && disk_stat(path, &st, e) &&
        (uint64_t)st.st_size >= end)
        return true;
    disk_close(*fd);
    return err_set(e, ERR_NOT_FOUND, "%s is another file", path);
}

bool summary_file_append(const char *path, const struct summary_identity *id,
                         const struct summary_entry *entries, size_t count, uint64_t *end,
                         uint64_t *at, struct err *e)
{
    struct buf b = BUF_EMPTY;
    bool fresh = *end == 0;
    int fd;

    if (!(fresh ? make_file(path, &fd, e) : open_again(path, id, *end, &fd, e)))
        return false;
    if (fresh)
        summary_file_header(&b, id);
    *at = *end + b.n;
    summary_block_format(&b, entries, count);
    bool ok = write_at(fd, path, &b, *end, e);
    if (ok)
        *end += b.n;
    else if (fresh)
        disk_unlink(path, NULL);
    else
        disk_truncate(fd, *end, path, NULL);
    disk_close(fd);
    buf_free(&b);
    return ok;
}

/* --- writing anew --- */

#define COMPACT_CACHE 16

/* A whole block in memory. */
struct loaded {
    struct summary_block head;
    struct buf bytes;
};

struct compaction {
    const char *path;
    int from, to;
    struct loaded cache[COMPACT_CACHE];
    size_t cached; /* the next to be replaced */
    struct summary_entry entries[SUMMARY_BLOCK];
    struct summary_move *moved[SUMMARY_BLOCK];
    size_t count, bytes;
    uint64_t end;
    size_t blocks;
};

static struct str column_of(const struct loaded *l, size_t field)
{
    return str_from(l->bytes.p + l->head.columns[field].offset, l->head.columns[field].length);
}

static bool load_block(struct compaction *c, uint64_t at, struct loaded *l)
{
    char *head = mem_alloc(SUMMARY_HEAD_MAX);
    size_t got = 0;

    buf_clear(&l->bytes);
    l->head.at = 0;
    bool ok = disk_read_at(c->from, head, SUMMARY_HEAD_MAX, at, &got, c->path, NULL) &&
              summary_block_parse(str_from(head, got), at, &l->head);
    free(head);
    size_t length = ok ? (size_t)l->head.length : 0;
    ok = ok &&
         disk_read_at(c->from, buf_reserve(&l->bytes, length), length, at, &got, c->path, NULL) &&
         got == length;
    for (size_t f = 0; ok && f < SUMMARY_FIELDS; f++)
        ok = summary_column_check(&l->head, (unsigned)f, column_of(l, f));
    l->head.at = ok ? at : 0;
    return ok;
}

static const struct loaded *find_block(struct compaction *c, uint64_t at)
{
    for (size_t i = 0; i < COMPACT_CACHE; i++) {
        if (at > 0 && c->cache[i].head.at == at)
            return &c->cache[i];
    }
    struct loaded *l = &c->cache[c->cached++ % COMPACT_CACHE];
    return load_block(c, at, l) ? l : NULL;
}

static bool write_block(struct compaction *c, struct err *e)
{
    struct buf b = BUF_EMPTY;

    if (c->count == 0)
        return true;
    summary_block_format(&b, c->entries, c->count);
    bool ok = write_at(c->to, c->path, &b, c->end, e);
    for (size_t i = 0; i < c->count; i++) {
        c->moved[i]->to = c->end << 8 | i;
        free(c->entries[i].record);
    }
    c->end += b.n;
    c->blocks++;
    c->count = c->bytes = 0;
    buf_free(&b);
    return ok;
}

static bool move(struct compaction *c, struct summary_move *m, struct err *e)
{
    const struct loaded *l = find_block(c, m->from >> 8);
    uint32_t at = m->from & 255;
    struct summary_record record;

    if (!l || at >= l->head.count || l->head.uids[at] != m->uid || l->head.sizes[at] != m->size)
        return true;
    for (size_t f = 0; f < SUMMARY_FIELDS; f++)
        record.fields[f] = summary_column_get(&l->head, column_of(l, f), at);
    c->entries[c->count] = (struct summary_entry){
        .uid = m->uid, .size = m->size, .record = summary_record_copy(&record)};
    c->moved[c->count++] = m;
    c->bytes += summary_record_size(&record);
    return (c->count < SUMMARY_BLOCK && c->bytes < SUMMARY_BLOCK_BYTES) || write_block(c, e);
}

static bool compact(struct compaction *c, const struct summary_identity *id,
                    struct summary_move *moves, size_t count, struct err *e)
{
    struct buf header = BUF_EMPTY;

    summary_file_header(&header, id);
    bool ok = write_at(c->to, c->path, &header, 0, e);
    c->end = header.n;
    buf_free(&header);
    for (size_t i = 0; i < count && ok; i++)
        ok = move(c, &moves[i], e);
    ok = ok && write_block(c, e);
    for (size_t i = 0; i < c->count; i++)
        free(c->entries[i].record);
    for (size_t i = 0; i < COMPACT_CACHE; i++)
        buf_free(&c->cache[i].bytes);
    return ok;
}

bool summary_file_compact(const char *path, const struct summary_identity *id,
                          struct summary_move *moves, size_t count, uint64_t *end, size_t *blocks,
                          struct err *e)
{
    struct buf temporary = BUF_EMPTY;
    struct compaction *c = MEM_NEW(struct compaction);

    buf_printf(&temporary, "%s.tmp", path);
    buf_c(&temporary);
    c->path = path;
    c->to = -1;
    bool ok = disk_open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0, &c->from, e) &&
              make_file(temporary.p, &c->to, e) && compact(c, id, moves, count, e) &&
              disk_rename(temporary.p, path, e);
    disk_close(c->from);
    disk_close(c->to);
    if (!ok)
        disk_unlink(temporary.p, NULL);
    *end = c->end;
    *blocks = c->blocks;
    free(c);
    buf_free(&temporary);
    return ok;
}
