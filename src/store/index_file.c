/*
 * Reading and writing the index.
 *
 * A block of changes is appended, then the header in front is written over, which says how far the
 * file is complete. What is behind that, when it is whole, was written by a run that ended between
 * the two; when it is not whole, it is nothing. But what is damaged before that point is damage: an
 * unfinished write that a power cut left behind, or a bad disk. Then the content is what the blocks
 * before say, and the caller must not rely on its modification sequences.
 *
 * None of these writes is synced: the journal keeps everything until a checkpoint has synced the
 * file system. Only where there is a good file already, a new one is synced before it takes its
 * name, so that there is the one or the other.
 */
#include "store/index_file.h"

#include "core/disk.h"
#include "core/mem.h"
#include "store/limits.h"

#include <fcntl.h>

static const char *path_of(struct buf *b, const char *dir, const char *name)
{
    buf_clear(b);
    buf_printf(b, "%s/%s", dir, name);
    return buf_c(b);
}

/* --- reading --- */

/* Applies the blocks; true when all that the header speaks of is good. */
static bool read_blocks(struct str bytes, const struct index_header *h, bool have_header,
                        struct mailbox_content *c, struct index_file *f)
{
    struct str rest = str_skip(bytes, INDEX_HEADER_SIZE), payload;
    enum index_block_type type;

    f->length = INDEX_HEADER_SIZE;
    while (index_next_block(&rest, &type, &payload)) {
        if (!index_apply_block(c, type, payload)) {
            mailbox_content_free(c);
            f->length = 0;
            return false;
        }
        f->length = bytes.n - rest.n;
        f->blocks++;
        if (type == INDEX_SNAPSHOT)
            f->snapshot = f->length;
    }
    index_finish(c);
    return have_header && f->length >= h->length;
}

void index_read(const char *dir, struct mailbox_content *c, struct index_loaded *l)
{
    struct buf path = BUF_EMPTY, bytes = BUF_EMPTY;

    *l = (struct index_loaded){0};
    if (disk_read_file(path_of(&path, dir, INDEX_FILE_NAME), INDEX_SIZE_MAX, &bytes, NULL)) {
        bool have_header = index_read_header(buf_str(&bytes), &l->header);
        bool good = read_blocks(buf_str(&bytes), &l->header, have_header, c, &l->file);
        /* A block that the header does not know of yet changed what the header tells. */
        l->file.header_behind = l->file.length != l->header.length;
        l->trust = good ? INDEX_GOOD : INDEX_DAMAGED;
        if (c->uid_validity == 0 && l->trust == INDEX_GOOD)
            l->trust = INDEX_DAMAGED;
        l->file.good = l->trust == INDEX_GOOD;
        /* Not behind the rest of a write that was not finished. */
        l->file.exists = l->file.good && l->file.length == bytes.n;
    }
    buf_free(&path);
    buf_free(&bytes);
}

/* --- writing --- */

/* An empty directory of that name is nobody's. */
static bool take_name(const char *tmp, const char *path, struct err *e)
{
    return disk_rename(tmp, path, e) || (disk_remove_dir(path, NULL) && disk_rename(tmp, path, e));
}

static bool write_anew(struct index_write *w, struct err *e)
{
    struct buf path = BUF_EMPTY, tmp = BUF_EMPTY, header = BUF_EMPTY;
    int fd;

    w->header.length = w->header.snapshot = INDEX_HEADER_SIZE + w->block.n;
    index_add_header(&header, &w->header);
    path_of(&path, w->dir, INDEX_FILE_NAME);
    path_of(&tmp, w->dir, INDEX_FILE_NAME ".tmp");
    bool ok = disk_open(tmp.p, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600, &fd, e);
    if (ok) {
        ok = disk_write(fd, header.p, header.n, tmp.p, e) &&
             disk_write(fd, w->block.p, w->block.n, tmp.p, e) &&
             ((!w->sync && !w->file.good) || disk_sync(fd, tmp.p, e));
        disk_close(fd);
        ok = ok && take_name(tmp.p, path.p, e) && (!w->sync || disk_sync_dir(w->dir, e));
        if (!ok)
            disk_unlink(tmp.p, NULL);
    }
    buf_free(&path);
    buf_free(&tmp);
    buf_free(&header);
    return ok;
}

