/*
 * Lines go to the newest file; a file ends with its hour, or when it is large. What cannot be
 * written - the disk is full, the directory is gone - is dropped and counted, and tried again with
 * the next lines. The last space of the disk is left to the mail.
 *
 * At the start the newest file is gone on with, and the index of each other is looked at: one that
 * is not all there is made again, a file without a line is set aside. Whatever is found, the
 * server goes on.
 */
#include "trace/writer.h"

#include "core/disk.h"
#include "core/log.h"
#include "core/mem.h"
#include "trace/limits.h"
#include "trace/pack.h"
#include "trace/volume.h"

#include <stdlib.h>

#define HOUR (3600 * USEC_SEC)
/* Between two looks at all files, and at the free space. */
#define LOOK_INTERVAL  (10 * 60 * USEC_SEC)
#define SPACE_INTERVAL (USEC_SEC / 2)
/* Between two lines of the log about lost events. */
#define COMPLAINT_INTERVAL (60 * USEC_SEC)

struct writer {
    const char *dir;
    bool (*is_urgent)(void *arg);
    void *arg;
    struct volume volume;
    struct trace_limits limits;
    struct trace_counts counts;
    struct err trouble; /* kind ERR_NONE: none */
    uint64_t unsaid;    /* lost events that the log does not know of */
    usec complained, looked, space_asked;
    bool mended;     /* the files from before were looked at */
    bool packing;    /* there may be files to be compressed */
    uint32_t packed; /* up to here all are compressed, or cannot be */
    bool resumed;    /* a file was opened, or tried */
    int lock;        /* -1: another process is the owner of the directory */
};

struct writer *writer_new(const char *dir, bool (*is_urgent)(void *arg), void *arg)
{
    struct writer *w = MEM_NEW(struct writer);
    w->dir = dir;
    w->is_urgent = is_urgent;
    w->arg = arg;
    w->lock = -1;
    return w;
}

/* Whoever holds the lock looks after all files; others only write one of their own. */
static bool is_owner(struct writer *w)
{
    struct buf path = BUF_EMPTY;
    if (w->lock >= 0)
        return true;
    buf_printf(&path, "%s/lock", w->dir);
    disk_lock(buf_c(&path), &w->lock, NULL);
    buf_free(&path);
    return w->lock >= 0;
}

static void set_aside(struct writer *w, uint32_t number, const struct err *e)
{
    log_warning("trace", NULL, "file of events set aside file=<%s/%010u.log> reason=\"%s\"", w->dir,
                number, e->text);
    volume_set_aside(w->dir, number);
    w->counts.damaged++;
}

/* --- trouble --- */

static void lose(struct writer *w, uint64_t count)
{
    usec now = clock_monotonic();
    w->counts.lost += count;
    w->unsaid += count;
    if (w->unsaid == 0 || (w->complained && now - w->complained < COMPLAINT_INTERVAL))
        return;
    log_warning("trace", NULL, "events not kept count=%llu reason=\"%s\"",
                (unsigned long long)w->unsaid,
                w->trouble.kind ? w->trouble.text : "they came faster than they could be written");
    w->complained = now;
    w->unsaid = 0;
}

static void recover(struct writer *w)
{
    if (w->trouble.kind == ERR_NONE)
        return;
    w->trouble = (struct err){0};
    w->complained = 0;
    log_warning("trace", NULL, "events are kept again lost=%llu",
                (unsigned long long)w->counts.lost);
    w->unsaid = 0;
}

/* --- the file that is written --- */

/* The newest of the files from before, if nobody else writes it. */
static bool resume_newest(struct writer *w, const struct volume_list *l, struct err *e)
{
    uint32_t newest = l->count > 0 ? l->numbers[l->count - 1] : 0;
    if (w->resumed || newest == 0 || newest != l->highest || pack_is_packed(w->dir, newest))
        return false;
    w->resumed = true;
    if (volume_resume(&w->volume, w->dir, newest, e))
        return true;
    if (e->kind == ERR_IO || e->kind == ERR_LIMIT)
        set_aside(w, newest, e);
    return false;
}

/* Another process may be about to hand over to this one, and still write. */
static bool open_volume(struct writer *w, struct err *e)
{
    struct volume_list l;
    if (volume_is_open(&w->volume))
        return true;
    if (!disk_make_dirs(w->dir, 0750, e))
        return false;
    is_owner(w);
    if (!volume_list_read(&l, w->dir, e))
        return false;
    bool ok = is_owner(w) && resume_newest(w, &l, e);
    for (uint32_t number = l.highest + 1; !ok; number++) {
        ok = volume_create(&w->volume, w->dir, number, e);
        if (!ok && e->kind != ERR_EXISTS)
            break;
    }
    w->resumed = w->resumed || ok;
    volume_list_free(&l);
    return ok;
}

static bool is_complete(const struct volume *s, size_t more)
{
    return s->size > 0 && (s->size + more > TRACE_VOLUME_MAX ||
                           (s->block.begin != 0 && clock_wall() / HOUR != s->block.begin / HOUR));
}

static void complete_volume(struct writer *w)
{
    volume_close(&w->volume, true);
    w->looked = 0;
}

