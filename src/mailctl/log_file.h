#pragma once
/*
 * The file of the log, read line by line, and followed: over its being renamed and made anew, cut
 * off, or not there for a while.
 */
#include "core/buf.h"
#include "core/err.h"

struct log_file {
    const char *path;
    int fd;          /* -1: it is not there */
    uint64_t at;     /* up to here it was read */
    struct buf rest; /* of what was read: a line without its end */
    int changes;     /* inotify of its directory; -1: none */
};

/* line: without its end. False ends the reading. */
typedef bool log_line_fn(void *arg, struct str line);

/* A file that is not there is ERR_NOT_FOUND; it can be read and followed nevertheless. */
bool log_file_open(struct log_file *f, const char *path, struct err *e);
void log_file_close(struct log_file *f);
/* From this byte on, or, if it is within a line, from the next one. */
bool log_file_seek(struct log_file *f, uint64_t at, struct err *e);
/* All lines that are there now. False: *e, or fn did not want any more (kind ERR_NONE). */
bool log_file_read(struct log_file *f, log_line_fn *fn, void *arg, struct err *e);
/* The same for what has come since; goes over to the new file when there is one. */
bool log_file_read_new(struct log_file *f, log_line_fn *fn, void *arg, struct err *e);
/* Until there may be more, or a signal comes. To be called once before the first reading, so that
 * nothing is missed between the two: it returns at once then. */
void log_file_wait(struct log_file *f);