static bool write_at(const char *path, const struct index_header *h, const struct buf *block,
                     uint64_t at, bool sync, struct err *e)
{
    struct buf header = BUF_EMPTY;
    struct iovec parts[] = {{block ? block->p : NULL, block ? block->n : 0}};
    int fd;

    index_add_header(&header, h);
    struct iovec head = {header.p, header.n};
    bool ok = disk_open(path, O_WRONLY | O_NOFOLLOW, 0600, &fd, e);
    if (ok) {
        ok = (!block || disk_write_at(fd, parts, 1, at, path, e)) &&
             disk_write_at(fd, &head, 1, 0, path, e) && (!sync || disk_sync(fd, path, e));
        disk_close(fd);
    }
    buf_free(&header);
    return ok;
}

static bool append(struct index_write *w, struct err *e)
{
    struct buf path = BUF_EMPTY;
    struct stat st;

    path_of(&path, w->dir, INDEX_FILE_NAME);
    w->header.length = w->file.length + w->block.n;
    w->header.snapshot = w->file.snapshot;
    /* Somebody's hand, or the rest of a write that was not finished. */
    bool ok = disk_stat(path.p, &st, e) &&
              ((uint64_t)st.st_size == w->file.length ||
               err_set(e, ERR_IO, "%s has another length than it should", path.p)) &&
              write_at(path.p, &w->header, &w->block, w->file.length, w->sync, e);
    buf_free(&path);
    return ok;
}

bool index_write(struct index_write *w, struct err *e)
{
    index_add_messages(&w->block, w->messages, w->count);
    index_end_block(&w->block, 0);
    bool ok = w->replace ? write_anew(w, e) : append(w, e);
    w->file.exists = ok;
    w->file.good |= ok;
    w->file.length = w->header.length;
    w->file.snapshot = w->header.snapshot;
    w->file.blocks = w->replace ? 1 : w->file.blocks + 1;
    w->file.header_behind = false;
    return ok;
}

bool index_write_header(const struct index_write *w, struct err *e)
{
    struct buf path = BUF_EMPTY;
    struct index_header h = w->header;

    h.length = w->file.length;
    h.snapshot = w->file.snapshot;
    bool ok = write_at(path_of(&path, w->dir, INDEX_FILE_NAME), &h, NULL, 0, w->sync, e);
    buf_free(&path);
    return ok;
}

/* --- stamps and totals --- */

void index_stamps_read(const char *dir, struct index_stamps *s)
{
    struct buf path = BUF_EMPTY;

    s->cur = dir_stamp_read(path_of(&path, dir, "cur"));
    s->new = dir_stamp_read(path_of(&path, dir, "new"));
    s->list = dir_stamp_read(path_of(&path, dir, "dovecot-uidlist"));
    s->keywords = dir_stamp_read(path_of(&path, dir, "dovecot-keywords"));
    buf_free(&path);
}

bool index_stamps_fit(const struct index_stamps *now, const struct index_stamps *then)
{
    return dir_stamp_equal(&now->cur, &then->cur) && dir_stamp_equal(&now->list, &then->list) &&
           /* Most mailboxes have no keywords. */
           (dir_stamp_equal(&now->keywords, &then->keywords) ||
            (now->keywords.inode == 0 && then->keywords.inode == 0));
}

static bool read_header(const char *dir, struct index_header *h)
{
    struct buf path = BUF_EMPTY;
    char bytes[INDEX_HEADER_SIZE];
    struct stat st;
    size_t got = 0;
    int fd;

    path_of(&path, dir, INDEX_FILE_NAME);
    bool ok = disk_open(path.p, O_RDONLY, 0, &fd, NULL);
    if (ok) {
        ok = disk_read_at(fd, bytes, sizeof(bytes), 0, &got, path.p, NULL) &&
             disk_stat(path.p, &st, NULL) && index_read_header(str_from(bytes, got), h) &&
             (uint64_t)st.st_size == h->length;
        disk_close(fd);
    }
    buf_free(&path);
    return ok;
}

bool index_is_outrun(const char *dir)
{
    struct buf path = BUF_EMPTY;

    path_of(&path, dir, "dovecot.index.log");
    struct dir_stamp theirs = dir_stamp_read(path.p);
    path_of(&path, dir, INDEX_FILE_NAME);
    bool outrun = theirs.inode != 0 && theirs.time >= dir_stamp_read(path.p).time;
    buf_free(&path);
    return outrun;
}

bool index_read_totals(const char *dir, struct index_header *h)
{
    struct index_stamps now;

    if (!read_header(dir, h) || h->young)
        return false;
    index_stamps_read(dir, &now);
    return index_stamps_fit(&now, &h->stamps) && dir_stamp_equal(&now.new, &h->stamps.new) &&
           !index_is_outrun(dir);
}
