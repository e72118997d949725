/*
 * The file system, one function per operation. Everything here blocks: it is for worker functions
 * and for start-up. Errors name the path and the cause in the kernel's words.
 *
 * What is durable when: disk_sync makes a file's bytes and size durable, but not its name; a name
 * is durable after disk_sync_dir of its directory. disk_replace_file does both in the right order,
 * so after a crash there is either the old or the new content.
 *
 * Trees are handled in disk_tree.c.
 */
#include "core/disk.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define IOV_LIMIT 64

bool disk_open(const char *path, int flags, mode_t mode, int *fd, struct err *e)
{
    return disk_open_at(AT_FDCWD, path, flags, mode, fd, e);
}

bool disk_open_at(int directory, const char *path, int flags, mode_t mode, int *fd, struct err *e)
{
    flags |= DISK_OPEN_FLAGS;
    do {
        *fd = openat(directory, path, flags, mode ? mode : 0600);
        if (*fd < 0 && errno == EWOULDBLOCK)
            flags &= ~O_NONBLOCK; /* another program holds a lease and gives it up soon */
    } while (*fd < 0 && (errno == EINTR || errno == EWOULDBLOCK));
    return *fd >= 0 || err_set_errno(e, errno, "open %s", path);
}

bool disk_open_unleased(const char *path, int *fd, struct err *e)
{
    do
        *fd = open(path, O_RDONLY | O_NOFOLLOW | DISK_OPEN_FLAGS);
    while (*fd < 0 && errno == EINTR);
    if (*fd < 0 && errno == EWOULDBLOCK)
        return err_set(e, ERR_TEMP, "open %s: another program holds a lease on it", path);
    return *fd >= 0 || err_set_errno(e, errno, "open %s", path);
}

void disk_close(int fd)
{
    if (fd >= 0)
        close(fd);
}

bool disk_write(int fd, const void *p, size_t n, const char *path, struct err *e)
{
    const char *at = p;
    while (n > 0) {
        ssize_t done = write(fd, at, n);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return err_set_errno(e, done < 0 ? errno : EIO, "write %s", path);
        at += done;
        n -= (size_t)done;
    }
    return true;
}

/* Drops the first `done` bytes of the vectors. */
static void advance(struct iovec **iov, int *count, size_t done)
{
    while (*count > 0 && done >= (*iov)->iov_len) {
        done -= (*iov)->iov_len;
        (*iov)++;
        (*count)--;
    }
    if (*count > 0) {
        (*iov)->iov_base = (char *)(*iov)->iov_base + done;
        (*iov)->iov_len -= done;
    }
}

bool disk_write_at(int fd, const struct iovec *iov, int count, uint64_t offset, const char *path,
                   struct err *e)
{
    struct iovec copy[IOV_LIMIT], *at = copy;
    assert(count <= IOV_LIMIT);
    memcpy(copy, iov, (size_t)count * sizeof *iov);
    advance(&at, &count, 0);
    while (count > 0) {
        ssize_t done = pwritev(fd, at, count, (off_t)offset);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return err_set_errno(e, done < 0 ? errno : EIO, "write %s", path);
        offset += (size_t)done;
        advance(&at, &count, (size_t)done);
    }
    return true;
}

bool disk_write_durable(int fd, const void *p, size_t n, uint64_t offset, const char *path,
                        struct err *e)
{
    struct iovec iov = {(void *)(uintptr_t)p, n};
    while (iov.iov_len > 0) {
        ssize_t done = pwritev2(fd, &iov, 1, (off_t)offset, RWF_DSYNC);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0 && (errno == EOPNOTSUPP || errno == ENOSYS))
            return disk_write_at(fd, &iov, 1, offset, path, e) && disk_sync(fd, path, e);
        if (done <= 0)
            return err_set_errno(e, done < 0 ? errno : EIO, "write %s", path);
        offset += (size_t)done;
        iov.iov_base = (char *)iov.iov_base + done;
        iov.iov_len -= (size_t)done;
    }
    return true;
}

bool disk_read_at(int fd, void *p, size_t n, uint64_t offset, size_t *got, const char *path,
                  struct err *e)
{
    *got = 0;
    while (*got < n) {
        ssize_t part = pread(fd, (char *)p + *got, n - *got, (off_t)(offset + *got));
        if (part < 0 && errno == EINTR)
            continue;
        if (part < 0)
            return err_set_errno(e, errno, "read %s", path);
        if (part == 0)
            break;
        *got += (size_t)part;
    }
    return true;
}

