/*
 * The log: one line per event, made in a buffer on the caller's stack; longer lines are cut.
 *
 * Lines go through a stream for each target (core/log_stream.h) that writes them in the background,
 * an error at once. The last lines are waited for, but not for ever: at exit, before an abort
 * (log_flush), and in the handler of faults. Before log_open, each line is written at once to
 * standard error.
 *
 * Everything that is printed passes one filter (core/log_format.h), so no value from outside can
 * forge a line, a field of one, or an escape sequence of a terminal.
 */
#include "core/log.h"

#include "core/clock.h"
#include "core/disk.h"
#include "core/log_format.h"
#include "core/log_stream.h"
#include "core/mem.h"
#include "core/str.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static struct log_stream the_logs[LOG_KINDS] = {
    [LOG_KIND_FILE] = LOG_STREAM_INIT(LOG_KIND_FILE, -1),
    [LOG_KIND_STDERR] = LOG_STREAM_INIT(LOG_KIND_STDERR, STDERR_FILENO),
    [LOG_KIND_SYSLOG] = LOG_STREAM_INIT(LOG_KIND_SYSLOG, -1),
    [LOG_KIND_JOURNAL] = LOG_STREAM_INIT(LOG_KIND_JOURNAL, -1),
};
static _Atomic unsigned the_targets = 1u << LOG_KIND_STDERR;               /* bits: which of them */
static struct log_stream the_actions = LOG_STREAM_INIT(LOG_KIND_FILE, -1); /* or in the log */
static _Atomic int the_level = LOG_LEVEL_INFO;
static struct {
    log_sink_fn *_Atomic fn;
    void *_Atomic arg;
    _Atomic unsigned calls; /* that are in it at the moment */
} the_sink;

/* --- all of them --- */

void log_flush(void)
{
    for (int k = 0; k < LOG_KINDS; k++)
        log_stream_flush(&the_logs[k]);
    log_stream_flush(&the_actions);
}

#define FAULT_PATIENCE_MSEC 200
#define FAULT_STEP_MSEC     2

/* A fault in the writer's own thread is one of the reasons not to wait long. */
void log_flush_in_handler(void)
{
    bool waiting = log_stream_call(&the_actions);
    for (int k = 0; k < LOG_KINDS; k++)
        waiting |= log_stream_call(&the_logs[k]);
    for (int spent = 0; waiting && spent < FAULT_PATIENCE_MSEC; spent += FAULT_STEP_MSEC) {
        poll(NULL, 0, FAULT_STEP_MSEC);
        waiting = log_stream_has_unwritten(&the_actions);
        for (int k = 0; k < LOG_KINDS; k++)
            waiting |= log_stream_has_unwritten(&the_logs[k]);
    }
}

