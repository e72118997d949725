/*
 * The journal: appending and committing in groups.
 *
 * A record is 20 bytes (owner, type, version, flags, length, position, checksum) and its payload.
 * Appending copies it into the pending batch. The committer writes one batch at a time, on a
 * worker thread of its own, with one durable write past the page cache; what is appended
 * meanwhile makes the next batch. So the number of fibers that share a sync grows by itself
 * with the load, and a single one waits for nothing but its own.
 *
 * A batch fills up its last block with zeros, and the next begins with a fresh block: what is
 * durable is never written over until its segment is used again, so no torn write can damage it. A
 * batch lies within one segment. When the current one has no room, the next batch goes to the next
 * free segment, together with the header block that begins its use: still one write.
 *
 * Waiters are kept in order of position and released in that order.
 */
#include "core/journal_private.h"

#include "core/crc32c.h"
#include "core/disk.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/random.h"
#include "core/worker.h"

#include <assert.h>
#include <stdlib.h>

#define MIB              ((uint64_t)1024 * 1024)
#define SPARE_BATCHES    4
#define FREE_SEGMENTS    2
#define SEGMENT_SIZE_MIN ((uint64_t)64 * 1024)
#define IDLE_FLUSH       (50 * USEC_MSEC)
#define PREPARE_RETRY    USEC_SEC

static void commit_start(void *arg);

uint32_t journal_seed(uint64_t salt)
{
    return crc32c(0, &salt, sizeof salt);
}

/* --- opening --- */

struct opening {
    struct journal *j;
    struct err *e;
    bool ok;
};

static void open_on_worker(void *arg)
{
    struct opening *o = arg;
    struct journal *j = o->j;
    struct buf lock = BUF_EMPTY;
    buf_printf(&lock, "%s/lock", j->dir);
    o->ok = disk_make_dirs(j->dir, 0700, o->e) && disk_lock(buf_c(&lock), &j->lock, o->e);
    buf_free(&lock);
}

static void take_limits(struct journal *j, uint64_t size_max, usec checkpoint_interval)
{
    j->size_max = size_max ? size_max : 256 * MIB;
    if (j->size_max < 4 * j->segment_size)
        j->size_max = 4 * j->segment_size;
    j->checkpoint_interval = checkpoint_interval > 0 ? checkpoint_interval : 300 * USEC_SEC;
}

void journal_set_limits(struct journal *j, uint64_t size_max, usec checkpoint_interval)
{
    take_limits(j, size_max, checkpoint_interval);
    cond_broadcast(&j->room);
    cond_broadcast(&j->checkpoint_wake);
    journal_consider_checkpoint(j);
}

static void free_journal(struct journal *j)
{
    while (j->active.first)
        segment_free(segment_list_take(&j->active));
    while (j->free.first)
        segment_free(segment_list_take(&j->free));
    while (j->spare) {
        struct batch *b = j->spare;
        j->spare = b->next;
        free(b->memory);
        free(b);
    }
    disk_close(j->lock);
    free(j->dir);
    free(j->checkpoint_path);
    free(j->checkpoint_copy);
    damage_free_all(j);
    free(j);
}

struct journal *journal_open(const struct journal_settings *s, struct err *e)
{
    struct journal *j = MEM_NEW(struct journal);
    j->loop = loop_current();
    j->lock = -1;
    j->dir = mem_dup(s->dir, strlen(s->dir));
    struct buf path = BUF_EMPTY;
    buf_printf(&path, "%s/checkpoint", s->dir);
    buf_c(&path);
    j->checkpoint_path = path.p;
    path = BUF_EMPTY;
    buf_printf(&path, "%s/checkpoint.copy", s->dir);
    buf_c(&path);
    j->checkpoint_copy = path.p;
    j->segment_size = s->segment_size ? s->segment_size : 16 * MIB;
    if (j->segment_size < SEGMENT_SIZE_MIN)
        j->segment_size = SEGMENT_SIZE_MIN;
    j->segment_size &= ~(uint64_t)(JOURNAL_BLOCK - 1);
    take_limits(j, s->size_max, s->checkpoint_interval);
    j->disk_reserve = s->disk_reserve ? s->disk_reserve : 64 * MIB;
    j->next = 1;
    j->next_sequence = 1;
    j->salt = random_u64();
    j->seed = journal_seed(j->salt);
    struct opening o = {.j = j, .e = e};
    worker_run(WORKER_DISK, open_on_worker, &o);
    if (!o.ok) {
        free_journal(j);
        return NULL;
    }
    return j;
}

