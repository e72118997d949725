/*
 * After a crash: finding the segments that are needed, deciding what is whole, and replay.
 *
 * Needed are the segments from the checkpoint's on. In each, the records are read from the header
 * on as long as positions follow each other and checksums are right. In the last segment the end is
 * where the crash was: a batch that was not written whole, of which nobody was told.
 *
 * Anything else is damage: the disk lost what it had promised to keep. A server that does not start
 * helps nobody then, so every record that can still be read is replayed (the consumers can do
 * without those that are missing), what was damaged is put aside (journal_damage.c), and it is said
 * what is gone. What helps against the worst: the checkpoint file has a copy, and it knows the salt
 * of the records, so that they can be read without the header of their segment.
 *
 * Records that belong together are replayed all or, when the last of them is behind the end, not at
 * all.
 *
 * All segments are checked before the first record is replayed. New records go to a fresh segment.
 */
#include "core/disk.h"
#include "core/journal_private.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/worker.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdlib.h>

#define PREFIX           "segment-"
#define INITIAL_SEGMENTS 2
#define SEGMENT_MAX      ((size_t)1 << 30)

/* --- finding segments (on a worker) --- */

struct row {
    lsn first, last;
};

struct recovery {
    struct journal *j;
    struct checkpoint checkpoint;
    bool have_checkpoint;
    struct segment_list found;  /* with a valid header, any order */
    struct segment_list blank;  /* without */
    struct segment_list needed; /* by position */
    struct segment_list old;    /* before the checkpoint */
    uint64_t highest;           /* sequence seen */
    lsn end;                    /* last whole record that has all that it needs */
    lsn seen;                   /* last whole record */
    lsn row;                    /* first of those that need the next one; 0: none */
    struct buf broken;          /* struct row: rows that are not complete */
    struct err e;
    bool ok;
};

static const char *name_of(const struct segment *s)
{
    return strrchr(s->path, '/') + 1;
}

/* The segment's file is damaged: it will be put aside with the report. */
static void mark_damaged(struct recovery *r, struct segment *s, const char *what)
{
    struct buf b = BUF_EMPTY;
    if (!s->damaged)
        s->damaged = damage_path(r->j, name_of(s));
    if (s->report)
        buf_printf(&b, "%s\n", s->report);
    buf_printf(&b,
               "%s: %s Every record that can be read was replayed; what the missing ones said may "
               "be missing in mailboxes and queue (messages, flags, expunges of the last minutes "
               "before the crash): \"mailctl store check --all\" finds what does not fit. The "
               "damaged file is kept as %s; remove it when it is not needed any more, and see to "
               "the disk.",
               s->path, what, s->damaged);
    free(s->report);
    s->report = mem_dup(b.p, b.n);
    buf_free(&b);
    log_error("maild", NULL, "the journal is damaged: %s", s->report);
}

static bool find_one(struct recovery *r, const char *name)
{
    struct journal *j = r->j;
    uint64_t number, bad;
    struct str rest = str_skip(str_from_c(name), sizeof PREFIX - 1);
    if (strncmp(name, PREFIX, sizeof PREFIX - 1) != 0)
        return true;
    struct segment *s = segment_new(j->dir, 0, 0);
    free(s->path);
    struct buf path = BUF_EMPTY, block = BUF_EMPTY;
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
    if (!disk_read_salvage(s->path, JOURNAL_BLOCK, &block, &bad, &r->e)) {
        segment_free(s);
        return false;
    }
    struct stat st;
    s->size = disk_stat(s->path, &st, NULL) ? (uint64_t)st.st_size : 0;
    bool valid = block.n == JOURNAL_BLOCK && segment_header_read(block.p, s);
    if (valid && s->sequence > r->highest)
        r->highest = s->sequence;
    segment_list_append(valid ? &r->found : &r->blank, s);
    buf_free(&block);
    return true;
}

static bool find_entry(void *arg, const char *name, unsigned char type)
{
    (void)type;
    struct recovery *r = arg;
    r->ok = find_one(r, name);
    return r->ok;
}

/* --- the checkpoint file --- */

/* Reads one of the two. *damaged: it is there, but of no use. */
static bool read_one(const char *path, struct checkpoint *c, bool *damaged)
{
    struct err e = {0};
    bool found;
    bool ok = checkpoint_read(path, c, &found, &e);
    *damaged = !ok;
    if (!ok)
        log_error("maild", NULL, "the journal is damaged: %s", e.text);
    return ok && found;
}

