/*
 * The store as its users see it: the sink of the log, and a buffer that is given to the writer
 * (trace/writer.c) and comes back empty. There are two of them, so the lock is held for a copy or
 * an exchange of pointers. A full buffer means that the writer is late: the line is lost, and
 * counted.
 *
 * The writer sleeps until there is a line, then waits a moment for more: under load it is called
 * twenty times a second, not for each line.
 */
#include "trace/trace.h"

#include "core/log.h"
#include "core/mem.h"
#include "core/thread.h"
#include "trace/limits.h"
#include "trace/writer.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define CLOSE_PATIENCE (5 * USEC_SEC)
#define FLUSH_PATIENCE (5 * USEC_SEC)
#define IDLE_MSEC      60000 /* then it looks after its files */

#define FIELD(name) offsetof(struct trace_settings, name)
#define MIB         ((int64_t)1024 * 1024)
#define DAY         (24 * 3600 * USEC_SEC)

static const struct setting trace_table[] = {
    {"keep", SETTING_DURATION, FIELD(keep), "14d", 0, 3650 * DAY, NULL,
     "How long events of the log are kept for \"mailctl trace\" and \"mailctl report\". 0: they "
     "are "
     "not."},
    {"size_max", SETTING_SIZE, FIELD(size_max), "1G", 64 * MIB, 1024 * 1024 * MIB, NULL,
     "Disk space that they may take; the oldest go first."},
    {"path", SETTING_PATH, FIELD(path), "", 0, 0, NULL,
     "Folder of the events. Empty: trace in data_dir. Needs a restart."},
    {0},
};

const struct settings_block trace_settings_block = {
    .name = "trace",
    .help = "What happened to messages is kept for a while, with an index, so that mailctl can "
            "tell their stories.",
    .size = sizeof(struct trace_settings),
    .settings = trace_table,
};

enum writer_state { WRITER_BUSY, WRITER_NAPS, WRITER_SLEEPS, WRITER_ENDED };

struct trace {
    char *dir;
    int call; /* eventfd: wakes the writer */
    pthread_mutex_t lock;
    pthread_cond_t progress;
    struct trace_limits limits;
    char *pending, *spare; /* NULL: it is with the writer */
    size_t pending_n;
    uint64_t pending_lines, lost;
    uint64_t asked, flushed; /* flushes */
    enum writer_state state;
    bool ending;
    struct trace_report report; /* of the writer, as of its last turn */
};

static void call_writer(struct trace *t)
{
    uint64_t one = 1;
    if (write(t->call, &one, sizeof(one)) < 0)
        return; /* it is called already */
}

/* Whether it must be woken; with the lock held. */
static bool wants_call(struct trace *t)
{
    bool call = t->state == WRITER_SLEEPS ||
                (t->state == WRITER_NAPS && t->pending_n > TRACE_BUFFER_MAX / 2);
    if (call)
        t->state = WRITER_BUSY;
    return call;
}

static void take_line(void *arg, const struct log_event *event)
{
    struct trace *t = arg;
    size_t n = event->line.n;
    pthread_mutex_lock(&t->lock);
    if (t->pending_n + n + 1 > TRACE_BUFFER_MAX) {
        t->lost++;
    } else {
        memcpy(t->pending + t->pending_n, event->line.p, n);
        t->pending[t->pending_n + n] = '\n';
        t->pending_n += n + 1;
        t->pending_lines++;
    }
    bool call = wants_call(t);
    pthread_mutex_unlock(&t->lock);
    if (call)
        call_writer(t);
}

/* --- the writer's thread --- */

static void wait_for_call(struct trace *t, int msec)
{
    struct pollfd p = {.fd = t->call, .events = POLLIN};
    uint64_t calls;
    if (poll(&p, 1, msec) > 0 && read(t->call, &calls, sizeof(calls)) < 0)
        return;
}

/* Nothing to do: false when there is. */
static bool may_sleep(struct trace *t)
{
    pthread_mutex_lock(&t->lock);
    bool sleep = t->pending_n == 0 && t->asked == t->flushed && !t->ending;
    if (sleep)
        t->state = WRITER_SLEEPS;
    pthread_mutex_unlock(&t->lock);
    return sleep;
}

static void nap(struct trace *t)
{
    pthread_mutex_lock(&t->lock);
    bool now = t->asked != t->flushed || t->ending || t->pending_n > TRACE_BUFFER_MAX / 2;
    t->state = now ? WRITER_BUSY : WRITER_NAPS;
    pthread_mutex_unlock(&t->lock);
    if (!now)
        wait_for_call(t, TRACE_GATHER / 1000);
}

/* What is pending goes to the writer, with an empty buffer in its place. */
static struct writer_batch take_pending(struct trace *t, uint64_t *asked)
{
    pthread_mutex_lock(&t->lock);
    t->state = WRITER_BUSY;
    struct writer_batch batch = {.lines = {t->pending, t->pending_n},
                                 .count = t->pending_lines,
                                 .lost = t->lost,
                                 .limits = t->limits};
    char *full = t->pending;
    t->pending = t->spare;
    t->spare = full;
    t->pending_n = 0;
    t->pending_lines = t->lost = 0;
    *asked = t->asked;
    pthread_mutex_unlock(&t->lock);
    return batch;
}

static void tell_progress(struct trace *t, const struct writer *w, uint64_t asked)
{
    pthread_mutex_lock(&t->lock);
    writer_report(w, &t->report);
    t->flushed = asked;
    pthread_cond_broadcast(&t->progress);
    pthread_mutex_unlock(&t->lock);
}

