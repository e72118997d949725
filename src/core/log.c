/*
 * The log: one line per event, made in a buffer on the caller's stack (longer lines are cut) and
 * written with one write(2) to a file opened for appending, so lines of several threads do not
 * mix and a renamed file loses none.
 *
 * Everything that is printed passes one filter: control characters become \xNN, so no value from
 * outside can forge a line or an escape sequence of a terminal.
 */
#include "core/log.h"

#include "core/clock.h"
#include "core/mem.h"
#include "core/str.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE_MAX_BYTES 4096

static struct {
    pthread_mutex_t lock;
    _Atomic int fd;
    _Atomic int least;
    char *path; /* NULL: standard error */
} the_log = {.lock = PTHREAD_MUTEX_INITIALIZER, .fd = STDERR_FILENO, .least = LOG_LEVEL_INFO};

static int open_file(const char *path, struct err *e)
{
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);
    if (fd < 0)
        err_set_errno(e, errno, "log %s", path);
    return fd;
}

bool log_open(const char *path, enum log_level least, struct err *e)
{
    bool to_file = path && strcmp(path, "-") != 0;
    int fd = to_file ? open_file(path, e) : STDERR_FILENO;
    if (fd < 0)
        return false;
    pthread_mutex_lock(&the_log.lock);
    int old = atomic_exchange(&the_log.fd, fd);
    free(the_log.path);
    the_log.path = to_file ? mem_dup(path, strlen(path)) : NULL;
    if (old != STDERR_FILENO)
        close(old);
    pthread_mutex_unlock(&the_log.lock);
    log_set_level(least);
    return true;
}

bool log_reopen(struct err *e)
{
    bool ok = true;
    pthread_mutex_lock(&the_log.lock);
    if (the_log.path) {
        int fd = open_file(the_log.path, e);
        ok = fd >= 0;
        if (ok)
            close(atomic_exchange(&the_log.fd, fd));
    }
    pthread_mutex_unlock(&the_log.lock);
    return ok;
}

void log_set_level(enum log_level least)
{
    atomic_store_explicit(&the_log.least, (int)least, memory_order_relaxed);
}

bool log_enabled(enum log_level level)
{
    return (int)level >= atomic_load_explicit(&the_log.least, memory_order_relaxed);
}

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

void log_write(enum log_level level, const char *component, const char *id, const char *format, ...)
{
    int error = errno; /* for %m, and callers go on to use it */
    if (!log_enabled(level))
        return;
    struct line l;
    add_head(&l, level, component, id);
    char text[LINE_MAX_BYTES];
    va_list args;
    va_start(args, format);
    errno = error;
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (n > 0)
        add_clean(&l, text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1);
    l.bytes[l.n++] = '\n';
    /* A log that cannot be written must not stop the mail. */
    if (write(atomic_load(&the_log.fd), l.bytes, l.n) < 0)
        errno = error;
    errno = error;
}
