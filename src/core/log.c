/*
 * The log: one line per event, made in a buffer on the caller's stack; longer lines are cut.
 *
 * After log_open lines go to a buffer in memory, which a thread writes out every few
 * milliseconds: a disk that holds up writers does not hold up the loop, and under load many lines
 * share a system call. Errors are written before log_write returns, with all that is before them,
 * if the log is a file; so are the last lines at exit and (log_flush) before an abort. What does
 * not fit into the buffer, because nobody takes it, is dropped and counted. Before log_open, each
 * line is written at once to standard error.
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
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINE_MAX_BYTES 4096
#define PENDING_MAX    ((size_t)1024 * 1024)
#define GATHER_USEC    2000

static struct {
    pthread_mutex_t lock;   /* of the buffer and all that follows */
    pthread_mutex_t output; /* held while writing, so that lines stay in order; taken first */
    pthread_cond_t wake;
    _Atomic int least;
    int fd;
    char *path; /* NULL: standard error */
    bool opened, regular, running, sleeping;
    char *pending, *writing; /* PENDING_MAX each */
    size_t pending_n;
    unsigned long lost;
} the_log = {.lock = PTHREAD_MUTEX_INITIALIZER,
             .output = PTHREAD_MUTEX_INITIALIZER,
             .wake = PTHREAD_COND_INITIALIZER,
             .fd = STDERR_FILENO,
             .least = LOG_LEVEL_INFO};

/* --- output --- */

/* A log that cannot be written must not stop the mail. */
static void write_all(int fd, const char *p, size_t n)
{
    while (n > 0) {
        ssize_t done = write(fd, p, n);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return;
        p += done;
        n -= (size_t)done;
    }
}

/* Writes what is pending. The output lock keeps the descriptor from being closed. */
static void write_pending(void)
{
    pthread_mutex_lock(&the_log.output);
    pthread_mutex_lock(&the_log.lock);
    char *full = the_log.pending;
    size_t n = the_log.pending_n;
    unsigned long lost = the_log.lost;
    the_log.pending = the_log.writing;
    the_log.writing = full;
    the_log.pending_n = 0;
    the_log.lost = 0;
    int fd = the_log.fd;
    pthread_mutex_unlock(&the_log.lock);
    write_all(fd, full, n);
    if (lost > 0) {
        char line[80];
        int length = snprintf(line, sizeof line, "%lu lines of the log were lost\n", lost);
        write_all(fd, line, (size_t)length);
    }
    pthread_mutex_unlock(&the_log.output);
}

void log_flush(void)
{
    pthread_mutex_lock(&the_log.lock);
    bool any = the_log.pending_n > 0;
    pthread_mutex_unlock(&the_log.lock);
    if (any)
        write_pending();
}

static void *writer_main(void *arg)
{
    (void)arg;
    pthread_setname_np(pthread_self(), "maild-log");
    for (;;) {
        pthread_mutex_lock(&the_log.lock);
        while (the_log.pending_n == 0) {
            the_log.sleeping = true;
            pthread_cond_wait(&the_log.wake, &the_log.lock);
        }
        the_log.sleeping = false;
        pthread_mutex_unlock(&the_log.lock);
        usleep(GATHER_USEC);
        write_pending();
    }
    return NULL;
}

/* A child of fork has no writer; it starts its own. */
static void forked(void)
{
    pthread_mutex_init(&the_log.lock, NULL);
    pthread_mutex_init(&the_log.output, NULL);
    pthread_cond_init(&the_log.wake, NULL);
    the_log.running = the_log.sleeping = false;
    the_log.pending_n = 0;
}

static bool start_writer(void)
{
    sigset_t all, old;
    pthread_t thread;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    bool ok = pthread_create(&thread, NULL, writer_main, NULL) == 0;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (ok)
        pthread_detach(thread);
    return ok;
}

/* With the lock held. False: the line must be written by the caller. */
static bool add_pending(const char *p, size_t n)
{
    if (!the_log.opened)
        return false;
    if (!the_log.running && !(the_log.running = start_writer()))
        return false;
    if (the_log.pending_n + n > PENDING_MAX) {
        the_log.lost++;
        return true;
    }
    memcpy(the_log.pending + the_log.pending_n, p, n);
    the_log.pending_n += n;
    if (the_log.sleeping) {
        the_log.sleeping = false;
        pthread_cond_signal(&the_log.wake);
    }
    return true;
}

static void output_line(enum log_level level, const char *p, size_t n)
{
    pthread_mutex_lock(&the_log.lock);
    bool pending = add_pending(p, n);
    bool now = pending && level == LOG_LEVEL_ERROR && the_log.regular;
    int fd = the_log.fd;
    pthread_mutex_unlock(&the_log.lock);
    if (!pending)
        write_all(fd, p, n);
    else if (now)
        write_pending();
}

/* --- opening --- */

static int open_file(const char *path, struct err *e)
{
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);
    if (fd < 0)
        err_set_errno(e, errno, "log %s", path);
    return fd;
}

static bool is_regular(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

/* What was logged before goes to the old file. */
static void use_descriptor(int fd)
{
    log_flush();
    pthread_mutex_lock(&the_log.output);
    pthread_mutex_lock(&the_log.lock);
    if (!the_log.opened) {
        the_log.pending = mem_alloc(PENDING_MAX);
        the_log.writing = mem_alloc(PENDING_MAX);
        pthread_atfork(NULL, NULL, forked);
        atexit(log_flush);
        the_log.opened = true;
    }
    int old = the_log.fd;
    the_log.fd = fd;
    the_log.regular = is_regular(fd);
    if (old != STDERR_FILENO)
        close(old);
    pthread_mutex_unlock(&the_log.lock);
    pthread_mutex_unlock(&the_log.output);
}

bool log_open(const char *path, enum log_level least, struct err *e)
{
    bool to_file = path && strcmp(path, "-") != 0;
    int fd = to_file ? open_file(path, e) : STDERR_FILENO;
    if (fd < 0)
        return false;
    use_descriptor(fd);
    free(the_log.path);
    the_log.path = to_file ? mem_dup(path, strlen(path)) : NULL;
    log_set_level(least);
    return true;
}

bool log_reopen(struct err *e)
{
    if (!the_log.path)
        return true;
    int fd = open_file(the_log.path, e);
    if (fd < 0)
        return false;
    use_descriptor(fd);
    return true;
}

void log_set_level(enum log_level least)
{
    atomic_store_explicit(&the_log.least, (int)least, memory_order_relaxed);
}

bool log_enabled(enum log_level level)
{
    return (int)level >= atomic_load_explicit(&the_log.least, memory_order_relaxed);
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
    output_line(level, l.bytes, l.n);
    errno = error;
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
