/*
 * A library that is loaded in front of the C library (LD_PRELOAD) and stands between the server and
 * its disk. What the environment asks for:
 *
 *   MAILD_DISK_ROOT    calls on files below this directory are looked at, all others pass
 *   MAILD_DISK_LOG     every call that changes something is written to this file with its bytes,
 * and every byte sent to a client is counted there: one line of time MAILD_DISK_CONTROL a file with
 * struct control, shared with the test: which call is to fail, how MAILD_DISK_NO_SYNC syncs do
 * nothing but take up to so many microseconds
 *
 * A lock is held over each call and its entry, so the log has the order in which things happened.
 * Only syncs and durable writes run outside of it, with an entry for their begin and one for their
 * end: what is sure is sure from the end on. support/disk_states.py reads the log.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define DESCRIPTORS 65536
#define kernel      (*(real_syscall ? real_syscall : find_syscall()))
#define EXPORT      __attribute__((visibility("default")))

/* What can fail. */
enum class { CLASS_WRITE = 1, CLASS_SYNC = 2, CLASS_NAME = 4, CLASS_OPEN = 8, CLASS_TIME = 16 };

enum entry {
    ENTRY_OPEN = 1, /* fd; number: flags; path */
    ENTRY_CLOSE,
    ENTRY_WRITE, /* fd; number: offset; bytes; durable: followed by END with the same id */
    ENTRY_END,   /* of a durable write or a sync: id */
    ENTRY_TRUNCATE,
    ENTRY_RENAME,
    ENTRY_LINK,
    ENTRY_UNLINK,
    ENTRY_MAKE_DIR,
    ENTRY_REMOVE_DIR,
    ENTRY_SYNC,   /* fd; number: 0 fsync, 1 fdatasync, 2 syncfs; id */
    ENTRY_TIMES,  /* path; number: modification, nanoseconds */
    ENTRY_ACCEPT, /* fd: the connection, see connection_of */
    ENTRY_SEND,   /* the same; number: bytes */
    ENTRY_OTHER,  /* path: what was called, and is not understood */
};

struct header {
    uint32_t size; /* of the whole entry */
    uint8_t type, class, durable, failed;
    int32_t fd;
    uint32_t id;
    uint64_t number;
    uint32_t path, other, bytes; /* lengths */
    uint32_t zero;
};

struct control {
    uint32_t classes; /* that are counted */
    uint32_t error;
    uint64_t first, last;             /* calls with these numbers fail, from 1 on */
    uint64_t count, failed;           /* so far */
    uint64_t half;                    /* the first one that fails is a write of half the bytes */
    uint64_t allocation, allocations; /* the one that fails, and how many there were */
    char what[512];                   /* the last one that failed */
    char only[128];                   /* on paths that contain this */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char root[PATH_MAX];
static size_t root_n;
static int log_fd = -1, sync_delay = -1;
static uint32_t next_id = 1;
static struct control *control;
static char *paths[DESCRIPTORS]; /* of descriptors below root */

static long (*real_syscall)(long number, ...);

/* Ours stands in front of it. */
static long (*find_syscall(void))(long number, ...)
{
    return real_syscall = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
}

static int open_outside(const char *path, int flags)
{
    int fd = (int)kernel(SYS_openat, AT_FDCWD, path, flags | O_CLOEXEC, 0600);
    if (fd < 0)
        abort();
    return fd;
}

__attribute__((constructor)) static void begin(void)
{
    const char *value = getenv("MAILD_DISK_ROOT");
    if (!value)
        return;
    root_n = (size_t)snprintf(root, sizeof root, "%s/", value);
    if ((value = getenv("MAILD_DISK_LOG")))
        log_fd = open_outside(value, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND);
    if ((value = getenv("MAILD_DISK_NO_SYNC")))
        sync_delay = atoi(value);
    if ((value = getenv("MAILD_DISK_CONTROL"))) {
        int fd = open_outside(value, O_RDWR);
        void *p = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (p == MAP_FAILED)
            abort();
        kernel(SYS_close, fd);
        control = p;
    }
}

/* --- what is below root --- */

/* The path as it stands from "/" on, in b; NULL if it is not ours. */
static const char *ours(int dir, const char *path, char b[PATH_MAX])
{
    if (root_n == 0)
        return NULL;
    if (path[0] != '/') {
        char link[64];
        if (dir == AT_FDCWD)
            snprintf(link, sizeof link, "/proc/self/cwd");
        else
            snprintf(link, sizeof link, "/proc/self/fd/%d", dir);
        ssize_t n = readlink(link, b, PATH_MAX - 1);
        if (n < 0 || (size_t)n + strlen(path) + 2 > PATH_MAX)
            return NULL;
        snprintf(b + n, PATH_MAX - (size_t)n, "/%s", path);
        path = b;
    }
    /* SQLite's files are as safe as SQLite is. */
    return strncmp(path, root, root_n) == 0 && !strstr(path, "/directory.db") ? path : NULL;
}

static const char *path_of(int fd)
{
    return fd >= 0 && fd < DESCRIPTORS ? paths[fd] : NULL;
}

extern void *__libc_malloc(size_t n);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *p, size_t n);
extern void *__libc_memalign(size_t alignment, size_t n);

