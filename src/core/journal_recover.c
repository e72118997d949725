/*
 * After a crash: finding the segments that are needed, deciding what is whole, and replay.
 *
 * Needed are the segments from the checkpoint's on; their sequence numbers must follow each other.
 * In each, the records are read from the header on as long as position and checksum are right.
 * Where that ends before the last segment, the next one must begin with exactly the position
 * behind, otherwise something that was acknowledged is gone. In the last segment the end is where
 * the crash was: a batch that was not written whole, of which nobody was told. But a batch is only
 * begun when the one before is durable, so if a whole batch is found behind that place, it was no
 * crash but damage. Then nothing is changed and the error names the file.
 *
 * All segments are checked before the first record is replayed. New records go to a fresh segment.
 */
#include "core/crc32c.h"
#include "core/disk.h"
#include "core/journal_private.h"
#include "core/mem.h"
#include "core/worker.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>

#define PREFIX           "segment-"
#define INITIAL_SEGMENTS 2

/* --- reading records --- */

struct scan {
    const char *p;
    uint64_t size, at;
    uint32_t seed;
    lsn next; /* the position that must come */
};

/* A record with the right checksum at `at`. */
static bool record_at(const struct scan *s, uint64_t at, struct journal_record *record,
                      uint8_t *flags)
{
    if (at + JOURNAL_HEADER_SIZE > s->size)
        return false;
    struct reader r = {.p = s->p + at, .n = JOURNAL_HEADER_SIZE};
    record->owner = read_u8(&r);
    record->type = read_u8(&r);
    record->version = read_u8(&r);
    *flags = read_u8(&r);
    uint32_t length = read_u32(&r);
    record->lsn = read_u64(&r);
    uint32_t crc = read_u32(&r);
    if (record->owner == 0 || length > JOURNAL_RECORD_MAX ||
        length > s->size - at - JOURNAL_HEADER_SIZE)
        return false;
    record->payload = str_from(s->p + at + JOURNAL_HEADER_SIZE, length);
    uint32_t sum = crc32c(s->seed, s->p + at, JOURNAL_HEADER_SIZE - 4);
    return crc == crc32c(sum, record->payload.p, length);
}

static bool scan_next(struct scan *s, struct journal_record *record)
{
    uint8_t flags;
    if (s->at % JOURNAL_BLOCK != 0 && s->at < s->size && s->p[s->at] == 0)
        s->at = (s->at + JOURNAL_BLOCK - 1) & ~(uint64_t)(JOURNAL_BLOCK - 1);
    if (!record_at(s, s->at, record, &flags) || record->lsn != s->next)
        return false;
    s->at += JOURNAL_HEADER_SIZE + record->payload.n;
    s->next++;
    return true;
}

/* Whether a batch that was begun later lies behind the place where the records end. */
static bool later_batch(const struct scan *s)
{
    struct journal_record record;
    uint8_t flags;
    for (uint64_t at = (s->at / JOURNAL_BLOCK + 1) * JOURNAL_BLOCK; at < s->size;
         at += JOURNAL_BLOCK)
        if (record_at(s, at, &record, &flags) && (flags & JOURNAL_BATCH_FIRST) &&
            record.lsn > s->next)
            return true;
    return false;
}

/* --- finding segments (on a worker) --- */

struct recovery {
    struct journal *j;
    struct checkpoint checkpoint;
    struct segment_list found; /* with a valid header, any order */
    struct segment_list blank; /* without */
    struct segment_list needed;
    lsn end; /* last whole record */
    struct err e;
    bool ok;
};