void journal_add_consumer(struct journal *j, const struct journal_consumer *c)
{
    assert(!j->started && j->consumer_count < JOURNAL_CONSUMERS);
    j->consumers[j->consumer_count++] = *c;
}

static void idle_flush(void *arg);

bool journal_start(struct journal *j, struct err *e)
{
    assert(!j->started);
    if (!journal_recover(j, e))
        return false;
    j->started = true;
    if (!journal_run_checkpoint(j, e)) {
        j->started = false;
        return false;
    }
    return journal_start_checkpoints(j) ||
           err_set(e, ERR_TEMP, "there is no fiber left for the journal");
}

void journal_close(struct journal *j)
{
    struct err e;
    j->closing = true;
    while (j->checkpoint_fiber) {
        cond_broadcast(&j->checkpoint_wake);
        cond_wait_certain(&j->checkpoint_ended);
    }
    if (j->started && !j->failed && !journal_run_checkpoint(j, &e))
        log_warning("maild", NULL, "the last checkpoint failed, the next start will replay: %s",
                    e.text);
    while (j->committing || j->preparing || j->space_checking)
        cond_wait_certain(&j->room);
    /* Fibers that were released run before the memory goes. */
    while (j->releasing > 0 || j->commit_deferred)
        fiber_yield();
    timer_clear(&j->idle_flush);
    free_journal(j);
}

/* --- appending --- */

static size_t batch_room(const struct journal *j)
{
    uint64_t segment = j->segment_size - JOURNAL_BLOCK;
    return segment < JOURNAL_BATCH_MAX ? (size_t)segment : JOURNAL_BATCH_MAX;
}

static struct batch *batch_new(struct journal *j)
{
    struct batch *b = j->spare;
    if (b) {
        j->spare = b->next;
        j->spare_count--;
    } else {
        b = MEM_NEW(struct batch);
        b->memory = aligned_alloc(JOURNAL_BLOCK, JOURNAL_BLOCK + JOURNAL_BATCH_MAX);
        if (!b->memory)
            mem_alloc(SIZE_MAX); /* says so and ends the process */
    }
    b->next = NULL;
    b->n = 0;
    b->first = j->next;
    if (j->pending_last)
        j->pending_last->next = b;
    else
        j->pending_first = b;
    j->pending_last = b;
    return b;
}

static void batch_recycle(struct journal *j, struct batch *b)
{
    if (j->spare_count == SPARE_BATCHES) {
        free(b->memory);
        free(b);
        return;
    }
    b->next = j->spare;
    j->spare = b;
    j->spare_count++;
}

static void put_u32(char *p, uint32_t v)
{
    v = htole32(v);
    memcpy(p, &v, sizeof v);
}

static void put_u64(char *p, uint64_t v)
{
    v = htole64(v);
    memcpy(p, &v, sizeof v);
}

static void put_record(const struct journal *j, char *at, uint8_t flags, lsn position,
                       const uint8_t kind[3], size_t length, const struct str *parts, size_t count)
{
    memcpy(at, kind, 3);
    at[3] = (char)flags;
    put_u32(at + 4, (uint32_t)length);
    put_u64(at + 8, position);
    char *payload = at + JOURNAL_HEADER_SIZE;
    for (size_t i = 0; i < count; i++) {
        if (parts[i].n > 0)
            memcpy(payload, parts[i].p, parts[i].n);
        payload += parts[i].n;
    }
    uint32_t crc = crc32c(j->seed, at, JOURNAL_HEADER_SIZE - 4);
    put_u32(at + 16, crc32c(crc, at + JOURNAL_HEADER_SIZE, length));
}

static lsn append(struct journal *j, const uint8_t kind[3], uint8_t flags, const struct str *parts,
                  size_t count)
{
    size_t length = 0;
    for (size_t i = 0; i < count; i++)
        length += parts[i].n;
    assert(j->started && kind[0] > 0 && length <= JOURNAL_RECORD_MAX &&
           length + JOURNAL_HEADER_SIZE <= batch_room(j));
    lsn position = j->next;
    if (j->failed) {
        j->next++;
        return position;
    }
    size_t size = JOURNAL_HEADER_SIZE + length;
    struct batch *b = j->pending_last;
    if (!b || b->n + size > batch_room(j))
        b = batch_new(j);
    flags |= b->n == 0 ? JOURNAL_BATCH_FIRST : 0;
    put_record(j, b->memory + JOURNAL_BLOCK + b->n, flags, position, kind, length, parts, count);
    b->n += size;
    b->last = position;
    j->next++;
    j->pending_bytes += size;
    j->stats.records++;
    j->stats.bytes += size;
    if (!timer_is_set(&j->idle_flush))
        timer_set(&j->idle_flush, deadline_in(IDLE_FLUSH), idle_flush, j);
    return position;
}

