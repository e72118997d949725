/*
 * The compressed file and its index are written under other names and renamed, the index first, so
 * that a file is never without one; then the lines go. A crash in between leaves both forms, of
 * which the compressed one counts. It is synced before that, the only time that the store syncs: a
 * power cut may cost the events of the last seconds, but not those of an hour.
 *
 * A lost index is made of the file again: a member is a block. Behind a damaged member the next one
 * is found by its header, which is the same ten bytes for all.
 */
#include "trace/pack.h"

#include "core/disk.h"
#include "core/mem.h"
#include "trace/block.h"
#include "trace/limits.h"
#include "trace/volume.h"

#include <stdlib.h>
#include <zlib.h>

#define GZIP_WINDOW 31 /* of 32 KB, with a gzip header */
#define LEVEL       6

struct files {
    struct buf lines, index, packed, packed_index, packed_new, packed_index_new;
};

static void name_files(struct files *f, const char *dir, uint32_t number)
{
    *f = (struct files){0};
    volume_add_path(&f->lines, dir, number, VOLUME_LINES);
    volume_add_path(&f->index, dir, number, VOLUME_INDEX);
    volume_add_path(&f->packed, dir, number, VOLUME_PACKED);
    volume_add_path(&f->packed_index, dir, number, VOLUME_PACKED_INDEX);
    buf_printf(&f->packed_new, "%s.tmp", buf_c(&f->packed));
    buf_printf(&f->packed_index_new, "%s.tmp", buf_c(&f->packed_index));
    buf_c(&f->lines);
    buf_c(&f->index);
    buf_c(&f->packed_index);
}

static void free_files(struct files *f)
{
    buf_free(&f->lines);
    buf_free(&f->index);
    buf_free(&f->packed);
    buf_free(&f->packed_index);
    buf_free(&f->packed_new);
    buf_free(&f->packed_index_new);
}

bool pack_is_packed(const char *dir, uint32_t number)
{
    struct buf path = BUF_EMPTY;
    struct stat st;
    volume_add_path(&path, dir, number, VOLUME_PACKED);
    bool is = disk_stat(buf_c(&path), &st, NULL);
    buf_free(&path);
    return is;
}

/* --- compressing --- */

struct packing {
    const char *from_path, *to_path;
    int from, to;
    z_stream z;
    struct buf index;
    struct buf text, member;
};

static bool deflate_block(struct packing *p, struct err *e)
{
    size_t most = deflateBound(&p->z, p->text.n);
    buf_clear(&p->member);
    buf_reserve(&p->member, most);
    deflateReset(&p->z);
    p->z.next_in = (unsigned char *)p->text.p;
    p->z.avail_in = (unsigned)p->text.n;
    p->z.next_out = (unsigned char *)p->member.p;
    p->z.avail_out = (unsigned)most;
    if (deflate(&p->z, Z_FINISH) != Z_STREAM_END)
        return err_set(e, ERR_IO, "%s cannot be compressed", p->from_path);
    p->member.n = most - p->z.avail_out;
    return true;
}

static bool pack_block(struct packing *p, const struct index_entry *entry, struct err *e)
{
    size_t got;
    struct index_entry packed = *entry;
    buf_clear(&p->text);
    if (!disk_read_at(p->from, buf_reserve(&p->text, entry->size), entry->size, entry->offset, &got,
                      p->from_path, e))
        return false;
    p->text.n = got;
    if (got < entry->size)
        return err_set(e, ERR_IO, "%s has become shorter", p->from_path);
    if (!deflate_block(p, e) || !disk_write(p->to, p->member.p, p->member.n, p->to_path, e))
        return false;
    packed.stored = (uint32_t)p->member.n;
    block_index_add_entry(&p->index, &packed);
    return true;
}