static bool read_whole(int fd, const char *path, size_t max, struct buf *b, struct err *e)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return err_set_errno(e, errno, "stat %s", path);
    size_t start = b->n, step = st.st_size > 0 ? (size_t)st.st_size + 1 : 4096;
    for (;;) {
        size_t left = max - (b->n - start);
        size_t n = step <= left ? step : left + 1, got;
        if (!disk_read_at(fd, buf_reserve(b, n), n, b->n - start, &got, path, e))
            return false;
        if (got > left)
            return err_set(e, ERR_LIMIT, "%s is larger than %zu bytes", path, max);
        b->n += got;
        if (got < n)
            return true;
    }
}

void disk_read_ahead(int directory, const char *path, size_t n)
{
    int fd;
    if (!disk_open_at(directory, path, O_RDONLY, 0, &fd, NULL))
        return;
    posix_fadvise(fd, 0, (off_t)n, POSIX_FADV_WILLNEED);
    disk_close(fd);
}

bool disk_read_file(const char *path, size_t max, struct buf *b, struct err *e)
{
    int fd;
    if (!disk_open(path, O_RDONLY, 0, &fd, e))
        return false;
    size_t before = b->n;
    bool ok = read_whole(fd, path, max, b, e);
    if (!ok)
        b->n = before;
    disk_close(fd);
    return ok;
}

#define SALVAGE_STEP  ((size_t)256 * 1024)
#define SALVAGE_BLOCK ((size_t)4096)

/* Reads a step of the file block by block, after it could not be read at once. */
static size_t salvage_blocks(int fd, char *p, size_t n, uint64_t offset, const char *path,
                             uint64_t *bad)
{
    size_t done = 0, got;
    while (done < n) {
        size_t part = n - done < SALVAGE_BLOCK ? n - done : SALVAGE_BLOCK;
        if (!disk_read_at(fd, p + done, part, offset + done, &got, path, NULL)) {
            memset(p + done, 0, part);
            *bad += part;
            got = part;
        }
        done += got;
        if (got < part)
            break;
    }
    return done;
}

bool disk_read_salvage(const char *path, size_t max, struct buf *b, uint64_t *bad, struct err *e)
{
    int fd;
    *bad = 0;
    if (!disk_open(path, O_RDONLY, 0, &fd, e)) {
        int error = errno;
        *bad = 1;
        return error != EACCES && error != EPERM && error != ENOMEM && error != EMFILE &&
               error != ENFILE;
    }
    struct stat st;
    size_t size = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? (size_t)st.st_size : 0, got = 0;
    if (size == 0)
        *bad = 1;
    size = size < max ? size : max;
    for (size_t done = 0; done < size; done += got) {
        size_t n = size - done < SALVAGE_STEP ? size - done : SALVAGE_STEP;
        char *p = buf_reserve(b, n);
        if (!disk_read_at(fd, p, n, done, &got, path, NULL))
            got = salvage_blocks(fd, p, n, done, path, bad);
        b->n += got;
        if (got < n)
            break;
    }
    disk_close(fd);
    return true;
}

/* The directory that holds path. */
static void directory_of(const char *path, struct buf *b)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        buf_add_c(b, ".");
    else
        buf_add(b, path, slash == path ? 1 : (size_t)(slash - path));
}

static bool sync_dir_of(const char *path, struct err *e)
{
    struct buf dir = BUF_EMPTY;
    directory_of(path, &dir);
    bool ok = disk_sync_dir(buf_c(&dir), e);
    buf_free(&dir);
    return ok;
}

bool disk_replace_file(const char *path, struct str content, mode_t mode, struct err *e)
{
    struct buf temporary = BUF_EMPTY;
    buf_printf(&temporary, "%s.tmp", path);
    const char *tmp = buf_c(&temporary);
    int fd;
    bool ok = disk_open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, mode, &fd, e);
    if (ok) {
        ok = disk_write(fd, content.p, content.n, tmp, e) && disk_sync(fd, tmp, e);
        disk_close(fd);
        ok = ok && disk_rename(tmp, path, e) && sync_dir_of(path, e);
        if (!ok)
            unlink(tmp);
    }
    buf_free(&temporary);
    return ok;
}

