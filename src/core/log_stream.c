/*
 * A stream of lines on its way to a file, to standard error, syslog or the journal. Lines go to a
 * buffer in memory, and a thread writes them out: within fifty milliseconds, sooner when they are
 * many or one of them is urgent. Nobody else touches the descriptor, so what holds up the writer -
 * a disk that hangs, a pipe that nobody reads - holds up nobody else, lines stay in order, and
 * under load many of them share a system call. Who wants them out (log_stream_flush) asks the
 * writer for a turn and waits for it, not for ever; a handler of faults looks at a flag.
 *
 * What cannot be written (the disk is full, syslog is not there) is tried again every second, and
 * meanwhile new lines wait in the buffer; what does not fit any more is dropped, counted, and said
 * when there is room again. That it happened is kept for the sysadmin (log_troubles).
 *
 * Another descriptor takes its turn where it was put into the lines: those before it go to the old
 * one if that takes them, and to the new one if not.
 */
#include "core/log_stream.h"

#include "core/mem.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define PENDING_MAX ((size_t)1024 * 1024)
/* Lines are gathered so long, or until they are so many bytes. */
#define GATHER_MSEC 50
#define GATHER_MAX  ((size_t)64 * 1024)
#define AGAIN_MSEC  1000
/* A write that takes longer hangs, and nobody waits for it any more. */
#define FLUSH_PATIENCE (3 * USEC_SEC)
/* So long it may take before the sysadmin is told. */
#define HANGS_AFTER USEC_SEC

/* --- calling the writer --- */

/* Safe in a handler of signals. */
static void call_writer(const struct log_stream *l)
{
    int error = errno;
    uint64_t one = 1;
    if (write(l->call, &one, sizeof one) < 0)
        errno = error; /* it is called already */
}

static void wait_for_call(const struct log_stream *l, int msec)
{
    struct pollfd p = {.fd = l->call, .events = POLLIN};
    uint64_t calls;
    if (poll(&p, 1, msec) > 0 && read(l->call, &calls, sizeof calls) < 0)
        return;
}

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

/* What a turn of the writer has to do. */
struct turn {
    size_t n;             /* bytes for the descriptor that is in use */
    struct log_next next; /* behind them */
    unsigned long lost;   /* lines that should have been behind all */
    bool rest;            /* left over from before: there may be more */
};

static struct turn begin_turn(struct log_stream *l)
{
    pthread_mutex_lock(&l->lock);
    struct turn t = {.rest = l->left_n > 0};
    if (!t.rest) {
        char *full = l->pending;
        l->pending = l->writing;
        l->writing = full;
        l->left = 0;
        l->left_n = l->pending_n;
        l->pending_n = 0;
        t.next = l->next;
        l->next = (struct log_next){0};
        t.lost = l->lost;
        l->trouble.lost += l->lost;
        l->lost = 0;
        l->hurry = false;
    }
    t.n = t.next.wanted ? t.next.at : l->left_n;
    l->busy_since = clock_monotonic();
    pthread_mutex_unlock(&l->lock);
    return t;
}

/* Of what is left; false: not all of it. */
static bool write_left(struct log_stream *l, size_t n)
{
    if (n == 0)
        return true;
    size_t done = log_emit(l->kind, l->fd, l->fd_path, l->writing + l->left, n);
    int error = errno;
    pthread_mutex_lock(&l->lock);
    l->left += done;
    l->left_n -= done;
    if (done == n)
        note_success(l);
    else
        note_trouble(l, error);
    pthread_mutex_unlock(&l->lock);
    return done == n;
}

static void close_output(struct log_stream *l)
{
    if (l->fd > STDERR_FILENO)
        close(l->fd);
    free(l->fd_path);
}

/* Without a descriptor, what is left goes nowhere. */
static void use_next(struct log_stream *l, const struct log_next *next)
{
    close_output(l);
    pthread_mutex_lock(&l->lock);
    l->fd = next->fd;
    l->fd_path = next->path;
    if (l->fd < 0) {
        l->left_n = 0;
        note_success(l);
    }
    pthread_mutex_unlock(&l->lock);
}

/* Lines could not be written, and there is another place for them. */
static bool take_next(struct log_stream *l, struct turn *t)
{
    if (t->next.wanted)
        return true;
    pthread_mutex_lock(&l->lock);
    t->next = l->next;
    l->next = (struct log_next){0};
    pthread_mutex_unlock(&l->lock);
    return t->next.wanted;
}

static void write_lost(const struct log_stream *l, unsigned long lost)
{
    char line[160];
    size_t n = log_lost_line(line, sizeof line, lost);
    log_emit(l->kind, l->fd, l->fd_path, line, n);
}

