/*
 * Reading and writing lists. Reading is a look at the file's times, as long as it did not change. A
 * file that was changed a moment ago could change once more within the same tick of the file
 * system's clock: its stamp is not kept, so it is read again.
 */
#include "store/acl_file.h"

#include "core/disk.h"
#include "store/limits.h"

/* Coarser than any file system's clock. */
#define TICK (2 * USEC_SEC)

static char *path_in(struct buf *b, const char *dir, const char *name)
{
    buf_clear(b);
    buf_printf(b, "%s/%s", dir, name);
    buf_c(b);
    return b->p;
}

static struct acl_stamp stamp_of(const struct stat *st)
{
    int64_t second = 1000000000;
    return (struct acl_stamp){.modified = st->st_mtim.tv_sec * second + st->st_mtim.tv_nsec,
                              .changed = st->st_ctim.tv_sec * second + st->st_ctim.tv_nsec,
                              .inode = (uint64_t)st->st_ino,
                              .size = (uint64_t)st->st_size};
}

static bool is_same(const struct acl_stamp *a, const struct acl_stamp *b)
{
    return a->modified && a->modified == b->modified && a->changed == b->changed &&
           a->inode == b->inode && a->size == b->size;
}

static void fail(struct acl_loaded *l, enum acl_state state)
{
    l->state = state;
    arena_free(l->arena);
    l->arena = NULL;
}

static void read_list(const char *path, struct acl_loaded *l)
{
    struct buf text = BUF_EMPTY;
    l->arena = arena_new();
    l->state = ACL_LISTED;
    if (!disk_read_file(path, ACL_FILE_MAX, &text, &l->error))
        fail(l, l->error.kind == ERR_NOT_FOUND ? ACL_NO_FILE
                : l->error.kind == ERR_LIMIT   ? ACL_DAMAGED
                                               : ACL_UNKNOWN);
    else if (!acl_parse(&l->acl, buf_str(&text), l->arena, &l->error)) {
        err_prefix(&l->error, "%s", path);
        fail(l, ACL_DAMAGED);
    }
    buf_free(&text);
}

static bool is_directory(const char *dir, struct err *e)
{
    struct stat st;
    return disk_stat(dir, &st, e) && (S_ISDIR(st.st_mode) || err_set(e, ERR_NOT_FOUND, "%s", dir));
}

void acl_file_load(const char *dir, const struct acl_stamp *known, struct acl_loaded *l)
{
    struct buf path = BUF_EMPTY;
    struct stat st;
    *l = (struct acl_loaded){0};
    path_in(&path, dir, ACL_FILE);
    if (disk_stat(path.p, &st, &l->error)) {
        l->stamp = stamp_of(&st);
        l->same = known && is_same(known, &l->stamp);
        if (!l->same)
            read_list(path.p, l);
        if (clock_wall() - l->stamp.changed / 1000 < TICK)
            l->stamp = (struct acl_stamp){0};
    } else if (l->error.kind != ERR_NOT_FOUND) {
        l->state = ACL_UNKNOWN;
    } else if (is_directory(dir, &l->error)) {
        l->state = ACL_NO_FILE;
    } else {
        l->state = l->error.kind == ERR_NOT_FOUND ? ACL_NO_MAILBOX : ACL_UNKNOWN;
    }
    buf_free(&path);
}

bool acl_file_write(const char *dir, const char *root, const struct acl *acl, struct err *e)
{
    struct buf path = BUF_EMPTY, text = BUF_EMPTY;
    acl_format(&text, acl);
    path_in(&path, dir, ACL_FILE);
    bool ok = text.n <= ACL_FILE_MAX ||
              err_set(e, ERR_LIMIT, "the access control list becomes too large");
    ok = ok && disk_replace_file(path.p, buf_str(&text), 0600, e);
    if (ok)
        disk_unlink(path_in(&path, root, ACL_FILE "-list"), NULL);
    buf_free(&path);
    buf_free(&text);
    return ok;
}

/* Byte by byte: what is damaged in the parent gives nobody any rights in the child, either. */
bool acl_file_inherit(const char *parent, const char *dir, struct err *e)
{
    struct buf path = BUF_EMPTY, text = BUF_EMPTY;
    struct err error;
    int fd;
    bool ok = true;
    if (disk_read_file(path_in(&path, parent, ACL_FILE), ACL_FILE_MAX, &text, &error)) {
        path_in(&path, dir, ACL_FILE);
        ok = disk_open(path.p, O_WRONLY | O_CREAT | O_TRUNC, 0600, &fd, e);
        if (ok) {
            ok = disk_write(fd, text.p, text.n, path.p, e) && disk_sync(fd, path.p, e);
            disk_close(fd);
        }
    }
    buf_free(&path);
    buf_free(&text);
    return ok;
}
