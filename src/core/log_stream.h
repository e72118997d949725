#pragma once
/*
 * Inside of the log: lines on their way out. Callable from any thread; none of it waits for what
 * the lines go to, but for log_stream_flush, and that not for ever.
 */
#include "core/buf.h"
#include "core/clock.h"
#include "core/err.h"
#include "core/log_emit.h"

#include <pthread.h>
#include <stdatomic.h>

/* What went wrong, for who asks later. */
struct log_trouble {
    usec since, until; /* wall clock; since 0: nothing; until 0: it still does */
    int error;         /* errno */
    unsigned long lost;
};

/* Another descriptor, and where among the pending bytes its lines begin. */
struct log_next {
    bool wanted;
    int fd; /* -1: lines go nowhere */
    char *path;
    size_t at;
    unsigned long lost; /* lines that should have been in front of them */
};

enum log_writer_state { LOG_WRITER_BUSY, LOG_WRITER_NAPS, LOG_WRITER_SLEEPS };

struct log_stream {
    enum log_kind kind;
    pthread_mutex_t lock; /* of all that follows, but for what is the writer's */
    pthread_cond_t progress;
    int call;   /* eventfd: wakes the writer */
    char *path; /* of a file or a socket; NULL: the usual one, or none */
    bool opened, running;
    _Atomic bool open;
    _Atomic bool unwritten; /* lines wait, or are being written */
    enum log_writer_state state;
    bool hurry;              /* among the pending lines is an urgent one */
    char *pending, *writing; /* a buffer each */
    size_t pending_n;
    struct log_next next;
    unsigned long lost;
    uint64_t asked, answered; /* flushes */
    usec busy_since;          /* monotonic: the writer is writing; 0: it is not */
    struct log_trouble trouble;

    /* The writer's; others only look, with the lock. */
    int fd;
    char *fd_path;
    size_t left, left_n; /* of `writing`: what could not be written, and where it begins */
};
#define LOG_STREAM_INIT(what, descriptor)                                                          \
    {                                                                                              \
        .kind = (what), .lock = PTHREAD_MUTEX_INITIALIZER, .fd = (descriptor)                      \
    }

/* Takes the descriptor (log_emit_open). What was written before goes to the old one, as far as that
 * takes it. */
void log_stream_use(struct log_stream *l, int fd, const char *path);
/* What is pending is written, the file closed. Until it is opened again, lines go nowhere. */
void log_stream_close(struct log_stream *l);
/* The path anew, after the file was renamed; keeps the old file when that fails. BLOCKING. */
bool log_stream_reopen(struct log_stream *l, struct err *e);
/* Before it is opened, a line is written at once. urgent: with all before it, as soon as the writer
 * can. */
void log_stream_write(struct log_stream *l, bool urgent, const char *line, size_t n);
/* What was written before is out now, could not be written, or hangs: then it returns after three
 * seconds of the write that hangs, which may be at once. BLOCKING. */
void log_stream_flush(struct log_stream *l);
/* For a handler of faults, in which nothing can be waited for: whether lines wait, and then the
 * writer is called; whether they still wait. */
bool log_stream_call(struct log_stream *l);
bool log_stream_has_unwritten(struct log_stream *l);
/* Adds a line for people when something went wrong with it. */
void log_stream_tell_trouble(struct log_stream *l, struct buf *out);
/* In a child of fork: it has no writer; it starts its own. */
void log_stream_forked(struct log_stream *l);

/* A line that says that so many are missing. Of log.c. */
size_t log_lost_line(char *out, size_t size, unsigned long lost);