static bool take_turn(struct log_stream *l, struct turn *t)
{
    bool ok = write_left(l, t->n);
    if (t->next.wanted || (!ok && take_next(l, t))) {
        if (ok && t->next.lost > 0)
            write_lost(l, t->next.lost);
        else
            t->lost += t->next.lost;
        use_next(l, &t->next);
        ok = write_left(l, l->left_n);
    }
    if (ok && t->lost > 0)
        write_lost(l, t->lost);
    return ok;
}

/* Writes what is pending. False: not all could be written. */
static bool write_pending(struct log_stream *l)
{
    struct turn t;
    bool ok;
    pthread_mutex_lock(&l->lock);
    uint64_t asked = l->asked;
    pthread_mutex_unlock(&l->lock);
    do {
        t = begin_turn(l);
        ok = take_turn(l, &t);
    } while (ok && t.rest);
    pthread_mutex_lock(&l->lock);
    l->busy_since = 0;
    l->answered = asked;
    atomic_store(&l->unwritten, l->left_n > 0 || l->pending_n > 0);
    pthread_cond_broadcast(&l->progress);
    pthread_mutex_unlock(&l->lock);
    return ok;
}

/* --- the writer's thread --- */

static bool is_wanted(const struct log_stream *l)
{
    return l->asked != l->answered || l->next.wanted;
}

/* Until there is a line. */
static void sleep_without_lines(struct log_stream *l)
{
    pthread_mutex_lock(&l->lock);
    bool sleep = l->pending_n == 0 && l->left_n == 0 && l->lost == 0 && !is_wanted(l);
    if (sleep)
        l->state = LOG_WRITER_SLEEPS;
    pthread_mutex_unlock(&l->lock);
    if (sleep)
        wait_for_call(l, -1);
}

/* For more lines. */
static void nap(struct log_stream *l)
{
    pthread_mutex_lock(&l->lock);
    bool now = l->hurry || l->pending_n > GATHER_MAX || is_wanted(l);
    l->state = now ? LOG_WRITER_BUSY : LOG_WRITER_NAPS;
    pthread_mutex_unlock(&l->lock);
    if (!now)
        wait_for_call(l, GATHER_MSEC);
}

/* Lines do not call meanwhile. */
static void wait_to_try_again(struct log_stream *l)
{
    pthread_mutex_lock(&l->lock);
    bool now = is_wanted(l);
    pthread_mutex_unlock(&l->lock);
    if (!now)
        wait_for_call(l, AGAIN_MSEC);
}

static void *writer_main(void *arg)
{
    struct log_stream *l = arg;
    pthread_setname_np(pthread_self(), "maild-log");
    for (;;) {
        sleep_without_lines(l);
        nap(l);
        pthread_mutex_lock(&l->lock);
        l->state = LOG_WRITER_BUSY;
        pthread_mutex_unlock(&l->lock);
        if (!write_pending(l))
            wait_to_try_again(l);
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

/* --- lines --- */

/* Whether the writer must be called; with the lock held. */
static bool wants_call(struct log_stream *l, bool urgent)
{
    l->hurry |= urgent;
    bool call = l->state == LOG_WRITER_SLEEPS ||
                (l->state == LOG_WRITER_NAPS && (urgent || l->pending_n > GATHER_MAX));
    if (call)
        l->state = LOG_WRITER_BUSY;
    return call;
}

/* With the lock held. False: the line must be written by the caller. */
static bool add_pending(struct log_stream *l, const char *p, size_t n)
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
    atomic_store_explicit(&l->unwritten, true, memory_order_relaxed);
    return true;
}

void log_stream_write(struct log_stream *l, bool urgent, const char *p, size_t n)
{
    pthread_mutex_lock(&l->lock);
    bool pending = add_pending(l, p, n);
    bool call = pending && l->running && wants_call(l, urgent);
    int fd = l->fd;
    pthread_mutex_unlock(&l->lock);
    if (call)
        call_writer(l);
    if (!pending)
        log_emit(l->kind, fd, NULL, p, n);
}

/* --- flushing --- */

static bool wait_for_progress(struct log_stream *l, usec until)
{
    struct timespec t = {.tv_sec = (time_t)(until / USEC_SEC),
                         .tv_nsec = (long)(until % USEC_SEC) * 1000};
    return pthread_cond_timedwait(&l->progress, &l->lock, &t) == 0;
}

void log_stream_flush(struct log_stream *l)
{
    pthread_mutex_lock(&l->lock);
    if (l->running) {
        uint64_t mine = ++l->asked;
        call_writer(l);
        usec since = l->busy_since ? l->busy_since : clock_monotonic();
        while (l->answered < mine && wait_for_progress(l, since + FLUSH_PATIENCE))
            ;
    }
    pthread_mutex_unlock(&l->lock);
}

bool log_stream_call(struct log_stream *l)
{
    bool unwritten = atomic_load(&l->unwritten);
    if (unwritten)
        call_writer(l);
    return unwritten;
}

bool log_stream_has_unwritten(struct log_stream *l)
{
    return atomic_load(&l->unwritten);
}

/* --- opening --- */

static void prepare_waiting(struct log_stream *l)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&l->progress, &monotonic);
    pthread_condattr_destroy(&monotonic);
    l->call = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}