static void remember(int fd, const char *path)
{
    size_t n = strlen(path) + 1;
    free(paths[fd]);
    paths[fd] = __libc_malloc(n);
    memcpy(paths[fd], path, n);
}

/* --- the log --- */

static void write_entry(struct header *h, const char *path, const char *other,
                        const struct iovec *iov, int count)
{
    struct iovec v[72];
    if (log_fd < 0)
        return;
    h->path = path ? (uint32_t)strlen(path) : 0;
    h->other = other ? (uint32_t)strlen(other) : 0;
    v[0] = (struct iovec){h, sizeof *h};
    v[1] = (struct iovec){(void *)path, h->path};
    v[2] = (struct iovec){(void *)other, h->other};
    uint32_t left = h->bytes;
    int n = 3;
    for (int i = 0; i < count && left > 0; i++, n++) {
        uint32_t part = iov[i].iov_len < left ? (uint32_t)iov[i].iov_len : left;
        v[n] = (struct iovec){iov[i].iov_base, part};
        left -= part;
    }
    h->size = (uint32_t)sizeof *h + h->path + h->other + h->bytes;
    int saved = errno;
    if (kernel(SYS_writev, log_fd, v, n) != h->size)
        abort();
    errno = saved;
}

static void note(enum entry type, enum class class, int fd, uint64_t number, const char *path,
                 const char *other)
{
    struct header h = {.type = type, .class = class, .fd = fd, .number = number};
    write_entry(&h, path, other, NULL, 0);
}

/* --- failures --- */

/* Under the lock: whether this call is one that fails; errno is set. */
static bool fails(enum class class, const char *name, const char *path)
{
    if (!control || !(control->classes & class) || !strstr(path, control->only))
        return false;
    uint64_t number = ++control->count;
    if (number < control->first || number > control->last)
        return false;
    control->failed++;
    snprintf(control->what, sizeof control->what, "%s %s", name, path + root_n);
    errno = (int)control->error;
    return true;
}

static bool allocation_fails(void)
{
    return control && control->allocation > 0 &&
           __atomic_add_fetch(&control->allocations, 1, __ATOMIC_RELAXED) == control->allocation;
}

#define LOCKED(result, class, name, path, call, entry)                                             \
    pthread_mutex_lock(&lock);                                                                     \
    if (fails(class, name, path)) {                                                                \
        result = -1;                                                                               \
    } else {                                                                                       \
        result = call;                                                                             \
        if (result >= 0)                                                                           \
            entry;                                                                                 \
    }                                                                                              \
    pthread_mutex_unlock(&lock)

/* --- opening and closing --- */

static int open_ours(int dir, const char *given, const char *path, int flags, mode_t mode)
{
    int fd;
    LOCKED(fd, CLASS_OPEN, flags & O_CREAT ? "create" : "open", path,
           (int)kernel(SYS_openat, dir, given, flags, mode), {
               if (fd >= DESCRIPTORS)
                   abort();
               remember(fd, path);
               note(ENTRY_OPEN, CLASS_OPEN, fd, (uint64_t)flags, path, NULL);
           });
    return fd;
}

static int open_any(int dir, const char *given, int flags, mode_t mode)
{
    char b[PATH_MAX];
    const char *path = ours(dir, given, b);
    return path ? open_ours(dir, given, path, flags, mode)
                : (int)kernel(SYS_openat, dir, given, flags, mode);
}