static void report_checkpoint(struct recovery *r, const char *path, const char *rest)
{
    struct buf b = BUF_EMPTY;
    char *to = damage_path(r->j, strrchr(path, '/') + 1);
    buf_printf(&b, "%s was damaged or missing; %s What there was is kept as %s.", path, rest, to);
    damage_copy(path, to, buf_c(&b));
    damage_add(r->j, b.p);
    log_error("maild", NULL, "the journal is damaged: %s", b.p);
    buf_free(&b);
    free(to);
}

/* The later of the two that is readable. */
static void read_checkpoint(struct recovery *r)
{
    struct journal *j = r->j;
    struct checkpoint first = {0}, second = {0};
    bool first_damaged, second_damaged;
    bool have_first = read_one(j->checkpoint_path, &first, &first_damaged);
    bool have_second = read_one(j->checkpoint_copy, &second, &second_damaged);
    r->have_checkpoint = have_first || have_second;
    r->checkpoint = !have_first || (have_second && second.upto > first.upto) ? second : first;
    if (first_damaged && have_second)
        report_checkpoint(r, j->checkpoint_path, "its copy was used, nothing is lost.");
}

/* --- which are needed --- */

/* Returns the one before it, or NULL. */
static struct segment *insert_by_position(struct segment_list *list, struct segment *s)
{
    struct segment_list rest = *list;
    struct segment *other, *before = NULL;
    *list = (struct segment_list){0};
    while (rest.first && rest.first->first <= s->first) {
        before = segment_list_take(&rest);
        segment_list_append(list, before);
    }
    segment_list_append(list, s);
    while ((other = segment_list_take(&rest)))
        segment_list_append(list, other);
    return before;
}

/* A segment whose header is gone may hold records behind the checkpoint: then their salt is that of
 * the checkpoint, or of another segment. */
static bool adopt(struct recovery *r, struct segment *s)
{
    struct journal_record record;
    struct buf b = BUF_EMPTY;
    uint64_t bad;
    uint32_t seeds[8];
    size_t count = 0;
    bool ok = false;
    if (r->checkpoint.salt > 0)
        seeds[count++] = journal_seed(r->checkpoint.salt);
    for (const struct segment *o = r->needed.first ? r->needed.first : r->old.first; o && count < 8;
         o = o->next)
        if (count == 0 || seeds[count - 1] != o->seed)
            seeds[count++] = o->seed;
    if (s->size > SEGMENT_MAX || !disk_read_salvage(s->path, SEGMENT_MAX, &b, &bad, NULL))
        count = 0;
    for (size_t i = 0; i < count && !ok; i++) {
        struct scan scan;
        scan_begin(&scan, buf_str(&b), seeds[i], r->checkpoint.upto + 1);
        scan.most_missing = UINT32_MAX;
        ok = scan_next(&scan, &record);
        s->seed = seeds[i];
        s->first = record.lsn;
    }
    buf_free(&b);
    if (!ok)
        return false;
    struct segment *before = insert_by_position(&r->needed, s);
    s->sequence = before    ? before->sequence + 1
                  : s->next ? s->next->sequence - 1
                            : r->checkpoint.sequence;
    mark_damaged(r, s, "its header cannot be read.");
    return true;
}

static void select_needed(struct recovery *r)
{
    struct segment_list rest = {0};
    struct segment *s;
    while ((s = segment_list_take(&r->found))) {
        if (s->sequence >= r->checkpoint.sequence)
            insert_by_position(&r->needed, s);
        else
            segment_list_append(&r->old, s);
    }
    while ((s = segment_list_take(&r->blank)))
        if (!adopt(r, s))
            segment_list_append(&rest, s);
    while ((s = segment_list_take(&r->old)))
        segment_list_append(&rest, s);
    r->blank = rest;
    uint64_t next = r->checkpoint.sequence + r->checkpoint.begun;
    if (next <= r->highest)
        next = r->highest + 1;
    for (s = r->needed.first; s; s = s->next)
        if (next <= s->sequence)
            next = s->sequence + 1;
    r->j->next_sequence = next;
}

/* --- what is whole --- */

static bool read_segment(const struct segment *s, struct buf *b, uint64_t *bad, struct err *e)
{
    buf_clear(b);
    return disk_read_salvage(s->path, SEGMENT_MAX, b, bad, e);
}