static bool find_one(struct recovery *r, const char *name)
{
    struct journal *j = r->j;
    uint64_t number;
    struct str rest = str_skip(str_from_c(name), sizeof PREFIX - 1);
    if (strncmp(name, PREFIX, sizeof PREFIX - 1) != 0)
        return true;
    struct segment *s = segment_new(j->dir, 0, 0);
    free(s->path);
    struct buf path = BUF_EMPTY;
    buf_printf(&path, "%s/%s", j->dir, name);
    buf_c(&path);
    s->path = path.p;
    if (!str_to_u64(rest, &number)) {
        /* One that was being made. */
        bool leftover = str_ends_with_nocase(rest, STR(".new"));
        bool ok = !leftover || disk_unlink(s->path, &r->e);
        segment_free(s);
        return ok;
    }
    if (number >= j->next_number)
        j->next_number = number + 1;
    char block[JOURNAL_BLOCK];
    size_t got = 0;
    struct stat st;
    int fd;
    bool ok = disk_open(s->path, O_RDONLY, 0, &fd, &r->e);
    if (ok) {
        ok = disk_stat(s->path, &st, &r->e) &&
             disk_read_at(fd, block, sizeof block, 0, &got, s->path, &r->e);
        disk_close(fd);
    }
    if (!ok) {
        segment_free(s);
        return false;
    }
    s->size = (uint64_t)st.st_size;
    bool valid = got == sizeof block && segment_header_read(block, s);
    segment_list_append(valid ? &r->found : &r->blank, s);
    return true;
}

static bool find_entry(void *arg, const char *name, unsigned char type)
{
    (void)type;
    struct recovery *r = arg;
    r->ok = find_one(r, name);
    return r->ok;
}

/* The segments that the checkpoint needs, in order; the others are blank. */
static bool select_needed(struct recovery *r, bool have_checkpoint)
{
    struct journal *j = r->j;
    uint64_t next = have_checkpoint ? r->checkpoint.sequence : 1;
    if (!have_checkpoint && r->found.count > 0)
        return err_set(&r->e, ERR_IO, "%s is missing, though there are segments",
                       j->checkpoint_path);
    for (;;) {
        struct segment_list rest = {0};
        bool more = false;
        for (struct segment *s; (s = segment_list_take(&r->found));) {
            bool is_next = s->sequence == next && !more;
            more |= is_next;
            segment_list_append(is_next ? &r->needed : &rest, s);
        }
        r->found = rest;
        if (!more)
            break;
        next++;
    }
    if (have_checkpoint && r->checkpoint.begun && r->needed.count == 0)
        return err_set(&r->e, ERR_IO, "%s: segment %llu of the journal is missing or damaged",
                       j->dir, (unsigned long long)r->checkpoint.sequence);
    for (struct segment *s; (s = segment_list_take(&r->found));) {
        if (s->sequence > next) {
            err_set(&r->e, ERR_IO,
                    "%s: segment %llu of the journal is missing or damaged, %s follows", j->dir,
                    (unsigned long long)next, s->path);
            segment_free(s);
            return false;
        }
        segment_list_append(&r->blank, s);
    }
    j->next_sequence = next;
    return true;
}

static bool read_segment(const struct segment *s, struct buf *b, struct err *e)
{
    buf_clear(b);
    return disk_read_file(s->path, (size_t)s->size, b, e);
}

static bool check_segment(struct recovery *r, struct segment *s, struct buf *b)
{
    if (!read_segment(s, b, &r->e))
        return false;
    struct scan scan = {b->p, b->n, JOURNAL_BLOCK, s->seed, s->first};
    struct journal_record record;
    if (s == r->needed.first && s->first > r->checkpoint.upto + 1)
        return err_set(&r->e, ERR_IO, "%s begins with record %llu, the checkpoint ends at %llu",
                       s->path, (unsigned long long)s->first,
                       (unsigned long long)r->checkpoint.upto);
    while (scan_next(&scan, &record)) {
    }
    s->used = scan.at;
    r->end = scan.next - 1;
    bool damaged = s->next ? s->next->first != scan.next : later_batch(&scan);
    if (damaged)
        return err_set(&r->e, ERR_IO, "%s is damaged behind record %llu", s->path,
                       (unsigned long long)r->end);
    return true;
}

static bool check_all(struct recovery *r)
{
    struct buf b = BUF_EMPTY;
    bool ok = true;
    r->end = r->checkpoint.upto;
    for (struct segment *s = r->needed.first; ok && s; s = s->next)
        ok = check_segment(r, s, &b);
    buf_free(&b);
    if (ok && r->end < r->checkpoint.upto)
        return err_set(&r->e, ERR_IO,
                       "%s is damaged: it ends at record %llu, the checkpoint at %llu",
                       r->needed.last->path, (unsigned long long)r->end,
                       (unsigned long long)r->checkpoint.upto);
    return ok;
}

