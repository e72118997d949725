/*
 * Once a minute a fiber looks at the queue and adds what it sees to the record of the present step
 * of each span, which a worker then writes: three records of 64 bytes, not synced. The present
 * records are in memory and were read from the file at start, so a restart goes on with them.
 *
 * A file with a damaged head, or of another size or version, is started anew.
 */
#include "queue/statistics.h"

#include "core/disk.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/worker.h"
#include "queue/queue_internal.h"
#include "queue/statistics_ring.h"

#include <fcntl.h>
#include <stdlib.h>

#define MINUTE (60 * USEC_SEC)

struct statistics {
    struct queue *queue;
    char *path;
    struct timer timer;
    struct statistics_sample present[STATISTICS_SPANS];
    struct queue_stats counted; /* when the last sample was made */
    bool usable;                /* the file */
    bool complained;
    bool writing, stopping;
    struct cond written;
};

struct statistics *statistics_new(struct queue *q)
{
    struct statistics *s = MEM_NEW(struct statistics);
    struct buf path = BUF_EMPTY;
    buf_printf(&path, "%s/statistics", q->context.spool_dir);
    buf_c(&path);
    s->path = path.p;
    s->queue = q;
    return s;
}

void statistics_free(struct statistics *s)
{
    timer_clear(&s->timer);
    free(s->path);
    free(s);
}

/* --- the file, on a worker --- */

struct open_job {
    const char *path;
    int64_t now;
    struct statistics_sample present[STATISTICS_SPANS];
    bool ok, damaged;
    struct err error;
};

static bool head_is_valid(int fd, const struct open_job *j)
{
    uint64_t size;
    size_t got;
    struct err ignored;
    char *head = mem_alloc(STATISTICS_HEAD);
    bool valid = disk_size(fd, &size) && size == statistics_file_size() &&
                 disk_read_at(fd, head, STATISTICS_HEAD, 0, &got, j->path, &ignored) &&
                 statistics_head_is_valid(str_from(head, got));
    free(head);
    return valid;
}

static void read_present(int fd, struct open_job *j)
{
    for (int span = 0; span < STATISTICS_SPANS; span++) {
        char record[STATISTICS_RECORD];
        size_t got;
        struct err ignored;
        struct statistics_sample sample;
        int64_t time = statistics_step_of((enum statistics_span)span, j->now);
        uint64_t at = statistics_record_offset((enum statistics_span)span, time);
        if (disk_read_at(fd, record, sizeof(record), at, &got, j->path, &ignored) &&
            got == sizeof(record) && statistics_record_read(record, &sample) && sample.time == time)
            j->present[span] = sample;
    }
}

static bool start_anew(int fd, struct open_job *j)
{
    struct buf head = BUF_EMPTY;
    statistics_head_write(&head);
    bool ok = disk_truncate(fd, 0, j->path, &j->error) &&
              disk_write_at(fd, &(struct iovec){head.p, head.n}, 1, 0, j->path, &j->error) &&
              disk_truncate(fd, statistics_file_size(), j->path, &j->error);
    buf_free(&head);
    return ok;
}

static void open_file(void *arg)
{
    struct open_job *j = arg;
    uint64_t size;
    int fd;
    if (!disk_open(j->path, O_RDWR | O_CREAT, 0600, &fd, &j->error))
        return;
    j->ok = true;
    if (head_is_valid(fd, j)) {
        read_present(fd, j);
    } else {
        j->damaged = disk_size(fd, &size) && size > 0;
        j->ok = start_anew(fd, j);
    }
    disk_close(fd);
}

SUSPENDS void statistics_open(struct statistics *s)
{
    struct open_job j = {.path = s->path, .now = clock_wall() / USEC_SEC};
    worker_run(WORKER_DISK, open_file, &j);
    if (j.damaged)
        log_warning("queue", NULL, "statistics damaged file=<%s>: they begin anew", s->path);
    if (!j.ok)
        log_warning("queue", NULL, "statistics not kept: %s", j.error.text);
    s->usable = j.ok;
    memcpy(s->present, j.present, sizeof(s->present));
}

struct write_job {
    const char *path;
    struct statistics_sample present[STATISTICS_SPANS];
    bool ok;
    struct err error;
};

