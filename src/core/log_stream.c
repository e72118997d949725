/*
 * A stream of lines on its way to a file, to standard error, syslog or the journal. Lines go to a
 * buffer in memory, which a thread writes out every few milliseconds: what holds up writers does
 * not hold up the loop, and under load many lines share a system call.
 *
 * What cannot be written (the disk is full, syslog is not there) is tried again every second, and
 * meanwhile new lines wait in the buffer; what does not fit any more is dropped, counted, and said
 * when there is room again. That it happened is kept for the sysadmin (log_troubles).
 */
#include "core/log_stream.h"

#include "core/mem.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PENDING_MAX ((size_t)1024 * 1024)
#define GATHER_USEC 10000
#define AGAIN_USEC  USEC_SEC

/* --- writing --- */

static void note_trouble(struct log_stream *l, int error)
{
    if (l->trouble.since == 0 || l->trouble.until != 0)
        l->trouble.since = clock_wall();
    l->trouble.until = 0;
    l->trouble.error = error;
}

static void note_success(struct log_stream *l)
{
    if (l->trouble.since != 0 && l->trouble.until == 0)
        l->trouble.until = clock_wall();
}

struct chunk {
    const char *p;
    size_t n;
    int fd;
    unsigned long lost; /* lines that should have been behind it */
    bool rest;          /* left over from before: there may be more */
};

static struct chunk take_pending(struct log_stream *l)
{
    pthread_mutex_lock(&l->lock);
    struct chunk c = {.fd = l->fd, .rest = l->left_n > 0};
    if (!c.rest) {
        char *full = l->pending;
        l->pending = l->writing;
        l->writing = full;
        l->left = 0;
        l->left_n = l->pending_n;
        l->pending_n = 0;
        c.lost = l->lost;
        l->trouble.lost += l->lost;
        l->lost = 0;
    }
    c.p = l->writing + l->left;
    c.n = l->left_n;
    pthread_mutex_unlock(&l->lock);
    return c;
}

/* False: something is left. */
static bool put_back(struct log_stream *l, size_t done, int error)
{
    pthread_mutex_lock(&l->lock);
    l->left += done;
    l->left_n -= done;
    bool ok = l->left_n == 0;
    if (ok)
        note_success(l);
    else
        note_trouble(l, error);
    pthread_mutex_unlock(&l->lock);
    return ok;
}

static void write_lost(const struct log_stream *l, int fd, unsigned long lost)
{
    char line[160];
    size_t n = log_lost_line(line, sizeof line, lost);
    log_emit(l->kind, fd, l->path, line, n);
}

static bool write_chunk(struct log_stream *l, const struct chunk *c)
{
    if (c->n == 0)
        return true;
    size_t done = log_emit(l->kind, c->fd, l->path, c->p, c->n);
    return put_back(l, done, errno);
}

/* Writes what is pending. The output lock keeps the descriptor from being closed. False: not all
 * could be written. */
static bool write_pending(struct log_stream *l)
{
    struct chunk c;
    bool ok;
    pthread_mutex_lock(&l->output);
    do {
        c = take_pending(l);
        ok = write_chunk(l, &c);
        if (ok && c.lost > 0)
            write_lost(l, c.fd, c.lost);
    } while (ok && c.rest);
    pthread_mutex_unlock(&l->output);
    return ok;
}

static bool has_pending(struct log_stream *l)
{
    pthread_mutex_lock(&l->lock);
    bool any = l->pending_n > 0 || l->left_n > 0 || l->lost > 0;
    pthread_mutex_unlock(&l->lock);
    return any;
}

void log_stream_flush(struct log_stream *l)
{
    if (has_pending(l))
        write_pending(l);
}

static void *writer_main(void *arg)
{
    struct log_stream *l = arg;
    pthread_setname_np(pthread_self(), "maild-log");
    for (;;) {
        pthread_mutex_lock(&l->lock);
        l->sleeping = l->pending_n == 0 && l->left_n == 0 && l->lost == 0;
        bool sleep = l->sleeping;
        pthread_mutex_unlock(&l->lock);
        if (sleep) {
            while (sem_wait(&l->calls) < 0 && errno == EINTR)
                ;
        }
        usleep(GATHER_USEC);
        if (!write_pending(l))
            usleep(AGAIN_USEC);
    }
    return NULL;
}

