#pragma once
/*
 * Inside of the log: lines on their way out. Callable from any thread.
 */
#include "core/buf.h"
#include "core/clock.h"
#include "core/err.h"
#include "core/log_emit.h"

#include <pthread.h>
#include <semaphore.h>

/* What went wrong, for who asks later. */
struct log_trouble {
    usec since, until; /* wall clock; since 0: nothing; until 0: it still does */
    int error;         /* errno */
    unsigned long lost;
};

struct log_stream {
    pthread_mutex_t lock;   /* of the buffer and all that follows */
    pthread_mutex_t output; /* held while writing, so that lines stay in order; taken first */
    sem_t calls;            /* of the writer, which is `sleeping` */
    enum log_kind kind;
    int fd;
    char *path; /* of a file or a socket; NULL: the usual one, or none */
    bool opened, open, regular, running, sleeping;
    char *pending, *writing; /* a buffer each */
    size_t pending_n;
    size_t left, left_n; /* of `writing`: what could not be written, and where it begins */
    unsigned long lost;
    struct log_trouble trouble;
};
#define LOG_STREAM_INIT(what, descriptor)                                                          \
    {                                                                                              \
        .lock = PTHREAD_MUTEX_INITIALIZER, .output = PTHREAD_MUTEX_INITIALIZER, .kind = (what),    \
        .fd = (descriptor)                                                                         \
    }

/* Takes the descriptor (log_emit_open). What was written before goes to the old one. Not from two
 * threads at once. */
void log_stream_use(struct log_stream *l, int fd, const char *path);
/* What is pending is written, the file closed. Until it is opened again, lines go nowhere. */
void log_stream_close(struct log_stream *l);
/* The path anew, after the file was renamed; keeps the old file when that fails. */
bool log_stream_reopen(struct log_stream *l, struct err *e);
/* Before it is opened, a line is written at once. urgent: so is this one, with all before it, if
 * the stream is a file. */
void log_stream_write(struct log_stream *l, bool urgent, const char *line, size_t n);
void log_stream_flush(struct log_stream *l);
/* Adds a line for people when something went wrong with it. */
void log_stream_tell_trouble(struct log_stream *l, struct buf *out);
/* In a child of fork: it has no writer; it starts its own. */
void log_stream_forked(struct log_stream *l);

/* A line that says that so many are missing. Of log.c. */
size_t log_lost_line(char *out, size_t size, unsigned long lost);