static void write_records(void *arg)
{
    struct write_job *j = arg;
    int fd;
    if (!disk_open(j->path, O_WRONLY, 0, &fd, &j->error))
        return;
    j->ok = true;
    for (int span = 0; j->ok && span < STATISTICS_SPANS; span++) {
        char record[STATISTICS_RECORD];
        statistics_record_write(record, &j->present[span]);
        j->ok = disk_write_at(
            fd, &(struct iovec){record, sizeof(record)}, 1,
            statistics_record_offset((enum statistics_span)span, j->present[span].time), j->path,
            &j->error);
    }
    disk_close(fd);
}

/* --- a look at the queue --- */

static struct statistics_sample look(struct statistics *s)
{
    struct queue_stats now;
    queue_get_stats(s->queue, &now);
    const struct queue_stats *before = &s->counted;
    struct statistics_sample sample = {
        .minutes = 1,
        .messages = now.messages,
        .messages_max = now.messages,
        .bytes = now.bytes,
        .bytes_max = now.bytes,
        .accepted = now.accepted - before->accepted,
        .delivered = now.delivered_local + now.delivered_remote - before->delivered_local -
                     before->delivered_remote,
        .deferred = now.deferred - before->deferred,
        .bounced = now.bounced - before->bounced,
    };
    s->counted = now;
    return sample;
}

/* What happened belongs to the minute that ends about now. */
static void take_sample(struct statistics *s)
{
    struct statistics_sample sample = look(s);
    int64_t seconds = (clock_wall() - MINUTE / 2) / USEC_SEC;
    for (int span = 0; span < STATISTICS_SPANS; span++) {
        int64_t time = statistics_step_of((enum statistics_span)span, seconds);
        struct statistics_sample *present = &s->present[span];
        if (present->time != time)
            *present = (struct statistics_sample){.time = time};
        statistics_sample_add(present, &sample);
    }
}

SUSPENDS static void write_sample(struct statistics *s)
{
    struct write_job j = {.path = s->path};
    take_sample(s);
    memcpy(j.present, s->present, sizeof(j.present));
    worker_run(WORKER_DISK, write_records, &j);
    if (!j.ok && !s->complained)
        log_warning("queue", NULL, "statistics have a gap: %s", j.error.text);
    s->complained = !j.ok;
}

static void set_timer(struct statistics *s);

static void write_fiber(void *arg)
{
    struct statistics *s = arg;
    write_sample(s);
    s->writing = false;
    cond_broadcast(&s->written);
    set_timer(s);
}

static void minute_is_over(void *arg)
{
    struct statistics *s = arg;
    s->writing =
        fiber_start(s->queue->context.loop, "statistics of the queue", write_fiber, s) != NULL;
    if (!s->writing)
        set_timer(s);
}

static void set_timer(struct statistics *s)
{
    if (s->usable && !s->stopping)
        timer_set(&s->timer, deadline_in(MINUTE - clock_wall() % MINUTE), minute_is_over, s);
}

void statistics_start(struct statistics *s)
{
    set_timer(s);
}

SUSPENDS void statistics_stop(struct statistics *s)
{
    s->stopping = true;
    timer_clear(&s->timer);
    while (s->writing)
        cond_wait_certain(&s->written);
    if (s->usable)
        write_sample(s);
}

/* --- reading --- */

struct read_job {
    const char *path;
    enum statistics_span span;
    int64_t now;
    struct statistics_sample *list;
    size_t count;
    bool ok;
    struct err error;
};

static void read_ring(void *arg)
{
    struct read_job *j = arg;
    size_t size = statistics_steps(j->span) * STATISTICS_RECORD, got;
    char *ring = mem_alloc(size);
    int fd;
    j->ok = disk_open(j->path, O_RDONLY, 0, &fd, &j->error);
    if (j->ok) {
        j->ok =
            disk_read_at(fd, ring, size, statistics_ring_offset(j->span), &got, j->path, &j->error);
        disk_close(fd);
    }
    if (j->ok)
        j->count = statistics_ring_read(j->span, str_from(ring, got), j->now, j->list);
    free(ring);
}

SUSPENDS bool statistics_read(struct queue *q, enum statistics_span span, struct arena *a,
                              struct statistics_sample **list, size_t *count, struct err *e)
{
    const struct statistics *s = q->statistics;
    struct read_job j = {.path = s->path,
                         .span = span,
                         .now = clock_wall() / USEC_SEC,
                         .list = arena_array(a, statistics_steps(span), sizeof(**list))};
    if (!s->usable)
        return err_set(e, ERR_IO, "%s cannot be used: there are no statistics", s->path);
    worker_run(WORKER_DISK, read_ring, &j);
    *list = j.list;
    *count = j.count;
    return j.ok || err_set(e, j.error.kind, "%s", j.error.text);
}