static void add_lost(struct buf *b, lsn first, lsn last)
{
    if (first == last)
        buf_printf(b, "record %" PRIu64 " is lost.", first);
    else
        buf_printf(b, "records %" PRIu64 " to %" PRIu64 " are lost.", first, last);
}

/* Records are missing between two segments: at the end of the one before, or a whole file. */
static void note_missing(struct recovery *r, struct segment *before, struct segment *s, lsn first,
                         lsn last)
{
    struct buf b = BUF_EMPTY;
    bool follows = before && before->sequence + 1 >= s->sequence;
    buf_add_c(&b, follows ? "its end cannot be read, "
                          : "the segment before it is missing or cannot be read, ");
    add_lost(&b, first, last);
    mark_damaged(r, follows ? before : s, buf_c(&b));
    buf_free(&b);
}

/* A gap within a segment. In the last batch of all it is what a crash leaves when the disk wrote
 * the blocks of a batch in another order. */
static void note_gap(struct recovery *r, struct segment *s, const struct scan *scan, bool torn)
{
    struct buf b = BUF_EMPTY;
    lsn last = scan->next - 2, first = last + 1 - scan->gap;
    if (first <= r->checkpoint.upto)
        first = r->checkpoint.upto + 1;
    if (last < first)
        return;
    buf_printf(&b, "bytes %" PRIu64 " to %" PRIu64 " cannot be read, ", scan->gap_from,
               scan->gap_to - 1);
    add_lost(&b, first, last);
    if (torn)
        log_warning("maild", NULL,
                    "the last write before the crash was not complete file=<%s>: %s Nobody was "
                    "told that they had been kept.",
                    s->path, b.p);
    else
        mark_damaged(r, s, buf_c(&b));
    buf_free(&b);
}

/* Is there a batch behind the one that the scan has just reached? */
static bool batch_follows(const struct segment *s, struct scan scan)
{
    struct journal_record record;
    if (scan.new_batch || s->next)
        return true;
    while (scan_next(&scan, &record))
        if (scan.new_batch)
            return true;
    return false;
}

/* Of the last write, records that need one which is missing do not count. What a disk has spoilt
 * later does: everything that is left of that is wanted. */
static void note_row(struct recovery *r, const struct scan *scan, lsn position, bool torn)
{
    if (r->row > 0 && torn) {
        struct row row = {r->row, position - 1};
        buf_add(&r->broken, &row, sizeof(row));
    }
    if (scan->gap > 0 || !scan->more)
        r->row = 0;
    if (scan->more && r->row == 0)
        r->row = position;
}

static bool is_broken(const struct recovery *r, lsn position)
{
    const struct row *rows = (const struct row *)r->broken.p;
    for (size_t i = 0; i < r->broken.n / sizeof(*rows); i++)
        if (position >= rows[i].first && position <= rows[i].last)
            return true;
    return false;
}

static bool check_segment(struct recovery *r, struct segment *before, struct segment *s,
                          struct buf *b)
{
    uint64_t bad;
    struct scan scan;
    struct journal_record record;
    if (!read_segment(s, b, &bad, &r->e))
        return false;
    lsn expected = r->seen + 1;
    if (s->first > expected)
        note_missing(r, before, s, expected, s->first - 1);
    scan_begin(&scan, buf_str(b), s->seed, s->first);
    while (scan_next(&scan, &record)) {
        bool torn = scan.gap > 0 && !batch_follows(s, scan);
        if (scan.gap > 0)
            note_gap(r, s, &scan, torn);
        note_row(r, &scan, record.lsn, torn);
        if (record.lsn > r->end && !scan.more)
            r->end = record.lsn;
        if (record.lsn > r->seen)
            r->seen = record.lsn;
    }
    s->used = scan.at;
    if (!s->next && scan_is_torn(&scan))
        log_warning("maild", NULL,
                    "the last write before the crash was not complete file=<%s>: it begins with "
                    "record %" PRIu64 ". Nobody was told that it had been kept.",
                    s->path, scan.next);
    if (bad > 0 && !s->damaged)
        mark_damaged(r, s, "some of it cannot be read, but none of the records that are needed.");
    return true;
}

