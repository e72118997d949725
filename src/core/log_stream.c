/*
 * A stream of lines on its way to a file. Lines go to a buffer in memory, which a thread writes out
 * every few milliseconds: a disk that holds up writers does not hold up the loop, and under load
 * many lines share a system call. What does not fit into the buffer, because nobody takes it, is
 * dropped and counted.
 */
#include "core/log_stream.h"

#include "core/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PENDING_MAX ((size_t)1024 * 1024)
#define GATHER_USEC 10000

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
static void write_pending(struct log_stream *l)
{
    pthread_mutex_lock(&l->output);
    pthread_mutex_lock(&l->lock);
    char *full = l->pending;
    size_t n = l->pending_n;
    unsigned long lost = l->lost;
    l->pending = l->writing;
    l->writing = full;
    l->pending_n = 0;
    l->lost = 0;
    int fd = l->fd;
    pthread_mutex_unlock(&l->lock);
    write_all(fd, full, n);
    if (lost > 0) {
        char line[80];
        int length = snprintf(line, sizeof line, "%lu lines of the log were lost\n", lost);
        write_all(fd, line, (size_t)length);
    }
    pthread_mutex_unlock(&l->output);
}

void log_stream_flush(struct log_stream *l)
{
    pthread_mutex_lock(&l->lock);
    bool any = l->pending_n > 0;
    pthread_mutex_unlock(&l->lock);
    if (any)
        write_pending(l);
}

static void *writer_main(void *arg)
{
    struct log_stream *l = arg;
    pthread_setname_np(pthread_self(), "maild-log");
    for (;;) {
        pthread_mutex_lock(&l->lock);
        l->sleeping = l->pending_n == 0;
        bool sleep = l->sleeping;
        pthread_mutex_unlock(&l->lock);
        if (sleep) {
            while (sem_wait(&l->calls) < 0 && errno == EINTR)
                ;
        }
        usleep(GATHER_USEC);
        write_pending(l);
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
        write_all(fd, p, n);
    else if (now)
        write_pending(l);
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
static void use_descriptor(struct log_stream *l, int fd)
{
    log_stream_flush(l);
    pthread_mutex_lock(&l->output);
    pthread_mutex_lock(&l->lock);
    if (!l->opened) {
        l->pending = mem_alloc(PENDING_MAX);
        l->writing = mem_alloc(PENDING_MAX);
        l->opened = true;
    }
    int old = l->fd;
    l->fd = fd;
    l->regular = is_regular(fd);
    if (old != STDERR_FILENO)
        close(old);
    pthread_mutex_unlock(&l->lock);
    pthread_mutex_unlock(&l->output);
}

bool log_stream_open(struct log_stream *l, const char *path, struct err *e)
{
    int fd = path ? open_file(path, e) : STDERR_FILENO;
    if (fd < 0)
        return false;
    use_descriptor(l, fd);
    char *old = l->path;
    l->path = path ? mem_dup(path, strlen(path)) : NULL;
    free(old);
    return true;
}

void log_stream_close(struct log_stream *l)
{
    log_stream_flush(l);
    pthread_mutex_lock(&l->output);
    pthread_mutex_lock(&l->lock);
    if (l->fd > STDERR_FILENO)
        close(l->fd);
    l->fd = -1;
    pthread_mutex_unlock(&l->lock);
    pthread_mutex_unlock(&l->output);
    free(l->path);
    l->path = NULL;
}

bool log_stream_reopen(struct log_stream *l, struct err *e)
{
    if (!l->path)
        return true;
    int fd = open_file(l->path, e);
    if (fd < 0)
        return false;
    use_descriptor(l, fd);
    return true;
}

void log_stream_forked(struct log_stream *l)
{
    pthread_mutex_init(&l->lock, NULL);
    pthread_mutex_init(&l->output, NULL);
    sem_init(&l->calls, 0, 0);
    l->running = l->sleeping = false;
    l->pending_n = 0;
}