bool disk_sync(int fd, const char *path, struct err *e)
{
    return fdatasync(fd) == 0 || err_set_errno(e, errno, "sync %s", path);
}

/* Opens path and calls how(fd). */
static bool sync_opened(const char *path, int flags, int (*how)(int), struct err *e)
{
    int fd;
    if (!disk_open(path, O_RDONLY | flags, 0, &fd, e))
        return false;
    bool ok = how(fd) == 0 || err_set_errno(e, errno, "sync %s", path);
    disk_close(fd);
    return ok;
}

bool disk_sync_dir(const char *path, struct err *e)
{
    return sync_opened(path, O_DIRECTORY, fsync, e);
}

bool disk_sync_filesystem(const char *path, struct err *e)
{
    return sync_opened(path, 0, syncfs, e);
}

bool disk_rename(const char *from, const char *to, struct err *e)
{
    return rename(from, to) == 0 || err_set_errno(e, errno, "rename %s to %s", from, to);
}

bool disk_link(const char *from, const char *to, struct err *e)
{
    return link(from, to) == 0 || err_set_errno(e, errno, "link %s to %s", from, to);
}

bool disk_unlink(const char *path, struct err *e)
{
    return unlink(path) == 0 || errno == ENOENT || err_set_errno(e, errno, "remove %s", path);
}

bool disk_stat(const char *path, struct stat *st, struct err *e)
{
    if (stat(path, st) == 0)
        return true;
    /* Links that go round in circles lead to nothing, as one does whose target is missing. */
    return err_set_errno(e, errno == ELOOP ? ENOENT : errno, "stat %s", path);
}

bool disk_exists(const char *path)
{
    struct stat st;
    return disk_stat(path, &st, NULL);
}

bool disk_stat_open(int fd, struct stat *st, const char *path, struct err *e)
{
    return fstat(fd, st) == 0 || err_set_errno(e, errno, "stat %s", path);
}

bool disk_set_mode(const char *path, mode_t mode, struct err *e)
{
    return chmod(path, mode) == 0 || err_set_errno(e, errno, "permissions of %s", path);
}

bool disk_size(int fd, uint64_t *size)
{
    struct stat st;

    if (fstat(fd, &st) != 0)
        return false;
    *size = (uint64_t)st.st_size;
    return true;
}

bool disk_set_times(const char *path, usec modified, struct err *e)
{
    usec part = modified % USEC_SEC, seconds = modified / USEC_SEC;
    if (part < 0) {
        part += USEC_SEC;
        seconds--;
    }
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {seconds, part * 1000}};
    return utimensat(AT_FDCWD, path, times, 0) == 0 ||
           err_set_errno(e, errno, "set times of %s", path);
}

bool disk_truncate(int fd, uint64_t size, const char *path, struct err *e)
{
    return ftruncate(fd, (off_t)size) == 0 || err_set_errno(e, errno, "truncate %s", path);
}

bool disk_space(const char *path, struct disk_space *space, struct err *e)
{
    struct statvfs v;
    if (statvfs(path, &v) < 0)
        return err_set_errno(e, errno, "free space of %s", path);
    *space = (struct disk_space){.bytes = (uint64_t)v.f_blocks * v.f_frsize,
                                 .bytes_free = (uint64_t)v.f_bavail * v.f_frsize,
                                 .inodes = (uint64_t)v.f_files,
                                 .inodes_free = (uint64_t)v.f_favail};
    return true;
}

bool disk_free_space(const char *path, uint64_t *bytes, uint64_t *inodes, struct err *e)
{
    struct disk_space space;
    if (!disk_space(path, &space, e))
        return false;
    *bytes = space.bytes_free;
    *inodes = space.inodes == 0 ? UINT64_MAX : space.inodes_free;
    return true;
}

bool disk_lock(const char *path, int *fd, struct err *e)
{
    if (!disk_open(path, O_RDWR | O_CREAT, 0600, fd, e))
        return false;
    if (flock(*fd, LOCK_EX | LOCK_NB) == 0)
        return true;
    int error = errno;
    disk_close(*fd);
    *fd = -1;
    if (error == EWOULDBLOCK)
        return err_set(e, ERR_EXISTS, "%s is locked by another process", path);
    return err_set_errno(e, error, "lock %s", path);
}