/* Whether lines come so fast that other work has to wait. */
static bool is_urgent(void *arg)
{
    struct trace *t = arg;
    pthread_mutex_lock(&t->lock);
    bool urgent = t->pending_n > TRACE_BUFFER_MAX / 4 || t->asked != t->flushed || t->ending;
    pthread_mutex_unlock(&t->lock);
    return urgent;
}

static void writer_main(void *arg)
{
    struct trace *t = arg;
    struct writer *w = writer_new(t->dir, is_urgent, t);
    bool end = false, more = true;
    while (!end) {
        uint64_t asked;
        if (!more && may_sleep(t))
            wait_for_call(t, IDLE_MSEC);
        nap(t);
        pthread_mutex_lock(&t->lock);
        end = t->ending;
        pthread_mutex_unlock(&t->lock);
        struct writer_batch batch = take_pending(t, &asked);
        writer_keep(w, &batch);
        tell_progress(t, w, asked);
        bool calm = batch.lines.n <= TRACE_CALM_BYTES;
        more = writer_look_after(w, calm) || !calm;
    }
    writer_free(w);
    pthread_mutex_lock(&t->lock);
    t->state = WRITER_ENDED;
    pthread_cond_broadcast(&t->progress);
    pthread_mutex_unlock(&t->lock);
}

/* --- opening and closing --- */

static struct trace_limits limits_of(const struct trace_settings *settings)
{
    return (struct trace_limits){.keep = settings->keep, .size_max = (uint64_t)settings->size_max};
}

static void listen_to_log(struct trace *t)
{
    if (t->limits.keep > 0 && t->state != WRITER_ENDED)
        log_set_sink(take_line, t);
    else
        log_set_sink(NULL, NULL);
}

struct trace *trace_open(const char *dir, const struct trace_settings *settings)
{
    struct trace *t = MEM_NEW(struct trace);
    struct err e;
    t->dir = mem_dup(dir, strlen(dir));
    t->limits = limits_of(settings);
    t->pending = mem_alloc(TRACE_BUFFER_MAX);
    t->spare = mem_alloc(TRACE_BUFFER_MAX);
    t->call = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    pthread_mutex_init(&t->lock, NULL);
    pthread_cond_init(&t->progress, NULL);
    if (t->call < 0 || !thread_start("maild-trace", writer_main, t, &e)) {
        t->state = WRITER_ENDED;
        t->report.trouble = true;
        snprintf(t->report.reason, sizeof(t->report.reason), "the thread cannot be started");
    }
    listen_to_log(t);
    return t;
}

void trace_set_limits(struct trace *t, const struct trace_settings *settings)
{
    pthread_mutex_lock(&t->lock);
    t->limits = limits_of(settings);
    pthread_mutex_unlock(&t->lock);
    listen_to_log(t);
}

/* Seconds count: a thread that hangs in the disk must not keep the process. */
static bool wait_for_progress(struct trace *t, usec patience)
{
    struct timespec until;
    usec end = clock_wall() + patience;
    until.tv_sec = (time_t)(end / USEC_SEC);
    until.tv_nsec = (long)(end % USEC_SEC) * 1000;
    return pthread_cond_timedwait(&t->progress, &t->lock, &until) == 0;
}

void trace_close(struct trace *t)
{
    if (!t)
        return;
    log_set_sink(NULL, NULL);
    pthread_mutex_lock(&t->lock);
    t->ending = true;
    pthread_mutex_unlock(&t->lock);
    call_writer(t);
    pthread_mutex_lock(&t->lock);
    while (t->state != WRITER_ENDED && wait_for_progress(t, CLOSE_PATIENCE))
        ;
    bool ended = t->state == WRITER_ENDED;
    pthread_mutex_unlock(&t->lock);
    if (!ended) /* it hangs in the disk, and what it works on is left to it */
        return;
    close(t->call);
    pthread_mutex_destroy(&t->lock);
    pthread_cond_destroy(&t->progress);
    free(t->pending);
    free(t->spare);
    free(t->dir);
    free(t);
}

void trace_flush(struct trace *t)
{
    pthread_mutex_lock(&t->lock);
    uint64_t mine = ++t->asked;
    pthread_mutex_unlock(&t->lock);
    call_writer(t);
    pthread_mutex_lock(&t->lock);
    while (t->flushed < mine && t->state != WRITER_ENDED && wait_for_progress(t, FLUSH_PATIENCE))
        ;
    pthread_mutex_unlock(&t->lock);
}

const char *trace_dir(const struct trace *t)
{
    return t->dir;
}

/* --- what is to be told --- */

void trace_count(struct trace *t, struct trace_counts *counts)
{
    pthread_mutex_lock(&t->lock);
    *counts = t->report.counts;
    counts->lost += t->lost;
    pthread_mutex_unlock(&t->lock);
}

void trace_troubles(struct trace *t, struct buf *out)
{
    pthread_mutex_lock(&t->lock);
    const struct trace_report *r = &t->report;
    if (r->trouble)
        buf_printf(out, "events for \"mailctl trace\" are not kept: %s\n", r->reason);
    if (r->counts.lost + t->lost > 0)
        buf_printf(out, "%llu events of the log were not kept since the start\n",
                   (unsigned long long)(r->counts.lost + t->lost));
    if (r->counts.damaged > 0)
        buf_printf(out, "%llu files of events could not be read and were set aside: %s/*.damaged\n",
                   (unsigned long long)r->counts.damaged, t->dir);
    pthread_mutex_unlock(&t->lock);
}