static void forked(void)
{
    for (int k = 0; k < LOG_KINDS; k++)
        log_stream_forked(&the_logs[k]);
    log_stream_forked(&the_actions);
    atomic_store(&the_sink.fn, NULL);
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

/* --- changing --- */

struct output {
    bool wanted;
    char *path; /* NULL: the kind has none, or the usual one */
    int fd;     /* -1: the one that is open stays */
    bool made;  /* was not there before */
};

struct log_change {
    enum log_level least;
    struct output logs[LOG_KINDS], actions;
};

static bool is_at(const struct log_stream *l, const char *path)
{
    return l->open && (path && l->path ? strcmp(path, l->path) == 0 : !path && !l->path);
}

static bool prepare_output(const struct log_stream *l, const char *path, struct output *o,
                           struct err *e)
{
    if (o->wanted)
        return true;
    o->wanted = true;
    o->path = path ? mem_dup(path, strlen(path)) : NULL;
    if (is_at(l, path))
        return true;
    o->made = l->kind == LOG_KIND_FILE && access(path, F_OK) != 0;
    o->fd = log_emit_open(l->kind, path, e);
    return o->fd >= 0;
}

static bool prepare_all(struct log_change *c, const struct log_target *list, size_t count,
                        const char *actions, struct err *e)
{
    for (size_t i = 0; i < count; i++)
        if (!prepare_output(&the_logs[list[i].kind], list[i].path, &c->logs[list[i].kind], e))
            return false;
    return !file_of(actions) || prepare_output(&the_actions, actions, &c->actions, e);
}

struct log_change *log_prepare(const struct log_target *list, size_t count, enum log_level least,
                               const char *actions, struct err *e)
{
    struct log_change *c = MEM_NEW(struct log_change);
    prepare();
    c->least = least;
    c->actions.fd = -1;
    for (int k = 0; k < LOG_KINDS; k++)
        c->logs[k].fd = -1;
    if (prepare_all(c, list, count, actions, e))
        return c;
    log_forget(c);
    return NULL;
}

static void use_output(struct log_stream *l, struct output *o)
{
    if (o->fd >= 0)
        log_stream_use(l, o->fd, o->path);
    o->fd = -1;
}

void log_apply(struct log_change *c)
{
    unsigned targets = 0;
    log_set_level(c->least);
    for (int k = 0; k < LOG_KINDS; k++) {
        use_output(&the_logs[k], &c->logs[k]);
        targets |= c->logs[k].wanted ? 1u << k : 0;
    }
    use_output(&the_actions, &c->actions);
    atomic_store(&the_targets, targets);
    for (int k = 0; k < LOG_KINDS; k++)
        if (!c->logs[k].wanted)
            log_stream_close(&the_logs[k]);
    if (!c->actions.wanted)
        log_stream_close(&the_actions);
    log_forget(c);
}

static void forget_output(struct output *o)
{
    if (o->fd > STDERR_FILENO)
        close(o->fd);
    if (o->fd >= 0 && o->made)
        disk_unlink(o->path, NULL);
    free(o->path);
}

void log_forget(struct log_change *c)
{
    if (!c)
        return;
    for (int k = 0; k < LOG_KINDS; k++)
        forget_output(&c->logs[k]);
    forget_output(&c->actions);
    free(c);
}

/* --- opening --- */

bool log_open(const char *path, enum log_level least, struct err *e)
{
    const char *file = file_of(path);
    const struct log_target target = {file ? LOG_KIND_FILE : LOG_KIND_STDERR, file};
    struct log_change *c = log_prepare(&target, 1, least, the_actions.path, e);
    if (c)
        log_apply(c);
    return c != NULL;
}

bool log_open_actions(const char *path, struct err *e)
{
    prepare();
    if (!file_of(path)) {
        log_stream_close(&the_actions);
        return true;
    }
    int fd = log_emit_open(LOG_KIND_FILE, path, e);
    if (fd >= 0)
        log_stream_use(&the_actions, fd, path);
    return fd >= 0;
}

bool log_reopen(struct err *e)
{
    return log_stream_reopen(&the_logs[LOG_KIND_FILE], e) && log_stream_reopen(&the_actions, e);
}

void log_troubles(struct buf *out)
{
    for (int k = 0; k < LOG_KINDS; k++)
        log_stream_tell_trouble(&the_logs[k], out);
    log_stream_tell_trouble(&the_actions, out);
}

/* --- levels --- */

const char *const log_level_names[] = {"debug", "info", "warning", "error", NULL};

bool log_level_of_name(struct str name, enum log_level *level)
{
    for (size_t i = 0; log_level_names[i]; i++)
        if (str_equal(name, str_from_c(log_level_names[i]))) {
            *level = (enum log_level)i;
            return true;
        }
    return false;
}

void log_set_level(enum log_level least)
{
    atomic_store_explicit(&the_level, (int)least, memory_order_relaxed);
}

enum log_level log_level(void)
{
    return (enum log_level)atomic_load_explicit(&the_level, memory_order_relaxed);
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

/* A line with what is known of its parts. */
struct line {
    struct log_line l;
    usec when;
    enum log_level level;
    struct str component, id;
    size_t head; /* bytes in front of the text */
};

static struct str add_part(struct log_line *l, const char *part)
{
    size_t from = l->n;
    log_line_add(l, part, strlen(part));
    return (struct str){l->bytes + from, l->n - from};
}

static void add_head(struct line *line, enum log_level level, const char *component, const char *id)
{
    struct log_line *l = &line->l;
    line->when = clock_wall();
    line->level = level;
    int msec = (int)(line->when % USEC_SEC / USEC_MSEC);
    memcpy(l->bytes, second_text((time_t)(line->when / USEC_SEC)), SECOND_SIZE - 1);
    l->n = SECOND_SIZE - 1;
    const char fraction[] = {
        '.', (char)('0' + msec / 100), (char)('0' + msec / 10 % 10), (char)('0' + msec % 10), 'Z',
        ' '};
    log_line_add(l, fraction, sizeof fraction);
    log_line_add(l, log_level_names[level], strlen(log_level_names[level]));
    log_line_add(l, " ", 1);
    line->component = add_part(l, component);
    line->id = STR("");
    if (id) {
        log_line_add(l, "[", 1);
        line->id = add_part(l, id);
        log_line_add(l, "]", 1);
    }
    log_line_add(l, ": ", 2);
    line->head = l->n;
}

static void make_line(struct line *line, enum log_level level, const char *component,
                      const char *id, const char *format, va_list args)
    __attribute__((format(printf, 5, 0)));
static void make_line(struct line *line, enum log_level level, const char *component,
                      const char *id, const char *format, va_list args)
{
    int error = errno; /* for %m */
    add_head(line, level, component, id);
    errno = error;
    log_line_format(&line->l, format, args);
    line->l.bytes[line->l.n++] = '\n';
}

static void write_to(struct log_stream *to, const struct line *line)
{
    log_stream_write(to, line->level == LOG_LEVEL_ERROR, line->l.bytes, line->l.n);
}

static void write_line(const struct line *line)
{
    unsigned targets = atomic_load_explicit(&the_targets, memory_order_relaxed);
    for (int k = 0; k < LOG_KINDS; k++)
        if (targets & 1u << k)
            write_to(&the_logs[k], line);
}

size_t log_lost_line(char *out, size_t size, unsigned long lost)
{
    struct line line;
    char text[80];
    add_head(&line, LOG_LEVEL_WARNING, "maild", NULL);
    int n = snprintf(text, sizeof text, "lines of the log were lost count=%lu\n", lost);
    assert(n > 0 && line.l.n + (size_t)n <= size);
    memcpy(out, line.l.bytes, line.l.n);
    memcpy(out + line.l.n, text, (size_t)n);
    return line.l.n + (size_t)n;
}

/* --- the sink --- */

void log_set_sink(log_sink_fn *fn, void *arg)
{
    atomic_store(&the_sink.fn, NULL);
    while (atomic_load(&the_sink.calls) > 0)
        sched_yield();
    atomic_store(&the_sink.arg, arg);
    atomic_store(&the_sink.fn, fn);
}

static bool has_sink(enum log_level level)
{
    return level >= LOG_LEVEL_INFO && atomic_load_explicit(&the_sink.fn, memory_order_relaxed);
}

static void sink_line(const struct line *line)
{
    if (!has_sink(line->level))
        return;
    struct log_event event = {
        .when = line->when,
        .level = line->level,
        .component = line->component,
        .id = line->id,
        .text = {line->l.bytes + line->head, line->l.n - 1 - line->head},
        .line = {line->l.bytes, line->l.n - 1},
    };
    atomic_fetch_add(&the_sink.calls, 1);
    log_sink_fn *fn = atomic_load(&the_sink.fn);
    if (fn)
        fn(atomic_load(&the_sink.arg), &event);
    atomic_fetch_sub(&the_sink.calls, 1);
}

/* --- what is logged --- */

void log_write(enum log_level level, const char *component, const char *id, const char *format, ...)
{
    int error = errno; /* callers go on to use it */
    bool enabled = log_enabled(level);
    if (!enabled && !has_sink(level))
        return;
    struct line line;
    va_list args;
    va_start(args, format);
    make_line(&line, level, component, id, format, args);
    va_end(args);
    if (enabled)
        write_line(&line);
    sink_line(&line);
    errno = error;
}

void log_info_action(const char *component, const char *id, const char *format, ...)
{
    struct line line;
    va_list args;
    va_start(args, format);
    make_line(&line, LOG_LEVEL_INFO, component, id, format, args);
    va_end(args);
    if (log_enabled(LOG_LEVEL_INFO))
        write_line(&line);
    if (the_actions.open)
        write_to(&the_actions, &line);
    sink_line(&line);
}

void log_action(const char *component, const char *id, const char *format, ...)
{
    struct line line;
    va_list args;
    va_start(args, format);
    make_line(&line, LOG_LEVEL_INFO, component, id, format, args);
    va_end(args);
    if (the_actions.open)
        write_to(&the_actions, &line);
    else
        write_line(&line);
    sink_line(&line);
}

void log_trace(const char *component, const char *id, const char *format, ...)
{
    if (!has_sink(LOG_LEVEL_INFO))
        return;
    struct line line;
    va_list args;
    va_start(args, format);
    make_line(&line, LOG_LEVEL_INFO, component, id, format, args);
    va_end(args);
    sink_line(&line);
}

/* special: two characters; NUL is a control anyway. */
static void add_safe(struct buf *b, struct str value, const char special[2])
{
    size_t done = 0;
    for (size_t i = 0; i < value.n; i++) {
        unsigned char c = (unsigned char)value.p[i];
        if (c >= ' ' && c != 0x7f && c != (unsigned char)special[0] &&
            c != (unsigned char)special[1])
            continue;
        buf_add(b, value.p + done, i - done);
        buf_printf(b, "\\x%02x", c);
        done = i + 1;
    }
    buf_add(b, value.p + done, value.n - done);
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
    add_safe(b, value, ">>");
    buf_add_char(b, '>');
}
