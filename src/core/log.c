/*
 * The log: one line per event, made in a buffer on the caller's stack; longer lines are cut.
 *
 * Lines go through a stream (core/log_stream.h) that writes them in the background. Errors are
 * written before log_write returns, with all that is before them, if the log is a file; so are the
 * last lines at exit and (log_flush) before an abort. Before log_open, each line is written at once
 * to standard error.
 *
 * Everything that is printed passes one filter: control characters become \xNN, so no value from
 * outside can forge a line or an escape sequence of a terminal.
 */
#include "core/log.h"

#include "core/clock.h"
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

#define LINE_MAX_BYTES 4096

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

struct line {
    char bytes[LINE_MAX_BYTES];
    size_t n;
};

/* Room is kept for the line end. */
static void add(struct line *l, const char *p, size_t n)
{
    size_t room = sizeof l->bytes - 1 - l->n;
    if (n > room)
        n = room;
    memcpy(l->bytes + l->n, p, n);
    l->n += n;
}

/* Control characters as \xNN; also the two bytes of the C1 controls in UTF-8, which some
 * terminals obey. */
static void add_clean(struct line *l, const char *p, size_t n)
{
    size_t plain = 0;
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)p[i];
        bool c1 = c == 0xc2 && i + 1 < n && (unsigned char)p[i + 1] < 0xa0;
        if (c >= 0x20 && c != 0x7f && !c1)
            continue;
        char hex[5];
        snprintf(hex, sizeof hex, "\\x%02x", c);
        add(l, p + plain, i - plain);
        add(l, hex, 4);
        plain = i + 1;
    }
    add(l, p + plain, n - plain);
}

static void add_head(struct line *l, enum log_level level, const char *component, const char *id)
{
    static const char *const names[] = {"debug", "info", "warning", "error"};
    usec now = clock_wall();
    time_t seconds = (time_t)(now / USEC_SEC);
    struct tm t;
    gmtime_r(&seconds, &t);
    l->n = strftime(l->bytes, 64, "%Y-%m-%dT%H:%M:%S", &t);
    l->n += (size_t)snprintf(l->bytes + l->n, 32, ".%03dZ %s ", (int)(now % USEC_SEC / USEC_MSEC),
                             names[level]);
    add_clean(l, component, strlen(component));
    if (id) {
        add(l, "[", 1);
        add_clean(l, id, strlen(id));
        add(l, "]", 1);
    }
    add(l, ": ", 2);
}

static void add_text(struct line *l, const char *format, va_list args)
{
    char text[LINE_MAX_BYTES];
    int n = vsnprintf(text, sizeof text, format, args);
    if (n > 0)
        add_clean(l, text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1);
    l->bytes[l->n++] = '\n';
}

void log_write(enum log_level level, const char *component, const char *id, const char *format, ...)
{
    int error = errno; /* for %m, and callers go on to use it */
    if (!log_enabled(level))
        return;
    struct line l;
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
    struct line l;
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
    struct line l;
    add_head(&l, LOG_LEVEL_INFO, component, id);
    va_list args;
    va_start(args, format);
    add_text(&l, format, args);
    va_end(args);
    log_stream_write(the_actions.path ? &the_actions : &the_log, false, l.bytes, l.n);
}

void log_add_quoted(struct buf *b, struct str value)
{
    buf_add_char(b, '"');
    for (size_t i = 0; i < value.n; i++) {
        unsigned char c = (unsigned char)value.p[i];
        if (c == '"' || c == '\\' || c < ' ' || c == 0x7f)
            buf_printf(b, "\\x%02x", c);
        else
            buf_add_char(b, (char)c);
    }
    buf_add_char(b, '"');
}
