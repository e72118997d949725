#pragma once
/*
 * Files for fibers: reads try the page cache first (RWF_NOWAIT, RESOLVE_CACHED) and go to a worker
 * only when the kernel says it would block; everything that writes goes to a worker.
 */
#include "core/buf.h"
#include "core/fiber.h"

#include <sys/types.h>

SUSPENDS bool file_open(const char *path, int flags, mode_t mode, int *fd, struct err *e);
/* Reads up to n bytes at offset; *got < n only at the end of the file. */
SUSPENDS bool file_read_at(int fd, void *p, size_t n, uint64_t offset, size_t *got,
                           const char *path, struct err *e);
/* Whole file, appended to *b, at most max bytes: ERR_LIMIT when it is larger. */
SUSPENDS bool file_read_all(const char *path, size_t max, struct buf *b, struct err *e);
SUSPENDS bool file_write(int fd, const void *p, size_t n, const char *path, struct err *e);
SUSPENDS bool file_sync(int fd, const char *path, struct err *e);
SUSPENDS bool file_replace(const char *path, struct str content, mode_t mode, struct err *e);
SUSPENDS bool file_rename(const char *from, const char *to, struct err *e);
SUSPENDS bool file_unlink(const char *path, struct err *e);
void file_close(int fd);
