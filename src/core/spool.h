#pragma once
/*
 * A message while it arrives and until everybody who needs its bytes has them: kept in memory up
 * to a limit, then in a file of a given directory (on the store's file system, so that it can be
 * linked into Maildirs). Lines end in LF, as in a Maildir. Reference counted: the queue, the
 * store's pending writes and a delivery may hold the same one.
 */
#include "core/buf.h"
#include "core/fiber.h"

struct spool;

/* Messages up to this size are carried whole in the journal: one durable write for many of them is
 * worth more than writing their bytes once only. */
#define SPOOL_MEMORY_MAX (192 * 1024)

/* dir must outlive the spool. id names the file (dir/id). Starts with one reference. */
struct spool *spool_new(const char *dir, const char *id);
/* An existing file of `size` bytes as a spool; the last spool_unref does not remove it when `keep`.
 */
struct spool *spool_from_file(const char *path, uint64_t size, bool keep);
struct spool *spool_ref(struct spool *s);
/* The last reference frees the memory and removes the file, unless it was kept. NULL is allowed.
 * Does not suspend (removal happens on a worker). */
void spool_unref(struct spool *s);

/* Appends. ERR_NO_SPACE or ERR_IO: the spool is unusable from then on. */
SUSPENDS bool spool_write(struct spool *s, struct str bytes, struct err *e);
/* Puts what is in memory into the file. */
SUSPENDS bool spool_leave_memory(struct spool *s, struct err *e);
/* For messages in a file: syncs the file and its directory. In memory: nothing to do. */
SUSPENDS bool spool_sync(struct spool *s, struct err *e);

uint64_t spool_size(const struct spool *s);
/* Number of LF: spool_size + spool_lines is the size with CRLF (every line end is a bare LF). For a
 * spool from a file only after spool_count_lines, which reads it through the first time. */
uint64_t spool_lines(const struct spool *s);
SUSPENDS bool spool_count_lines(struct spool *s, struct err *e);
/* The bytes when in memory, else p == NULL. */
struct str spool_memory(const struct spool *s);
/* The file's path when in a file, else NULL. The file holds all bytes after spool_sync. */
const char *spool_path(const struct spool *s);
/* Keeps the file on the last unref: somebody else owns it now. */
void spool_keep_file(struct spool *s);
/* Up to n bytes at offset, *got < n only at the end. */
SUSPENDS bool spool_read_at(struct spool *s, void *p, size_t n, uint64_t offset, size_t *got,
                            struct err *e);
/* The header block including the empty line, at most max bytes (cut there). Appended to *b. */
SUSPENDS bool spool_read_header(struct spool *s, size_t max, struct buf *b, struct err *e);