static bool check_all(struct recovery *r)
{
    struct buf b = BUF_EMPTY;
    struct segment *before = NULL;
    bool ok = true;
    r->end = r->checkpoint.upto;
    if (!r->have_checkpoint && r->needed.first)
        r->end = r->checkpoint.upto = r->needed.first->first - 1;
    r->seen = r->end;
    if (r->checkpoint.begun && !r->needed.first) {
        buf_printf(&b,
                   "%s: segment %" PRIu64 " of the journal is missing or cannot be read; whatever "
                   "came behind record %" PRIu64 " is lost. \"mailctl store check --all\" finds "
                   "what does not fit.",
                   r->j->dir, r->checkpoint.sequence, r->checkpoint.upto);
        damage_add(r->j, buf_c(&b));
        log_error("maild", NULL, "the journal is damaged: %s", b.p);
    }
    for (struct segment *s = r->needed.first; ok && s; s = s->next) {
        ok = check_segment(r, before, s, &b);
        before = s;
    }
    buf_free(&b);
    for (const struct segment *s = r->needed.first; ok && s; s = s->next)
        if (s->report)
            damage_add(r->j, s->report);
    return ok;
}

static void find_on_worker(void *arg)
{
    struct recovery *r = arg;
    struct journal *j = r->j;
    struct checkpoint first = {.sequence = 1, .salt = j->salt};
    r->ok = true;
    damage_load(j);
    read_checkpoint(r);
    r->ok = disk_list(j->dir, find_entry, r, &r->e) && r->ok;
    if (!r->ok)
        return;
    if (!r->have_checkpoint)
        r->checkpoint = (struct checkpoint){.sequence = 1};
    if (!r->have_checkpoint && r->found.count > 0)
        report_checkpoint(r, j->checkpoint_path,
                          "everything in the journal was replayed, so messages that were expunged "
                          "a while ago may be back.");
    select_needed(r);
    r->ok = check_all(r);
    /* Without one there must be no segments that are in use. */
    if (r->ok && !r->have_checkpoint && !r->needed.first)
        r->ok = checkpoint_write(j->checkpoint_path, j->checkpoint_copy, &first, &r->e);
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
    uint64_t bad;
    l->ok = read_segment(l->segment, &l->b, &bad, l->e);
}

static bool replay_record(struct journal *j, const struct journal_record *record, struct err *e)
{
    for (size_t i = 0; i < j->consumer_count; i++)
        if (j->consumers[i].owner == record->owner)
            return j->consumers[i].replay(j->consumers[i].arg, record, e);
    return err_set(e, ERR_IO, "record %llu of the journal belongs to nobody (owner %u)",
                   (unsigned long long)record->lsn, record->owner);
}

SUSPENDS static bool replay_segment(const struct recovery *r, const struct segment *s,
                                    struct err *e)
{
    struct load l = {.segment = s, .e = e};
    worker_run(WORKER_DISK, load_on_worker, &l);
    bool ok = l.ok;
    struct scan scan;
    struct journal_record record;
    scan_begin(&scan, buf_str(&l.b), s->seed, s->first);
    while (ok && scan.next <= r->end && scan_next(&scan, &record) && record.lsn <= r->end)
        if (record.lsn > r->checkpoint.upto && !is_broken(r, record.lsn))
            ok = replay_record(r->j, &record, e);
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
        bool keep = s->size == j->segment_size && size <= j->size_max;
        /* One that cannot be used is in nobody's way. */
        struct err e;
        if (keep ? !segment_open(s, &e) : !disk_unlink(s->path, &e)) {
            log_warning("maild", NULL, "a segment of the journal cannot be used: %s", e.text);
            keep = false;
        }
        if (keep)
            segment_list_append(&o->usable, s);
        else
            segment_free(s);
    }
    for (s = j->active.first; o->ok && s; s = s->next)
        o->ok = s->damaged || segment_open(s, &o->e);
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
        if (!replay_segment(r, s, e))
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
    buf_free(&r.broken);
    if (!ok) {
        free_list(&r.blank);
        free_list(&r.needed);
        return false;
    }
    j->active = r.needed;
    /* The checkpoint that follows covers those that are left out. */
    j->next = r.seen + 1;
    j->durable = r.seen;
    j->checkpointed = r.checkpoint.upto;
    struct opening o = {.j = j, .blank = r.blank};
    worker_run(WORKER_DISK, open_on_worker, &o);
    j->free = o.usable;
    if (!o.ok && e)
        *e = o.e;
    return o.ok;
}