lsn journal_append(struct journal *j, enum journal_owner owner, uint8_t type, uint8_t version,
                   const struct str *parts, size_t count)
{
    const uint8_t kind[3] = {(uint8_t)owner, type, version};
    return append(j, kind, 0, parts, count);
}

lsn journal_append_more(struct journal *j, enum journal_owner owner, uint8_t type, uint8_t version,
                        const struct str *parts, size_t count)
{
    const uint8_t kind[3] = {(uint8_t)owner, type, version};
    return append(j, kind, JOURNAL_MORE, parts, count);
}

/* --- segments in advance --- */

struct preparation {
    struct journal *j;
    struct segment *segment;
    char *dir;
    struct err e;
    bool ok;
};

static void prepare_on_worker(void *arg)
{
    struct preparation *p = arg;
    p->ok = segment_create(p->segment, p->dir, &p->e);
}

static void prepared(void *arg)
{
    struct preparation *p = arg;
    struct journal *j = p->j;
    j->preparing = false;
    if (p->ok) {
        segment_list_append(&j->free, p->segment);
        journal_prepare(j);
    } else {
        log_warning("maild", NULL, "the journal cannot grow: %s", p->e.text);
        j->prepare_after = clock_monotonic() + PREPARE_RETRY;
        segment_free(p->segment);
    }
    cond_broadcast(&j->room);
    free(p->dir);
    free(p);
}

static uint64_t segments_size(const struct journal *j)
{
    return (j->active.count + j->free.count) * j->segment_size;
}

void journal_prepare(struct journal *j)
{
    if (j->preparing || j->closing || j->failed || j->free.count >= FREE_SEGMENTS ||
        segments_size(j) + j->segment_size > j->size_max ||
        (j->prepare_after > 0 && clock_monotonic() < j->prepare_after))
        return;
    struct preparation *p = MEM_NEW(struct preparation);
    p->j = j;
    p->dir = mem_dup(j->dir, strlen(j->dir));
    p->segment = segment_new(j->dir, j->next_number++, j->segment_size);
    j->preparing = true;
    j->prepare_after = 0;
    worker_start(WORKER_DISK, prepare_on_worker, prepared, p);
}

/* --- committing --- */

static void commit_on_worker(void *arg)
{
    struct journal *j = arg;
    struct commit *c = &j->commit;
    c->ok = (!c->create || segment_create(c->segment, c->dir, &c->e)) &&
            disk_write_durable(c->segment->fd, c->from, c->n, c->offset, c->segment->path, &c->e);
}

/* Releases all whose records are durable, or everybody after a failure. */
static void release_waiters(void *arg)
{
    struct journal *j = arg;
    while (j->first_waiter && (j->failed || j->first_waiter->position <= j->durable)) {
        struct waiter *w = j->first_waiter;
        j->first_waiter = w->next;
        if (w->next)
            w->next->previous = NULL;
        else
            j->last_waiter = NULL;
        w->over = true;
        j->releasing++;
        cond_signal(&w->released);
    }
}

void journal_fail(struct journal *j, const struct err *e)
{
    if (j->failed)
        return;
    log_error("maild", NULL, "the journal failed, no mail is accepted until a restart: %s",
              e->text);
    j->failed = true;
    j->failure = *e;
    while (j->pending_first) {
        struct batch *b = j->pending_first;
        j->pending_first = b->next;
        batch_recycle(j, b);
    }
    j->pending_last = NULL;
    j->pending_bytes = 0;
    release_waiters(j);
    cond_broadcast(&j->room);
    cond_broadcast(&j->checkpoint_wake);
}