#define MODE_ARGUMENT                                                                              \
    mode_t mode = 0;                                                                               \
    if (flags & (O_CREAT | O_TMPFILE)) {                                                           \
        va_list list;                                                                              \
        va_start(list, flags);                                                                     \
        mode = va_arg(list, mode_t);                                                               \
        va_end(list);                                                                              \
    }

EXPORT int open(const char *path, int flags, ...)
{
    MODE_ARGUMENT
    return open_any(AT_FDCWD, path, flags, mode);
}

EXPORT int open64(const char *path, int flags, ...)
{
    MODE_ARGUMENT
    return open_any(AT_FDCWD, path, flags, mode);
}

EXPORT int openat(int dir, const char *path, int flags, ...)
{
    MODE_ARGUMENT
    return open_any(dir, path, flags, mode);
}

EXPORT int openat64(int dir, const char *path, int flags, ...)
{
    MODE_ARGUMENT
    return open_any(dir, path, flags, mode);
}

/* What the C library has no function for: openat2. Nothing is created with it. */
EXPORT long syscall(long number, ...)
{
    long a[6];
    va_list list;
    va_start(list, number);
    for (int i = 0; i < 6; i++)
        a[i] = va_arg(list, long);
    va_end(list);
    char b[PATH_MAX];
    const char *path = number == SYS_openat2 ? ours((int)a[0], (const char *)a[1], b) : NULL;
    if (path) {
        pthread_mutex_lock(&lock);
        bool failed = fails(CLASS_OPEN, "open", path);
        pthread_mutex_unlock(&lock);
        if (failed)
            return -1;
    }
    return kernel(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

EXPORT int close(int fd)
{
    if (!path_of(fd))
        return (int)kernel(SYS_close, fd);
    pthread_mutex_lock(&lock);
    free(paths[fd]);
    paths[fd] = NULL;
    note(ENTRY_CLOSE, 0, fd, 0, NULL, NULL);
    int result = (int)kernel(SYS_close, fd);
    pthread_mutex_unlock(&lock);
    return result;
}

EXPORT int closedir(DIR *dir)
{
    int (*real)(DIR *) = (int (*)(DIR *))dlsym(RTLD_NEXT, "closedir");
    int fd = dirfd(dir);
    if (!path_of(fd))
        return real(dir);
    pthread_mutex_lock(&lock);
    free(paths[fd]);
    paths[fd] = NULL;
    note(ENTRY_CLOSE, 0, fd, 0, NULL, NULL);
    int result = real(dir);
    pthread_mutex_unlock(&lock);
    return result;
}

/* --- writing --- */

static void take_time(void)
{
    if (sync_delay > 0)
        usleep((useconds_t)(random() % sync_delay));
}

/* The first bytes of the vectors. */
static int first_half(struct iovec *v, const struct iovec *iov, int count, size_t n)
{
    int i;
    for (i = 0; i < count && n > 0; i++) {
        v[i] = iov[i];
        if (v[i].iov_len > n)
            v[i].iov_len = n;
        n -= v[i].iov_len;
    }
    return i;
}

static ssize_t write_ours(int fd, const struct iovec *iov, int count, off_t offset, int flags)
{
    const char *path = paths[fd];
    bool durable = flags & (RWF_DSYNC | RWF_SYNC);
    struct iovec half[64];
    struct header h = {.type = ENTRY_WRITE, .class = CLASS_WRITE, .durable = durable, .fd = fd};
    pthread_mutex_lock(&lock);
    if (fails(CLASS_WRITE, "write", path)) {
        size_t total = 0;
        for (int i = 0; i < count; i++)
            total += iov[i].iov_len;
        if (!control->half || control->failed > 1 || total < 2 || count > 64) {
            pthread_mutex_unlock(&lock);
            return -1;
        }
        size_t n = total / 2 >= 4096 ? total / 2 / 4096 * 4096 : total / 2;
        count = first_half(half, iov, count, n);
        iov = half;
    }
    if (sync_delay >= 0)
        flags &= ~(RWF_DSYNC | RWF_SYNC);
    ssize_t done;
    if (offset < 0) {
        done = kernel(SYS_writev, fd, iov, count);
        h.number = (uint64_t)lseek(fd, 0, SEEK_CUR) - (uint64_t)done;
    } else {
        for (int i = 0; durable && i < count; i++)
            h.bytes += (uint32_t)iov[i].iov_len;
        h.number = (uint64_t)offset;
        h.id = next_id++;
        if (durable) {
            write_entry(&h, NULL, NULL, iov, count);
            pthread_mutex_unlock(&lock);
            take_time();
        }
        done = kernel(SYS_pwritev2, fd, iov, count, offset, 0L, flags);
    }
    if (durable && offset >= 0) {
        int saved = errno;
        pthread_mutex_lock(&lock);
        struct header end = {.type = ENTRY_END, .id = h.id, .failed = done != (ssize_t)h.bytes};
        write_entry(&end, NULL, NULL, NULL, 0);
        errno = saved;
    } else if (done > 0) {
        h.bytes = (uint32_t)done;
        write_entry(&h, NULL, NULL, iov, count);
    }
    pthread_mutex_unlock(&lock);
    return done;
}

EXPORT ssize_t write(int fd, const void *p, size_t n)
{
    struct iovec v = {(void *)(uintptr_t)p, n};
    return path_of(fd) ? write_ours(fd, &v, 1, -1, 0) : kernel(SYS_write, fd, p, n);
}

EXPORT ssize_t writev(int fd, const struct iovec *iov, int count)
{
    return path_of(fd) ? write_ours(fd, iov, count, -1, 0) : kernel(SYS_writev, fd, iov, count);
}

EXPORT ssize_t pwrite(int fd, const void *p, size_t n, off_t offset)
{
    struct iovec v = {(void *)(uintptr_t)p, n};
    return path_of(fd) ? write_ours(fd, &v, 1, offset, 0) : kernel(SYS_pwrite64, fd, p, n, offset);
}

EXPORT ssize_t pwrite64(int fd, const void *p, size_t n, off_t offset)
{
    return pwrite(fd, p, n, offset);
}

EXPORT ssize_t pwritev(int fd, const struct iovec *iov, int count, off_t offset)
{
    return path_of(fd) ? write_ours(fd, iov, count, offset, 0)
                       : kernel(SYS_pwritev, fd, iov, count, offset, 0L);
}

EXPORT ssize_t pwritev2(int fd, const struct iovec *iov, int count, off_t offset, int flags)
{
    return path_of(fd) ? write_ours(fd, iov, count, offset, flags)
                       : kernel(SYS_pwritev2, fd, iov, count, offset, 0L, flags);
}

EXPORT int ftruncate(int fd, off_t size)
{
    int result;
    if (!path_of(fd))
        return (int)kernel(SYS_ftruncate, fd, size);
    LOCKED(result, CLASS_WRITE, "truncate", paths[fd], (int)kernel(SYS_ftruncate, fd, size),
           note(ENTRY_TRUNCATE, CLASS_WRITE, fd, (uint64_t)size, NULL, NULL));
    return result;
}

EXPORT int ftruncate64(int fd, off_t size)
{
    return ftruncate(fd, size);
}

/* --- syncs --- */

static int sync_ours(int fd, long call, uint64_t kind)
{
    static const char *const names[] = {"fsync", "fdatasync", "syncfs"};
    struct header h = {.type = ENTRY_SYNC, .class = CLASS_SYNC, .fd = fd, .number = kind};
    pthread_mutex_lock(&lock);
    bool failed = fails(CLASS_SYNC, names[kind], paths[fd]);
    h.id = next_id++;
    h.failed = failed;
    write_entry(&h, NULL, NULL, NULL, 0);
    pthread_mutex_unlock(&lock);
    if (failed)
        return -1;
    take_time();
    int result = sync_delay >= 0 ? 0 : (int)kernel(call, fd);
    pthread_mutex_lock(&lock);
    struct header end = {.type = ENTRY_END, .id = h.id, .failed = result < 0};
    write_entry(&end, NULL, NULL, NULL, 0);
    pthread_mutex_unlock(&lock);
    return result;
}

EXPORT int fsync(int fd)
{
    return path_of(fd) ? sync_ours(fd, SYS_fsync, 0) : (int)kernel(SYS_fsync, fd);
}

EXPORT int fdatasync(int fd)
{
    return path_of(fd) ? sync_ours(fd, SYS_fdatasync, 1) : (int)kernel(SYS_fdatasync, fd);
}

EXPORT int syncfs(int fd)
{
    return path_of(fd) ? sync_ours(fd, SYS_syncfs, 2) : (int)kernel(SYS_syncfs, fd);
}

/* --- names --- */

EXPORT int renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
    char b[PATH_MAX], c[PATH_MAX];
    const char *old = ours(from_dir, from, b), *new = ours(to_dir, to, c);
    int result;
    if (!old || !new)
        return (int)kernel(SYS_renameat2, from_dir, from, to_dir, to, flags);
    LOCKED(result, CLASS_NAME, "rename", old,
           (int)kernel(SYS_renameat2, from_dir, from, to_dir, to, flags), {
               if (flags & ~RENAME_NOREPLACE)
                   note(ENTRY_OTHER, 0, 0, 0, "renameat2 with flags", NULL);
               note(ENTRY_RENAME, CLASS_NAME, 0, 0, old, new);
           });
    return result;
}

EXPORT int rename(const char *from, const char *to)
{
    return renameat2(AT_FDCWD, from, AT_FDCWD, to, 0);
}

EXPORT int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
    return renameat2(from_dir, from, to_dir, to, 0);
}