static bool pack_blocks(struct packing *p, const struct block_index *x, uint32_t number,
                        bool (*is_urgent)(void *arg), void *arg, struct err *e)
{
    if (deflateInit2(&p->z, LEVEL, Z_DEFLATED, GZIP_WINDOW, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return err_set(e, ERR_TEMP, "no memory for compressing");
    bool ok = true;
    block_index_add_header(&p->index, number, true);
    for (size_t i = 0; ok && i < x->count; i++) {
        ok = pack_block(p, &x->entries[i], e);
        if (ok && is_urgent(arg))
            ok = err_set(e, ERR_CANCELLED, "there is more urgent work");
    }
    deflateEnd(&p->z);
    return ok;
}

static bool write_file(const char *path, struct str content, struct err *e)
{
    int fd;
    if (!disk_open(path, O_WRONLY | O_CREAT | O_TRUNC, 0640, &fd, e))
        return false;
    bool ok = disk_write(fd, content.p, content.n, path, e);
    disk_close(fd);
    return ok;
}

/* Both are there under their other names. */
static bool put_in_place(const struct files *f, const struct stat *st, struct err *e)
{
    disk_set_times(f->packed_new.p, st->st_mtim.tv_sec * USEC_SEC, NULL);
    if (!disk_rename(f->packed_index_new.p, f->packed_index.p, e) ||
        !disk_rename(f->packed_new.p, f->packed.p, e))
        return false;
    disk_unlink(f->lines.p, NULL);
    disk_unlink(f->index.p, NULL);
    return true;
}

static bool pack_open(struct packing *p, const struct files *f, const struct block_index *x,
                      uint32_t number, bool (*is_urgent)(void *arg), void *arg, struct err *e)
{
    p->from_path = f->lines.p;
    p->to_path = f->packed_new.p;
    return disk_open(p->to_path, O_WRONLY | O_CREAT | O_TRUNC, 0640, &p->to, e) &&
           pack_blocks(p, x, number, is_urgent, arg, e) && disk_sync(p->to, p->to_path, e) &&
           write_file(f->packed_index_new.p, buf_str(&p->index), e);
}

bool pack_volume(const char *dir, uint32_t number, bool (*is_urgent)(void *arg), void *arg,
                 struct err *e)
{
    struct files f;
    struct packing p = {.from = -1, .to = -1};
    struct block_index x = {0};
    struct stat st;
    name_files(&f, dir, number);
    bool ok = disk_open(f.lines.p, O_RDONLY, 0, &p.from, e) &&
              disk_stat_open(p.from, &st, f.lines.p, e) &&
              block_index_read(&x, f.index.p, number, false, (uint64_t)st.st_size, e);
    if (ok && x.covered != (uint64_t)st.st_size)
        ok = err_set(e, ERR_IO, "%s is not complete", f.index.p);
    ok = ok && pack_open(&p, &f, &x, number, is_urgent, arg, e) && put_in_place(&f, &st, e);
    if (!ok) {
        disk_unlink(f.packed_new.p, NULL);
        disk_unlink(f.packed_index_new.p, NULL);
    }
    disk_close(p.from);
    disk_close(p.to);
    buf_free(&p.index);
    buf_free(&p.text);
    buf_free(&p.member);
    block_index_free(&x);
    free_files(&f);
    return ok;
}

/* --- reading --- */

/* *used: bytes of the member. */
static bool inflate_member(struct str stored, char *out, size_t room, size_t *size, size_t *used)
{
    z_stream z = {.next_in = (unsigned char *)(uintptr_t)stored.p,
                  .avail_in = (unsigned)stored.n,
                  .next_out = (unsigned char *)out,
                  .avail_out = (unsigned)room};
    if (inflateInit2(&z, GZIP_WINDOW) != Z_OK)
        return false;
    bool ok = inflate(&z, Z_FINISH) == Z_STREAM_END;
    *size = room - z.avail_out;
    *used = stored.n - z.avail_in;
    inflateEnd(&z);
    return ok;
}

bool pack_inflate(struct str stored, char *out, size_t size)
{
    size_t got, used;
    return inflate_member(stored, out, size, &got, &used) && got == size && used == stored.n;
}

/* --- making the index again --- */

static void add_member(struct block *b, struct str text, size_t stored, struct buf *index)
{
    struct buf filter = BUF_EMPTY;
    for (size_t at = 0; at < text.n;) {
        const char *end = memchr(text.p + at, '\n', text.n - at);
        size_t n = end ? (size_t)(end - text.p) + 1 - at : text.n - at;
        block_add(b, str_from(text.p + at, n));
        at += n;
    }
    struct index_entry e = block_entry(b, &filter);
    e.stored = (uint32_t)stored;
    block_index_add_entry(index, &e);
    block_begin(b, b->offset + b->size);
    buf_free(&filter);
}

/* Behind what is damaged: where the next member may begin. */
static size_t next_member(struct str bytes, size_t at)
{
    static const char header[10] = {0x1f, (char)0x8b, 8, 0, 0, 0, 0, 0, 0, 3};
    const char *p =
        at < bytes.n ? memmem(bytes.p + at, bytes.n - at, header, sizeof(header)) : NULL;
    return p ? (size_t)(p - bytes.p) : bytes.n;
}

/* Members that cannot be read count as blocks of one byte without a filter, so that those behind
 * them have their place. */
static void add_damaged(struct block *b, size_t stored, struct buf *index)
{
    struct index_entry e = {.offset = b->offset, .size = 1, .stored = (uint32_t)stored};
    block_index_add_entry(index, &e);
    block_begin(b, b->offset + 1);
}

static void make_index(struct buf *index, struct str bytes, uint32_t number)
{
    struct block *b = MEM_NEW(struct block);
    char *text = mem_alloc(TRACE_BLOCK_MAX);
    block_begin(b, 0);
    block_index_add_header(index, number, true);
    for (size_t at = 0; at < bytes.n;) {
        size_t size, used;
        if (inflate_member(str_skip(bytes, at), text, TRACE_BLOCK_MAX, &size, &used) && size > 0) {
            add_member(b, str_from(text, size), used, index);
            at += used;
        } else {
            size_t next = next_member(bytes, at + 1);
            add_damaged(b, next - at, index);
            at = next;
        }
    }
    free(text);
    free(b);
}

static bool is_complete(const struct block_index *x, uint64_t size)
{
    const struct index_entry *last = x->count > 0 ? &x->entries[x->count - 1] : NULL;
    return x->valid > 0 && x->valid == x->bytes.n && (last ? last->at + last->stored : 0) == size;
}

bool pack_read_index(struct block_index *x, int fd, const char *path, const char *index_path,
                     uint32_t number, bool *made, struct err *e)
{
    struct buf bytes = BUF_EMPTY;
    uint64_t size = 0;
    size_t got;
    disk_size(fd, &size);
    *made = false;
    block_index_read(x, index_path, number, true, size, NULL);
    if (is_complete(x, size))
        return true;
    if (size > TRACE_FILE_MAX)
        return err_set(e, ERR_LIMIT, "%s is too large to be one of the store's", path);
    if (!disk_read_at(fd, buf_reserve(&bytes, (size_t)size + 1), (size_t)size, 0, &got, path, e)) {
        buf_free(&bytes);
        return false;
    }
    buf_clear(&x->bytes);
    make_index(&x->bytes, str_from(bytes.p, got), number);
    block_index_parse(x, number, true, size);
    buf_free(&bytes);
    *made = true;
    return true;
}

static bool has_lines(const struct block_index *x)
{
    for (size_t i = 0; i < x->count; i++)
        if (x->entries[i].lines > 0)
            return true;
    return false;
}

static bool mend(const struct files *f, uint32_t number, bool *mended, struct err *e)
{
    struct block_index x = {0};
    int fd;
    if (!disk_open(f->packed.p, O_RDONLY, 0, &fd, e))
        return false;
    bool ok = pack_read_index(&x, fd, f->packed.p, f->packed_index.p, number, mended, e);
    if (ok && *mended && !has_lines(&x))
        ok = err_set(e, ERR_IO, "%s has no lines of a log", f->packed.p);
    else if (ok && *mended)
        ok = write_file(f->packed_index_new.p, buf_str(&x.bytes), e) &&
             disk_rename(f->packed_index_new.p, f->packed_index.p, e);
    disk_close(fd);
    block_index_free(&x);
    return ok;
}

bool pack_mend(const char *dir, uint32_t number, bool *mended, struct err *e)
{
    struct files f;
    name_files(&f, dir, number);
    disk_unlink(f.packed_new.p, NULL);
    disk_unlink(f.packed_index_new.p, NULL);
    bool ok = mend(&f, number, mended, e);
    if (ok) {
        disk_unlink(f.lines.p, NULL);
        disk_unlink(f.index.p, NULL);
    }
    free_files(&f);
    return ok;
}