static void find_on_worker(void *arg)
{
    struct recovery *r = arg;
    struct journal *j = r->j;
    bool have_checkpoint;
    r->ok = true;
    r->ok = checkpoint_read(j->checkpoint_path, &r->checkpoint, &have_checkpoint, &r->e) &&
            disk_list(j->dir, find_entry, r, &r->e) && r->ok && select_needed(r, have_checkpoint) &&
            check_all(r);
    if (r->ok && !have_checkpoint) {
        struct checkpoint first = {.sequence = 1};
        r->ok = checkpoint_write(j->checkpoint_path, &first, &r->e);
    }
}

/* --- replay --- */

struct load {
    const struct segment *segment;
    struct buf b;
    struct err *e;
    bool ok;
};

static void load_on_worker(void *arg)
{
    struct load *l = arg;
    l->ok = read_segment(l->segment, &l->b, l->e);
}

static bool replay_record(struct journal *j, const struct journal_record *record, struct err *e)
{
    for (size_t i = 0; i < j->consumer_count; i++)
        if (j->consumers[i].owner == record->owner)
            return j->consumers[i].replay(j->consumers[i].arg, record, e);
    return err_set(e, ERR_IO, "record %llu of the journal belongs to nobody (owner %u)",
                   (unsigned long long)record->lsn, record->owner);
}

static bool replay_segment(struct journal *j, const struct segment *s, lsn upto, lsn end,
                           struct err *e)
{
    struct load l = {.segment = s, .e = e};
    worker_run(WORKER_DISK, load_on_worker, &l);
    bool ok = l.ok;
    struct scan scan = {l.b.p, l.b.n, JOURNAL_BLOCK, s->seed, s->first};
    struct journal_record record;
    while (ok && scan.next <= end && scan_next(&scan, &record))
        if (record.lsn > upto)
            ok = replay_record(j, &record, e);
    buf_free(&l.b);
    return ok;
}

/* --- segments for what comes --- */

struct opening {
    struct journal *j;
    struct segment_list blank, usable;
    struct err e;
    bool ok;
};

/* What has the right size is used again, the rest goes; at least some must be there. */
static void open_on_worker(void *arg)
{
    struct opening *o = arg;
    struct journal *j = o->j;
    struct segment *s;
    o->ok = true;
    while ((s = segment_list_take(&o->blank))) {
        uint64_t size = (j->active.count + o->usable.count + 1) * j->segment_size;
        bool keep = o->ok && s->size == j->segment_size && size <= j->size_max;
        if (keep)
            o->ok = segment_open(s, &o->e);
        else if (o->ok)
            o->ok = disk_unlink(s->path, &o->e);
        if (keep && o->ok)
            segment_list_append(&o->usable, s);
        else
            segment_free(s);
    }
    for (s = j->active.first; o->ok && s; s = s->next)
        o->ok = segment_open(s, &o->e);
    while (o->ok && o->usable.count < INITIAL_SEGMENTS) {
        s = segment_new(j->dir, j->next_number++, j->segment_size);
        segment_list_append(&o->usable, s);
        o->ok = segment_create(s, j->dir, &o->e);
    }
}

static void free_list(struct segment_list *list)
{
    struct segment *s;
    while ((s = segment_list_take(list)))
        segment_free(s);
}

static bool replay_all(struct recovery *r, struct err *e)
{
    for (struct segment *s = r->needed.first; s; s = s->next)
        if (!replay_segment(r->j, s, r->checkpoint.upto, r->end, e))
            return false;
    return true;
}

bool journal_recover(struct journal *j, struct err *e)
{
    struct recovery r = {.j = j};
    worker_run(WORKER_DISK, find_on_worker, &r);
    bool ok = r.ok;
    if (!ok && e)
        *e = r.e;
    ok = ok && replay_all(&r, e);
    free_list(&r.found);
    if (!ok) {
        free_list(&r.blank);
        free_list(&r.needed);
        return false;
    }
    j->active = r.needed;
    j->next = r.end + 1;
    j->durable = r.end;
    j->checkpointed = r.checkpoint.upto;
    struct opening o = {.j = j, .blank = r.blank};
    worker_run(WORKER_DISK, open_on_worker, &o);
    j->free = o.usable;
    if (!o.ok && e)
        *e = o.e;
    return o.ok;
}
