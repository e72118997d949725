#pragma once
/*
 * The file system, one call per operation, BLOCKING: for worker functions and for start-up. The
 * only place that makes these system calls; fibers use file.h. Each returns false with *e naming
 * the path and the cause. A short write is an error (ERR_NO_SPACE or ERR_IO).
 */
#include "core/buf.h"
#include "core/clock.h"
#include "core/err.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>

/* Opening a pipe that somebody put into a Maildir must not wait for who writes to it. */
#define DISK_OPEN_FLAGS (O_CLOEXEC | O_NOCTTY | O_NONBLOCK)

/* open(2) with these flags; mode 0600 unless given. *fd is -1 on failure. */
bool disk_open(const char *path, int flags, mode_t mode, int *fd, struct err *e);
/* The same below an open directory, for many files of it; an absolute path is one. */
bool disk_open_at(int directory, const char *path, int flags, mode_t mode, int *fd, struct err *e);
/* For reading, without following a link. Not what another program holds a lease on, which would
 * be waited for: ERR_TEMP. */
bool disk_open_unleased(const char *path, int *fd, struct err *e);
void disk_close(int fd);
bool disk_write(int fd, const void *p, size_t n, const char *path, struct err *e);
bool disk_write_at(int fd, const struct iovec *iov, int count, uint64_t offset, const char *path,
                   struct err *e);
/* Returns when the bytes are durable, in one system call where the kernel can (RWF_DSYNC). A
 * descriptor opened with O_DIRECT needs memory, size and offset in multiples of 4096. */
bool disk_write_durable(int fd, const void *p, size_t n, uint64_t offset, const char *path,
                        struct err *e);
/* Reads up to n bytes at offset; *got < n only at the end of the file. */
bool disk_read_at(int fd, void *p, size_t n, uint64_t offset, size_t *got, const char *path,
                  struct err *e);
/* Asks the kernel to have the first n bytes of the file in memory soon. */
void disk_read_ahead(int directory, const char *path, size_t n);
/* Whole file into *b (appended), at most max bytes: ERR_LIMIT when it is larger. */
bool disk_read_file(const char *path, size_t max, struct buf *b, struct err *e);
/* The same as far as the disk gives it: blocks that cannot be read are zeros, *bad is their number
 * of bytes (of a file that cannot be opened at all: 1, and nothing is read). False only for what
 * somebody can mend: no permission, no memory, no descriptors. */
bool disk_read_salvage(const char *path, size_t max, struct buf *b, uint64_t *bad, struct err *e);
/* Writes path.tmp, syncs it, renames it over path, syncs the directory. */
bool disk_replace_file(const char *path, struct str content, mode_t mode, struct err *e);
/* fdatasync; a failure is final for that file. */
bool disk_sync(int fd, const char *path, struct err *e);
/* fsync of a directory. */
bool disk_sync_dir(const char *path, struct err *e);
/* syncfs of the file system that holds path. */
bool disk_sync_filesystem(const char *path, struct err *e);
bool disk_rename(const char *from, const char *to, struct err *e);
bool disk_link(const char *from, const char *to, struct err *e);
/* A missing file is no error. */
bool disk_unlink(const char *path, struct err *e);
/* An existing directory is no error. */
bool disk_make_dir(const char *path, mode_t mode, struct err *e);
/* With all parents; syncs each directory that got a new entry. */
bool disk_make_dirs(const char *path, mode_t mode, struct err *e);
bool disk_remove_dir(const char *path, struct err *e);
/* Removes a directory and all below it; stays on its file system, follows no links. */
bool disk_remove_tree(const char *path, struct err *e);
bool disk_stat(const char *path, struct stat *st, struct err *e);
/* Also what cannot be looked at is taken for missing. */
bool disk_exists(const char *path);
bool disk_stat_open(int fd, struct stat *st, const char *path, struct err *e);
/* Permissions, whatever the umask is. */
bool disk_set_mode(const char *path, mode_t mode, struct err *e);
/* Bytes of an open file. Never waits. */
bool disk_size(int fd, uint64_t *size);
bool disk_set_times(const char *path, usec modified, struct err *e);
bool disk_truncate(int fd, uint64_t size, const char *path, struct err *e);
/* Calls fn for each entry but "." and ".."; type is DT_* of readdir (DT_UNKNOWN possible). fn
 * returns false to stop. */
bool disk_list(const char *path, bool (*fn)(void *arg, const char *name, unsigned char type),
               void *arg, struct err *e);
/* Free bytes and inodes of the file system for an ordinary user; without `inodes` file systems make
 * them as they need them. */
struct disk_space {
    uint64_t bytes, bytes_free;
    uint64_t inodes, inodes_free;
};
bool disk_space(const char *path, struct disk_space *space, struct err *e);
/* The free ones alone; UINT64_MAX inodes where they are not counted. */
bool disk_free_space(const char *path, uint64_t *bytes, uint64_t *inodes, struct err *e);
/* An exclusive lock on the file (created), held until the descriptor is closed: ERR_EXISTS when
 * another process holds it. */
bool disk_lock(const char *path, int *fd, struct err *e);
