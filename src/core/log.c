/*
 * The log: one line per event, made in a buffer on the caller's stack; longer lines are cut.
 *
 * Lines go through a stream (core/log_stream.h) that writes them in the background. Errors are
 * written before log_write returns, with all that is before them, if the log is a file; so are the
 * last lines at exit and (log_flush) before an abort. Before log_open, each line is written at once
 * to standard error.
 *
 * Everything that is printed passes one filter (core/log_format.h), so no value from outside can
 * forge a line, a field of one, or an escape sequence of a terminal.
 */
#include "core/log.h"

#include "core/clock.h"
#include "core/log_format.h"
#include "core/log_stream.h"
#include "core/str.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static struct log_stream the_log = LOG_STREAM_INIT(STDERR_FILENO);
static struct log_stream the_actions = LOG_STREAM_INIT(-1); /* not open: they go to the log */
static _Atomic int the_level = LOG_LEVEL_INFO;

/* --- opening --- */

void log_flush(void)
{
    log_stream_flush(&the_log);
    log_stream_flush(&the_actions);
}

static void forked(void)
{
    log_stream_forked(&the_log);
    log_stream_forked(&the_actions);
}

/* Once. */
static void prepare(void)
{
    static bool done;
    if (done)
        return;
    done = true;
    pthread_atfork(NULL, NULL, forked);
    atexit(log_flush);
}

static const char *file_of(const char *path)
{
    return path && path[0] && strcmp(path, "-") != 0 ? path : NULL;
}

bool log_open(const char *path, enum log_level least, struct err *e)
{
    prepare();
    if (!log_stream_open(&the_log, file_of(path), e))
        return false;
    log_set_level(least);
    return true;
}

bool log_open_actions(const char *path, struct err *e)
{
    prepare();
    if (!file_of(path)) {
        log_stream_close(&the_actions);
        return true;
    }
    return log_stream_open(&the_actions, file_of(path), e);
}

bool log_reopen(struct err *e)
{
    return log_stream_reopen(&the_log, e) && log_stream_reopen(&the_actions, e);
}

void log_set_level(enum log_level least)
{
    atomic_store_explicit(&the_level, (int)least, memory_order_relaxed);
}

bool log_enabled(enum log_level level)
{
    return (int)level >= atomic_load_explicit(&the_level, memory_order_relaxed);
}

/* --- lines --- */

#define SECOND_SIZE sizeof "2026-11-21T08:56:41"

/* Formatted once for all lines of a second. */
static const char *second_text(time_t seconds)
{
    static _Thread_local struct {
        time_t seconds;
        char text[SECOND_SIZE];
    } last;

    if (last.text[0] == '\0' || last.seconds != seconds) {
        struct tm t;
        gmtime_r(&seconds, &t);
        strftime(last.text, sizeof last.text, "%Y-%m-%dT%H:%M:%S", &t);
        last.seconds = seconds;
    }
    return last.text;
}

static void add_head(struct log_line *l, enum log_level level, const char *component,
                     const char *id)
{
    static const char *const names[] = {"debug", "info", "warning", "error"};
    usec now = clock_wall();
    int msec = (int)(now % USEC_SEC / USEC_MSEC);
    memcpy(l->bytes, second_text((time_t)(now / USEC_SEC)), SECOND_SIZE - 1);
    l->n = SECOND_SIZE - 1;
    l->n += (size_t)snprintf(l->bytes + l->n, 32, ".%03dZ %s ", msec, names[level]);
    log_line_add(l, component, strlen(component));
    if (id) {
        log_line_add(l, "[", 1);
        log_line_add(l, id, strlen(id));
        log_line_add(l, "]", 1);
    }
    log_line_add(l, ": ", 2);
}

static void add_text(struct log_line *l, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));
static void add_text(struct log_line *l, const char *format, va_list args)
{
    log_line_format(l, format, args);
    l->bytes[l->n++] = '\n';
}

void log_write(enum log_level level, const char *component, const char *id, const char *format, ...)
{
    int error = errno; /* for %m, and callers go on to use it */
    if (!log_enabled(level))
        return;
    struct log_line l;
    add_head(&l, level, component, id);
    va_list args;
    va_start(args, format);
    errno = error;
    add_text(&l, format, args);
    va_end(args);
    log_stream_write(&the_log, level == LOG_LEVEL_ERROR, l.bytes, l.n);
    errno = error;
}

void log_info_action(const char *component, const char *id, const char *format, ...)
{
    struct log_line l;
    add_head(&l, LOG_LEVEL_INFO, component, id);
    va_list args;
    va_start(args, format);
    add_text(&l, format, args);
    va_end(args);
    if (log_enabled(LOG_LEVEL_INFO))
        log_stream_write(&the_log, false, l.bytes, l.n);
    if (the_actions.path)
        log_stream_write(&the_actions, false, l.bytes, l.n);
}

void log_action(const char *component, const char *id, const char *format, ...)
{
    struct log_line l;
    add_head(&l, LOG_LEVEL_INFO, component, id);
    va_list args;
    va_start(args, format);
    add_text(&l, format, args);
    va_end(args);
    log_stream_write(the_actions.path ? &the_actions : &the_log, false, l.bytes, l.n);
}

static void add_safe(struct buf *b, struct str value, const char *special)
{
    for (size_t i = 0; i < value.n; i++) {
        unsigned char c = (unsigned char)value.p[i];
        if (c < ' ' || c == 0x7f || strchr(special, c))
            buf_printf(b, "\\x%02x", c);
        else
            buf_add_char(b, (char)c);
    }
}

void log_add_quoted(struct buf *b, struct str value)
{
    buf_add_char(b, '"');
    add_safe(b, value, "\"\\");
    buf_add_char(b, '"');
}

void log_add_bracketed(struct buf *b, struct str value)
{
    buf_add_char(b, '<');
    add_safe(b, value, ">");
    buf_add_char(b, '>');
}