static bool start_writer(struct log_stream *l)
{
    sigset_t all, old;
    pthread_t thread;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    bool ok = pthread_create(&thread, NULL, writer_main, l) == 0;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (ok)
        pthread_detach(thread);
    return ok;
}

/* With the lock held. False: the line must be written by the caller. */
static bool add_pending(struct log_stream *l, const char *p, size_t n, bool *call)
{
    if (!l->opened)
        return false;
    if (!l->open)
        return true;
    if (!l->running && !(l->running = start_writer(l)))
        return false;
    if (l->pending_n + n > PENDING_MAX) {
        l->lost++;
        return true;
    }
    memcpy(l->pending + l->pending_n, p, n);
    l->pending_n += n;
    *call = l->sleeping;
    l->sleeping = false;
    return true;
}

void log_stream_write(struct log_stream *l, bool urgent, const char *p, size_t n)
{
    bool call = false;
    pthread_mutex_lock(&l->lock);
    bool pending = add_pending(l, p, n, &call);
    bool now = pending && urgent && l->regular;
    int fd = l->fd;
    pthread_mutex_unlock(&l->lock);
    if (call)
        sem_post(&l->calls);
    if (!pending)
        log_emit(l->kind, fd, NULL, p, n);
    else if (now)
        write_pending(l);
}

/* --- opening --- */

static bool is_regular(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

/* With both locks held. */
static void replace_descriptor(struct log_stream *l, int fd)
{
    if (!l->opened) {
        l->pending = mem_alloc(PENDING_MAX);
        l->writing = mem_alloc(PENDING_MAX);
        l->opened = true;
    }
    if (l->fd > STDERR_FILENO)
        close(l->fd);
    l->fd = fd;
    l->open = fd >= 0;
    l->regular = fd >= 0 && is_regular(fd);
}

void log_stream_use(struct log_stream *l, int fd, const char *path)
{
    log_stream_flush(l);
    pthread_mutex_lock(&l->output);
    pthread_mutex_lock(&l->lock);
    replace_descriptor(l, fd);
    if (path != l->path) {
        free(l->path);
        l->path = path ? mem_dup(path, strlen(path)) : NULL;
    }
    pthread_mutex_unlock(&l->lock);
    pthread_mutex_unlock(&l->output);
}

void log_stream_close(struct log_stream *l)
{
    if (!l->open)
        return;
    log_stream_use(l, -1, NULL);
    pthread_mutex_lock(&l->lock);
    l->left_n = l->pending_n = 0;
    note_success(l);
    pthread_mutex_unlock(&l->lock);
}

bool log_stream_reopen(struct log_stream *l, struct err *e)
{
    if (!l->open || l->kind != LOG_KIND_FILE)
        return true;
    int fd = log_emit_open(l->kind, l->path, e);
    if (fd < 0)
        return false;
    log_stream_use(l, fd, l->path);
    return true;
}

void log_stream_forked(struct log_stream *l)
{
    pthread_mutex_init(&l->lock, NULL);
    pthread_mutex_init(&l->output, NULL);
    sem_init(&l->calls, 0, 0);
    l->running = l->sleeping = false;
    l->pending_n = l->left_n = 0;
}

/* --- troubles --- */

static const char *name_of(const struct log_stream *l)
{
    static const char *const names[] = {"the log", "standard error", "syslog", "the journal"};
    return l->path ? l->path : names[l->kind];
}

static void add_time(struct buf *out, usec when)
{
    struct tm t;
    char text[32];
    time_t seconds = (time_t)(when / USEC_SEC);
    gmtime_r(&seconds, &t);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &t);
    buf_add_c(out, text);
}

void log_stream_tell_trouble(struct log_stream *l, struct buf *out)
{
    pthread_mutex_lock(&l->lock);
    struct log_trouble t = l->trouble;
    unsigned long lost = t.lost + l->lost;
    if (t.since != 0) {
        buf_printf(out, "%s %s be written %s ", name_of(l), t.until ? "could not" : "cannot",
                   t.until ? "from" : "since");
        add_time(out, t.since);
        if (t.until) {
            buf_add_c(out, " to ");
            add_time(out, t.until);
        }
        buf_printf(out, ": %s", strerror(t.error));
        if (lost > 0)
            buf_printf(out, "; %lu lines are lost", lost);
        buf_add_char(out, '\n');
    } else if (lost > 0) {
        buf_printf(out, "%s was too slow: %lu lines are lost\n", name_of(l), lost);
    }
    pthread_mutex_unlock(&l->lock);
}