static void commit_done(void *arg)
{
    struct journal *j = arg;
    struct commit *c = &j->commit;
    struct batch *b = c->batch;
    j->committing = false;
    j->stats.commit_time = clock_monotonic() - j->commit_began;
    histogram_add(&j->stats.commits, j->stats.commit_time);
    if (c->ok) {
        c->segment->used = c->offset + c->n;
        j->durable = b->last;
        j->pending_bytes -= b->n;
        j->bytes_total += c->n;
        j->stats.syncs++;
        /* The disk first: those who waited run while it works. */
        commit_start(j);
        release_waiters(j);
    } else {
        journal_fail(j, &c->e);
    }
    batch_recycle(j, b);
    cond_broadcast(&j->room);
    journal_consider_checkpoint(j);
}

/* The segment for a batch of n bytes: the current one, a free one, or one still to be made. */
static struct segment *segment_for(struct journal *j, size_t n, bool *fresh, bool *create)
{
    struct segment *s = j->active.last;
    *fresh = *create = false;
    if (j->current && s->used + n <= s->size)
        return s;
    *fresh = true;
    s = segment_list_take(&j->free);
    if (!s) {
        *create = true;
        s = segment_new(j->dir, j->next_number++, j->segment_size);
    }
    s->sequence = j->next_sequence++;
    s->seed = j->seed;
    segment_list_append(&j->active, s);
    j->current = true;
    return s;
}

static void commit_start(void *arg)
{
    struct journal *j = arg;
    j->commit_deferred = false;
    struct batch *b = j->pending_first;
    if (j->committing || j->failed || !b)
        return;
    j->pending_first = b->next;
    if (!b->next)
        j->pending_last = NULL;
    size_t padding = -b->n & (JOURNAL_BLOCK - 1), n = b->n + padding;
    memset(b->memory + JOURNAL_BLOCK + b->n, 0, padding);
    struct commit *c = &j->commit;
    bool fresh;
    struct segment *s = segment_for(j, n, &fresh, &c->create);
    c->batch = b;
    c->segment = s;
    c->dir = j->dir;
    c->from = b->memory + JOURNAL_BLOCK;
    c->offset = s->used;
    c->n = n;
    if (fresh) {
        s->first = b->first;
        segment_header_write(b->memory, s, j->salt);
        c->from = b->memory;
        c->offset = 0;
        c->n = n + JOURNAL_BLOCK;
        journal_prepare(j);
    }
    j->committing = true;
    j->commit_began = clock_monotonic();
    worker_start(WORKER_JOURNAL, commit_on_worker, commit_done, j);
}

/* Deferred behind what is ready now, so that all who run in this turn share the write. */
void journal_commit_soon(struct journal *j)
{
    if (j->committing || j->commit_deferred || !j->pending_first)
        return;
    j->commit_deferred = true;
    loop_defer(j->loop, commit_start, j);
}

static void idle_flush(void *arg)
{
    journal_commit_soon(arg);
}

static void add_waiter(struct journal *j, struct waiter *w)
{
    struct waiter *before = j->last_waiter;
    while (before && before->position > w->position)
        before = before->previous;
    w->previous = before;
    w->next = before ? before->next : j->first_waiter;
    if (before)
        before->next = w;
    else
        j->first_waiter = w;
    if (w->next)
        w->next->previous = w;
    else
        j->last_waiter = w;
}

bool journal_commit(struct journal *j, lsn position, struct err *e)
{
    assert(position < j->next);
    /* While others that were released have still to run, even what is durable waits for its turn
     * behind them. */
    if (!j->failed && (position > j->durable || j->releasing > 0)) {
        struct waiter w = {.position = position};
        add_waiter(j, &w);
        if (position > j->durable)
            journal_commit_soon(j);
        else
            loop_defer(j->loop, release_waiters, j);
        while (!w.over)
            cond_wait_certain(&w.released);
        j->releasing--;
    }
    if (position <= j->durable)
        return true;
    return err_set(e, ERR_IO, "the journal failed: %s", j->failure.text);
}

/* --- looking --- */

bool journal_has_failed(const struct journal *j)
{
    return j->failed;
}

lsn journal_durable(const struct journal *j)
{
    return j->durable;
}

lsn journal_checkpointed(const struct journal *j)
{
    return j->checkpointed;
}

uint64_t journal_disk_reserve(const struct journal *j)
{
    return j->disk_reserve;
}

void journal_get_stats(const struct journal *j, struct journal_stats *s)
{
    *s = j->stats;
    s->segments = j->active.count + j->free.count;
    s->segments_free = j->free.count;
    usec under_way = j->committing ? clock_monotonic() - j->commit_began : 0;
    if (under_way > s->commit_time)
        s->commit_time = under_way;
}