static bool has_space(struct writer *w, struct err *e)
{
    uint64_t bytes, inodes;
    usec now = clock_monotonic();
    if (w->space_asked && now - w->space_asked < SPACE_INTERVAL && w->trouble.kind == ERR_NONE)
        return true;
    w->space_asked = now;
    return disk_free_space(w->dir, &bytes, &inodes, e) &&
           (bytes >= TRACE_SPACE_RESERVED ||
            err_set(e, ERR_NO_SPACE, "%s: the last %llu MB of the disk are left to the mail",
                    w->dir, TRACE_SPACE_RESERVED >> 20));
}

static bool keep_lines(struct writer *w, struct str lines, struct err *e)
{
    if (volume_is_open(&w->volume) && is_complete(&w->volume, lines.n))
        complete_volume(w);
    return open_volume(w, e) && has_space(w, e) && volume_write(&w->volume, lines, e);
}

void writer_keep(struct writer *w, const struct writer_batch *batch)
{
    struct err e = {0};
    w->limits = batch->limits;
    if (batch->lost > 0)
        lose(w, batch->lost);
    if (batch->lines.n == 0)
        return;
    if (keep_lines(w, batch->lines, &e)) {
        w->counts.kept += batch->count;
        recover(w);
        return;
    }
    w->trouble = e;
    lose(w, batch->count);
}

/* --- all files --- */

static void mend_one(struct writer *w, uint32_t number)
{
    struct err e = {0};
    bool mended = false;
    if (pack_is_packed(w->dir, number) ? pack_mend(w->dir, number, &mended, &e)
                                       : volume_mend(w->dir, number, &mended, &e)) {
        if (mended)
            log_warning("trace", NULL, "index of events made again file=<%s/%010u.log>", w->dir,
                        number);
        return;
    }
    if (e.kind == ERR_IO || e.kind == ERR_LIMIT)
        set_aside(w, number, &e);
}

/* The file that is written, or will be with the first line: its index lacks the last block without
 * being damaged. A newer one is written by who takes over. */
static bool is_for_resuming(struct writer *w, const struct volume_list *l, size_t i)
{
    if (volume_is_open(&w->volume))
        return l->numbers[i] >= w->volume.number;
    return !w->resumed && i + 1 == l->count && !pack_is_packed(w->dir, l->numbers[i]);
}

static void mend(struct writer *w, const struct volume_list *l)
{
    w->counts.damaged = l->damaged;
    for (size_t i = 0; i < l->count; i++)
        if (!is_for_resuming(w, l, i))
            mend_one(w, l->numbers[i]);
    w->mended = true;
}

/* The oldest go, until what is left is young and small enough. */
static void remove_old(struct writer *w, const struct volume_list *l)
{
    uint64_t total = 0, *sizes = mem_array(l->count + 1, sizeof(*sizes));
    usec *last = mem_array(l->count + 1, sizeof(*last)), now = clock_wall();
    for (size_t i = 0; i < l->count; i++)
        total += sizes[i] = volume_size(w->dir, l->numbers[i], &last[i]);
    w->counts.files = l->count;
    for (size_t i = 0; i < l->count; i++) {
        bool is_open = volume_is_open(&w->volume) && l->numbers[i] == w->volume.number;
        if (is_open || (total <= w->limits.size_max && now - last[i] < w->limits.keep))
            break;
        volume_remove(w->dir, l->numbers[i]);
        total -= sizes[i];
        w->counts.files--;
    }
    w->counts.bytes = total;
    free(sizes);
    free(last);
}

/* The next one that is complete. False: there is none. */
static bool pack_next(struct writer *w)
{
    struct volume_list l;
    struct err e;
    bool found = false;
    if (!volume_list_read(&l, w->dir, NULL))
        return false;
    for (size_t i = 0; !found && i < l.count; i++) {
        uint32_t number = l.numbers[i];
        bool is_open = volume_is_open(&w->volume) ? number >= w->volume.number : i + 1 == l.count;
        found = number > w->packed && !is_open && !pack_is_packed(w->dir, number);
        if (found &&
            (pack_volume(w->dir, number, w->is_urgent, w->arg, &e) || e.kind != ERR_CANCELLED))
            w->packed = number;
    }
    volume_list_free(&l);
    return found;
}

static void look_at_files(struct writer *w)
{
    struct volume_list l;
    if (!volume_list_read(&l, w->dir, NULL))
        return;
    if (!w->mended)
        mend(w, &l);
    remove_old(w, &l);
    volume_list_free(&l);
}

bool writer_look_after(struct writer *w, bool calm)
{
    usec now = clock_monotonic();
    if (w->is_urgent(w->arg) || !is_owner(w))
        return false;
    if (!w->looked || now - w->looked >= LOOK_INTERVAL) {
        look_at_files(w);
        w->looked = now;
        w->packing = true;
    }
    if (!calm)
        return false;
    w->packing = w->packing && w->trouble.kind == ERR_NONE && pack_next(w);
    return w->packing;
}

void writer_report(const struct writer *w, struct trace_report *report)
{
    report->counts = w->counts;
    report->trouble = w->trouble.kind != ERR_NONE;
    memcpy(report->reason, w->trouble.text, sizeof(report->reason));
}

void writer_free(struct writer *w)
{
    volume_close(&w->volume, false);
    disk_close(w->lock);
    free(w);
}