EXPORT int linkat(int from_dir, const char *from, int to_dir, const char *to, int flags)
{
    char b[PATH_MAX], c[PATH_MAX];
    const char *old = ours(from_dir, from, b), *new = ours(to_dir, to, c);
    int result;
    if (!new)
        return (int)kernel(SYS_linkat, from_dir, from, to_dir, to, flags);
    LOCKED(result, CLASS_NAME, "link", new,
           (int)kernel(SYS_linkat, from_dir, from, to_dir, to, flags),
           note(ENTRY_LINK, CLASS_NAME, 0, 0, old ? old : from, new));
    return result;
}

EXPORT int link(const char *from, const char *to)
{
    return linkat(AT_FDCWD, from, AT_FDCWD, to, 0);
}

EXPORT int unlinkat(int dir, const char *given, int flags)
{
    char b[PATH_MAX];
    const char *path = ours(dir, given, b);
    int result;
    if (!path)
        return (int)kernel(SYS_unlinkat, dir, given, flags);
    LOCKED(
        result, CLASS_NAME, "unlink", path, (int)kernel(SYS_unlinkat, dir, given, flags),
        note(flags & AT_REMOVEDIR ? ENTRY_REMOVE_DIR : ENTRY_UNLINK, CLASS_NAME, 0, 0, path, NULL));
    return result;
}

