/*
 * Files for fibers. What the kernel can answer from memory is done at once on the loop: opening
 * with openat2(RESOLVE_CACHED), reading with preadv2(RWF_NOWAIT). Only when it says that it
 * would have to wait for the disk does the same call go to a worker, and so does all that writes.
 * Large reads go there as well, as copying them would hold the loop.
 */
#include "core/file.h"

#include "core/disk.h"
#include "core/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#define READ_ON_LOOP_MAX ((size_t)512 * 1024)

enum operation { OPEN, READ_AT, READ_ALL, WRITE, SYNC, REPLACE, RENAME, UNLINK };

/* One blocking call with its arguments and result, on the waiting fiber's stack. */
struct call {
    enum operation operation;
    const char *path, *to;
    int flags;
    mode_t mode;
    int *fd_result;
    int fd;
    void *p;
    struct str bytes;
    size_t n;
    uint64_t offset;
    size_t *got;
    struct buf *b;
    struct err *e;
    bool ok;
};

static bool perform(struct call *c)
{
    switch (c->operation) {
    case OPEN:
        return disk_open(c->path, c->flags, c->mode, c->fd_result, c->e);
    case READ_AT:
        return disk_read_at(c->fd, c->p, c->n, c->offset, c->got, c->path, c->e);
    case READ_ALL:
        return disk_read_file(c->path, c->n, c->b, c->e);
    case WRITE:
        return disk_write(c->fd, c->bytes.p, c->bytes.n, c->path, c->e);
    case SYNC:
        return disk_sync(c->fd, c->path, c->e);
    case REPLACE:
        return disk_replace_file(c->path, c->bytes, c->mode, c->e);
    case RENAME:
        return disk_rename(c->path, c->to, c->e);
    case UNLINK:
        return disk_unlink(c->path, c->e);
    }
    return err_set(c->e, ERR_PERM, "unknown operation");
}

static void on_worker(void *arg)
{
    struct call *c = arg;
    c->ok = perform(c);
}

static bool run(struct call *c)
{
    worker_run(WORKER_DISK, on_worker, c);
    return c->ok;
}

/* --- what may succeed without waiting --- */

/* 1: opened, 0: the disk would have to be asked, -1: errno. */
static int open_cached(const char *path, int flags, int *fd)
{
    if (flags & (O_CREAT | O_TRUNC))
        return 0;
    struct open_how how = {.flags = (uint64_t)(flags | DISK_OPEN_FLAGS), .resolve = RESOLVE_CACHED};
    *fd = (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof how);
    if (*fd >= 0)
        return 1;
    return errno == EAGAIN || errno == ENOSYS || errno == EINVAL || errno == EINTR || errno == EPERM
               ? 0
               : -1;
}

bool file_open(const char *path, int flags, mode_t mode, int *fd, struct err *e)
{
    int cached = open_cached(path, flags, fd);
    if (cached != 0)
        return cached > 0 || err_set_errno(e, errno, "open %s", path);
    struct call c = {
        .operation = OPEN, .path = path, .flags = flags, .mode = mode, .fd_result = fd, .e = e};
    return run(&c);
}

/* Reads what is in memory. True: all n bytes, or the end of the file was reached. */
static bool read_cached(int fd, char *p, size_t n, uint64_t offset, size_t *got)
{
    *got = 0;
    while (*got < n) {
        struct iovec iov = {p + *got, n - *got};
        ssize_t part = preadv2(fd, &iov, 1, (off_t)(offset + *got), RWF_NOWAIT);
        if (part < 0)
            return false;
        if (part == 0)
            break;
        *got += (size_t)part;
    }
    return true;
}

bool file_read_at(int fd, void *p, size_t n, uint64_t offset, size_t *got, const char *path,
                  struct err *e)
{
    size_t cached = 0;
    *got = 0;
    if (n <= READ_ON_LOOP_MAX && read_cached(fd, p, n, offset, &cached)) {
        *got = cached;
        return true;
    }
    size_t rest = 0;
    struct call c = {.operation = READ_AT,
                     .fd = fd,
                     .p = (char *)p + cached,
                     .n = n - cached,
                     .offset = offset + cached,
                     .got = &rest,
                     .path = path,
                     .e = e};
    if (!run(&c))
        return false;
    *got = cached + rest;
    return true;
}

/* The size is known, so a full read needs no second one that finds the end. */
static bool read_all_opened(int fd, const char *path, size_t max, struct buf *b, struct err *e)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return err_set_errno(e, errno, "stat %s", path);
    if (!S_ISREG(st.st_mode))
        return err_set(e, ERR_IO, "%s is not a file", path);
    if ((uint64_t)st.st_size > max)
        return err_set(e, ERR_LIMIT, "%s is larger than %zu bytes", path, max);
    size_t size = (size_t)st.st_size, got;
    if (!file_read_at(fd, buf_reserve(b, size), size, 0, &got, path, e))
        return false;
    b->n += got;
    return true;
}

bool file_read_all(const char *path, size_t max, struct buf *b, struct err *e)
{
    int fd;
    int cached = open_cached(path, O_RDONLY, &fd);
    if (cached < 0)
        return err_set_errno(e, errno, "open %s", path);
    if (cached == 0) {
        struct call c = {.operation = READ_ALL, .path = path, .n = max, .b = b, .e = e};
        return run(&c);
    }
    bool ok = read_all_opened(fd, path, max, b, e);
    disk_close(fd);
    return ok;
}

/* --- what goes to a worker --- */

bool file_write(int fd, const void *p, size_t n, const char *path, struct err *e)
{
    struct call c = {.operation = WRITE, .fd = fd, .bytes = str_from(p, n), .path = path, .e = e};
    return run(&c);
}

bool file_sync(int fd, const char *path, struct err *e)
{
    struct call c = {.operation = SYNC, .fd = fd, .path = path, .e = e};
    return run(&c);
}

bool file_replace(const char *path, struct str content, mode_t mode, struct err *e)
{
    struct call c = {.operation = REPLACE, .path = path, .bytes = content, .mode = mode, .e = e};
    return run(&c);
}

bool file_rename(const char *from, const char *to, struct err *e)
{
    struct call c = {.operation = RENAME, .path = from, .to = to, .e = e};
    return run(&c);
}

bool file_unlink(const char *path, struct err *e)
{
    struct call c = {.operation = UNLINK, .path = path, .e = e};
    return run(&c);
}

void file_close(int fd)
{
    disk_close(fd);
}