/* Before there is a writer. */
static void use_at_once(struct log_stream *l, const struct log_next *next)
{
    if (!l->opened) {
        prepare_waiting(l);
        l->pending = mem_alloc(PENDING_MAX);
        l->writing = mem_alloc(PENDING_MAX);
        l->opened = true;
    }
    close_output(l);
    l->fd = next->fd;
    l->fd_path = next->path;
}

/* In its place within the lines. One that never had its turn is forgotten. */
static void use_in_turn(struct log_stream *l, const struct log_next *next)
{
    struct log_next old = l->next;
    if (old.wanted && old.fd > STDERR_FILENO)
        close(old.fd);
    free(old.path);
    l->next = *next;
    l->next.at = old.wanted ? old.at : l->pending_n;
    l->next.lost = old.wanted ? old.lost : l->lost;
    if (!old.wanted) {
        l->trouble.lost += l->lost;
        l->lost = 0;
    }
    call_writer(l);
}

static char *copy_of(const char *path)
{
    return path ? mem_dup(path, strlen(path)) : NULL;
}

void log_stream_use(struct log_stream *l, int fd, const char *path)
{
    struct log_next next = {.wanted = true, .fd = fd, .path = copy_of(path)};
    char *name = copy_of(path);
    pthread_mutex_lock(&l->lock);
    if (l->running)
        use_in_turn(l, &next);
    else
        use_at_once(l, &next);
    l->open = fd >= 0;
    free(l->path);
    l->path = name;
    pthread_mutex_unlock(&l->lock);
}

void log_stream_close(struct log_stream *l)
{
    if (l->open)
        log_stream_use(l, -1, NULL);
}

bool log_stream_reopen(struct log_stream *l, struct err *e)
{
    pthread_mutex_lock(&l->lock);
    char *path = l->open && l->kind == LOG_KIND_FILE ? copy_of(l->path) : NULL;
    pthread_mutex_unlock(&l->lock);
    if (!path)
        return true;
    int fd = log_emit_open(l->kind, path, e);
    if (fd >= 0)
        log_stream_use(l, fd, path);
    free(path);
    return fd >= 0;
}

void log_stream_forked(struct log_stream *l)
{
    pthread_mutex_init(&l->lock, NULL);
    l->running = false;
    l->pending_n = l->left_n = 0;
    atomic_store(&l->unwritten, false);
    if (!l->opened)
        return;
    close(l->call);
    prepare_waiting(l);
    l->asked = l->answered = 0;
    l->busy_since = 0;
    if (l->next.wanted)
        use_at_once(l, &l->next);
    l->next = (struct log_next){0};
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

static void add_lost(struct buf *out, unsigned long lost)
{
    if (lost > 0)
        buf_printf(out, "; %lu lines are lost", lost);
}

void log_stream_tell_trouble(struct log_stream *l, struct buf *out)
{
    pthread_mutex_lock(&l->lock);
    struct log_trouble t = l->trouble;
    unsigned long lost = t.lost + l->lost;
    usec hangs = l->busy_since ? clock_monotonic() - l->busy_since : 0;
    if (hangs > HANGS_AFTER) {
        buf_printf(out, "%s takes no lines since ", name_of(l));
        add_time(out, clock_wall() - hangs);
        buf_add_c(out, ": its disk, or who reads it, hangs");
        add_lost(out, lost);
        buf_add_char(out, '\n');
    } else if (t.since != 0) {
        buf_printf(out, "%s %s be written %s ", name_of(l), t.until ? "could not" : "cannot",
                   t.until ? "from" : "since");
        add_time(out, t.since);
        if (t.until) {
            buf_add_c(out, " to ");
            add_time(out, t.until);
        }
        buf_printf(out, ": %s", strerror(t.error));
        add_lost(out, lost);
        buf_add_char(out, '\n');
    } else if (lost > 0) {
        buf_printf(out, "%s was too slow: %lu lines are lost\n", name_of(l), lost);
    }
    pthread_mutex_unlock(&l->lock);
}