EXPORT int unlink(const char *path)
{
    return unlinkat(AT_FDCWD, path, 0);
}

EXPORT int rmdir(const char *path)
{
    return unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
}

EXPORT int mkdirat(int dir, const char *given, mode_t mode)
{
    char b[PATH_MAX];
    const char *path = ours(dir, given, b);
    int result;
    if (!path)
        return (int)kernel(SYS_mkdirat, dir, given, mode);
    LOCKED(result, CLASS_NAME, "mkdir", path, (int)kernel(SYS_mkdirat, dir, given, mode),
           note(ENTRY_MAKE_DIR, CLASS_NAME, 0, 0, path, NULL));
    return result;
}

EXPORT int mkdir(const char *path, mode_t mode)
{
    return mkdirat(AT_FDCWD, path, mode);
}

/* given is NULL: the descriptor's own. */
static int times_of(int fd, const char *given, const char *path, const struct timespec times[2],
                    int flags)
{
    struct timespec now[2] = {{.tv_nsec = UTIME_NOW}, {.tv_nsec = UTIME_NOW}};
    const struct timespec *t = times ? &times[1] : &now[1];
    int result;
    if (!path)
        return (int)kernel(SYS_utimensat, fd, given, times, flags);
    LOCKED(result, CLASS_TIME, "utimens", path, (int)kernel(SYS_utimensat, fd, given, times, flags),
           {
               if (t->tv_nsec != UTIME_NOW && t->tv_nsec != UTIME_OMIT)
                   note(ENTRY_TIMES, CLASS_TIME, 0,
                        (uint64_t)t->tv_sec * 1000000000 + (uint64_t)t->tv_nsec, path, NULL);
           });
    return result;
}

EXPORT int utimensat(int dir, const char *given, const struct timespec times[2], int flags)
{
    char b[PATH_MAX];
    return times_of(dir, given, ours(dir, given, b), times, flags);
}

EXPORT int futimens(int fd, const struct timespec times[2])
{
    return times_of(fd, NULL, path_of(fd), times, 0);
}

/* --- what would have to be understood if the server came to use it --- */

#define OTHER(fd, name)                                                                            \
    if (path_of(fd))                                                                               \
    note(ENTRY_OTHER, 0, fd, 0, name, NULL)

