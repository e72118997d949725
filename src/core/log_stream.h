#pragma once
/*
 * Inside of the log: lines on their way to a file. Callable from any thread.
 */
#include "core/err.h"

#include <pthread.h>
#include <semaphore.h>

struct log_stream {
    pthread_mutex_t lock;   /* of the buffer and all that follows */
    pthread_mutex_t output; /* held while writing, so that lines stay in order; taken first */
    sem_t calls;            /* of the writer, which is `sleeping` */
    int fd;
    char *path; /* NULL: none, or standard error */
    bool opened, regular, running, sleeping;
    char *pending, *writing; /* a buffer each */
    size_t pending_n;
    unsigned long lost;
};
#define LOG_STREAM_INIT(descriptor)                                                                \
    {                                                                                              \
        .lock = PTHREAD_MUTEX_INITIALIZER, .output = PTHREAD_MUTEX_INITIALIZER, .fd = (descriptor) \
    }

/* path NULL: standard error. What was written before goes to the old file. Not from two threads at
 * once. */
bool log_stream_open(struct log_stream *l, const char *path, struct err *e);
/* What is pending is written, the file closed. Until it is opened again, lines go nowhere. */
void log_stream_close(struct log_stream *l);
/* The path anew, after the file was renamed; keeps the old file when that fails. */
bool log_stream_reopen(struct log_stream *l, struct err *e);
/* Before it is opened, a line is written at once. urgent: so is this one, with all before it, if
 * the stream is a file. */
void log_stream_write(struct log_stream *l, bool urgent, const char *line, size_t n);
void log_stream_flush(struct log_stream *l);
/* In a child of fork: it has no writer; it starts its own. */
void log_stream_forked(struct log_stream *l);