EXPORT void *mmap(void *at, size_t n, int protection, int flags, int fd, off_t offset)
{
    if (fd >= 0 && (flags & MAP_SHARED) && (protection & PROT_WRITE))
        OTHER(fd, "mmap for writing");
    return (void *)kernel(SYS_mmap, at, n, protection, flags, fd, offset);
}

EXPORT void *mmap64(void *at, size_t n, int protection, int flags, int fd, off_t offset)
{
    return mmap(at, n, protection, flags, fd, offset);
}

EXPORT int fallocate(int fd, int mode, off_t offset, off_t n)
{
    OTHER(fd, "fallocate");
    return (int)kernel(SYS_fallocate, fd, mode, offset, n);
}

EXPORT int dup2(int fd, int to)
{
    OTHER(fd, "dup2");
    return (int)kernel(SYS_dup2, fd, to);
}

EXPORT ssize_t copy_file_range(int from, off_t *from_at, int to, off_t *to_at, size_t n,
                               unsigned flags)
{
    OTHER(to, "copy_file_range");
    return kernel(SYS_copy_file_range, from, from_at, to, to_at, n, flags);
}

EXPORT int symlink(const char *target, const char *path)
{
    char b[PATH_MAX];
    if (ours(AT_FDCWD, path, b))
        note(ENTRY_OTHER, 0, 0, 0, "symlink", NULL);
    return (int)kernel(SYS_symlink, target, path);
}

/* --- what clients are told --- */

static uint32_t port_of(int fd, int (*name)(int, struct sockaddr *, socklen_t *))
{
    struct sockaddr_storage a = {0};
    socklen_t n = sizeof a;
    name(fd, (struct sockaddr *)&a, &n);
    return a.ss_family == AF_INET ? ntohs(((const struct sockaddr_in *)&a)->sin_port) : 0;
}

/* Both ports, the server's above: connections to several servers may have the same one at the
 * client's end. */
static int connection_of(int fd)
{
    return (int)(port_of(fd, getsockname) << 16 | port_of(fd, getpeername));
}

EXPORT int accept4(int fd, struct sockaddr *address, socklen_t *n, int flags)
{
    int accepted = (int)kernel(SYS_accept4, fd, address, n, flags);
    if (accepted >= 0 && log_fd >= 0) {
        int connection = connection_of(accepted);
        pthread_mutex_lock(&lock);
        note(ENTRY_ACCEPT, 0, connection, 0, NULL, NULL);
        pthread_mutex_unlock(&lock);
    }
    return accepted;
}

EXPORT ssize_t send(int fd, const void *p, size_t n, int flags)
{
    if (log_fd < 0)
        return kernel(SYS_sendto, fd, p, n, flags, NULL, 0);
    int connection = connection_of(fd);
    pthread_mutex_lock(&lock);
    ssize_t sent = kernel(SYS_sendto, fd, p, n, flags, NULL, 0);
    if (sent > 0)
        note(ENTRY_SEND, 0, connection, (uint64_t)sent, NULL, NULL);
    pthread_mutex_unlock(&lock);
    return sent;
}

/* --- passwords --- */

EXPORT char *crypt_rn(const char *phrase, const char *setting, void *data, int size)
{
    const char *right = getenv("MAILD_DISK_PASSWORD");
    if (!right) {
        char *(*real)(const char *, const char *, void *, int) =
            (char *(*)(const char *, const char *, void *, int))dlsym(RTLD_NEXT, "crypt_rn");
        return real(phrase, setting, data, size);
    }
    snprintf(data, (size_t)size, "%s", strcmp(phrase, right) == 0 ? setting : "*0");
    return data;
}

/* --- memory --- */

static void *no_memory(void)
{
    errno = ENOMEM;
    return NULL;
}

EXPORT void *malloc(size_t n)
{
    return allocation_fails() ? no_memory() : __libc_malloc(n);
}

EXPORT void *calloc(size_t count, size_t size)
{
    return allocation_fails() ? no_memory() : __libc_calloc(count, size);
}

EXPORT void *realloc(void *p, size_t n)
{
    return allocation_fails() ? no_memory() : __libc_realloc(p, n);
}

EXPORT void *aligned_alloc(size_t alignment, size_t n)
{
    return allocation_fails() ? no_memory() : __libc_memalign(alignment, n);
}
