/*
 * Reading state logs at the start. There is one, or two when the last checkpoint was not complete;
 * the newest whose beginning is whole counts. Should none be whole, all are read in order, which
 * gives the most that can be had.
 *
 * Bytes that are no entry are skipped to the next that is one. When everything is sound up to the
 * last checkpoint that the journal knows as complete, a crash tore what is behind it, and the
 * journal has what that said. Otherwise a disk spoilt it, and messages may be missing: then the
 * file is kept as `*.damaged`, and so are the texts (links to the files that hold them), and each
 * start and `mailctl status` say so until somebody has removed them.
 */
#include "core/disk.h"
#include "core/file.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/worker.h"
#include "queue/queue_files.h"
#include "queue/state_entry.h"
#include "queue/state_log_internal.h"

#include <stdlib.h>

void state_log_found(struct state_log *s, uint32_t number)
{
    buf_add(&s->found, &number, sizeof(number));
    if (number >= s->next_number)
        s->next_number = number + 1;
}

static int compare_numbers(const void *a, const void *b)
{
    uint32_t x, y;
    memcpy(&x, a, sizeof(x));
    memcpy(&y, b, sizeof(y));
    return (x > y) - (x < y);
}

/* --- one file --- */

/* A file that is being read, block by block. */
struct input {
    struct state_log *log;
    char *path;
    int fd;
    struct buf bytes; /* read and not yet taken */
    uint64_t at;      /* where they begin */
    bool at_end;
    bool apply; /* false: only looks whether it is whole */
    /* results */
    bool whole;             /* its beginning is */
    uint64_t bad, bad_from; /* bytes that are no entries; where the first are */
    lsn sound;              /* last checkpoint up to which nothing is bad */
};

SUSPENDS static bool read_more(struct input *in, struct err *e)
{
    size_t got;
    uint64_t offset = in->at + in->bytes.n;
    char *room = buf_reserve(&in->bytes, QUEUE_STATE_BLOCK);
    if (!file_read_at(in->fd, room, QUEUE_STATE_BLOCK, offset, &got, in->path, e))
        return false;
    in->bytes.n += got;
    in->at_end = got < QUEUE_STATE_BLOCK;
    return true;
}

static void note_bad(struct input *in, uint64_t at, size_t n)
{
    if (in->bad == 0)
        in->bad_from = at;
    in->bad += n;
}

static bool take(struct input *in, const struct state_entry *entry)
{
    struct queue *q = in->log->queue;
    uint64_t count;
    switch (entry->type) {
    case STATE_CHECKPOINT:
        return in->bad > 0 || state_take_checkpoint(entry, &in->sound);
    case STATE_MESSAGE:
        return !in->apply || state_take_message(q, entry);
    case STATE_CHANGE:
        return !in->apply || state_take_change(q, entry);
    case STATE_GONE:
        return !in->apply || state_take_gone(q, entry);
    case STATE_WHOLE:
        in->whole |= state_take_whole(entry, &count);
        return in->whole;
    }
    return false;
}

/* Takes what is complete of the bytes; returns how many those were. */
static size_t take_entries(struct input *in)
{
    size_t done = 0;
    if (in->at == 0 && str_starts_with(buf_str(&in->bytes), STR(STATE_FILE_MAGIC)))
        done = sizeof(STATE_FILE_MAGIC) - 1;
    while (done < in->bytes.n) {
        struct str rest = str_skip(buf_str(&in->bytes), done);
        struct state_entry entry;
        enum state_found found = state_entry_find(rest, &entry);
        if (found == STATE_CUT && !in->at_end)
            break;
        size_t n = found == STATE_FOUND ? entry.size : state_entry_seek(rest);
        if (found != STATE_FOUND || !take(in, &entry))
            note_bad(in, in->at + done, n);
        done += n;
    }
    return done;
}

SUSPENDS static bool read_file(struct input *in, uint32_t number, struct err *e)
{
    in->path = state_log_path(in->log, number);
    bool ok = file_open(in->path, O_RDONLY, 0, &in->fd, e);
    while (ok && !in->at_end) {
        ok = read_more(in, e);
        size_t done = ok ? take_entries(in) : 0;
        buf_consume(&in->bytes, done);
        in->at += done;
        fiber_yield();
    }
    if (in->fd >= 0)
        file_close(in->fd);
    buf_free(&in->bytes);
    free(in->path);
    return ok;
}

SUSPENDS static bool is_whole(struct state_log *s, uint32_t number, bool *whole, struct err *e)
{
    struct input in = {.log = s, .fd = -1};
    bool ok = read_file(&in, number, e);
    *whole = in.whole;
    return ok;
}

/* Reads it into the table. */
SUSPENDS static bool load_file(struct state_log *s, uint32_t number, struct err *e)
{
    struct input in = {.log = s, .fd = -1, .apply = true};
    if (!read_file(&in, number, e))
        return false;
    s->number = number;
    s->size = in.at;
    s->beginning = in.at;
    s->sound = in.sound;
    s->bad = in.bad;
    s->bad_from = in.bad > 0 ? in.bad_from : in.at;
    s->broken = in.bad > 0 || !in.whole;
    s->judged = false;
    return true;
}

/* --- which --- */

static uint32_t found_number(const struct state_log *s, size_t i)
{
    uint32_t number;
    memcpy(&number, s->found.p + i * sizeof(number), sizeof(number));
    return number;
}

/* Those before it are old ones. */
static void leave_before(struct state_log *s, size_t i)
{
    buf_add(&s->old, s->found.p, i * sizeof(uint32_t));
}

SUSPENDS static bool load_all(struct state_log *s, size_t count, struct err *e)
{
    for (size_t i = 0; i < count; i++)
        if (!load_file(s, found_number(s, i), e))
            return false;
    leave_before(s, count - 1);
    s->broken = true;
    return true;
}

SUSPENDS static bool load_newest(struct state_log *s, struct err *e)
{
    size_t count = s->found.n / sizeof(uint32_t);
    for (size_t i = count; i-- > 0;) {
        bool whole = true;
        /* An only one is read at once. */
        if (count > 1 && !is_whole(s, found_number(s, i), &whole, e))
            return false;
        if (!whole)
            continue;
        if (!load_file(s, found_number(s, i), e))
            return false;
        leave_before(s, i);
        for (size_t k = i + 1; k < count; k++) {
            uint32_t number = found_number(s, k);
            buf_add(&s->old, &number, sizeof(number));
        }
        return true;
    }
    return load_all(s, count, e);
}

static void open_to_append(void *arg)
{
    struct state_log *s = arg;
    char *path = state_log_path(s, s->number);
    struct err e;
    if (!disk_open(path, O_WRONLY, 0, &s->fd, &e))
        s->broken = true;
    free(path);
}

SUSPENDS bool state_log_load(struct state_log *s, struct err *e)
{
    size_t count = s->found.n / sizeof(uint32_t);
    if (count == 0)
        return true;
    qsort(s->found.p, count, sizeof(uint32_t), compare_numbers);
    bool ok = load_newest(s, e);
    buf_free(&s->found);
    if (ok)
        worker_run(WORKER_DISK, open_to_append, s);
    return ok;
}

/* --- what is lost --- */

struct keep_job {
    const char *dir;
    struct buf names; /* NUL-terminated */
    size_t kept;
};

static bool add_text_name(void *arg, const char *name, unsigned char type)
{
    struct keep_job *j = arg;
    uint32_t number;
    (void)type;
    if (spool_name_number(name, "text.", &number))
        buf_add(&j->names, name, strlen(name) + 1);
    return true;
}

/* Links, so that what is removed from now on stays where somebody can look for it. */
static void keep_files(struct keep_job *j)
{
    struct buf from = BUF_EMPTY, to = BUF_EMPTY;
    struct err e;
    if (!disk_list(j->dir, add_text_name, j, &e))
        log_error("queue", NULL, "damaged file not kept: %s", e.text);
    for (size_t at = 0; at < j->names.n; at += strlen(j->names.p + at) + 1) {
        buf_clear(&from);
        buf_clear(&to);
        buf_printf(&from, "%s/%s", j->dir, j->names.p + at);
        buf_printf(&to, "%s.damaged", buf_c(&from));
        if (disk_link(from.p, buf_c(&to), &e))
            j->kept++;
        else if (e.kind != ERR_EXISTS)
            log_error("queue", NULL, "damaged file not kept: %s", e.text);
    }
    buf_free(&from);
    buf_free(&to);
}

static void report_damage(struct state_log *s)
{
    char *path = state_log_path(s, s->number);
    struct keep_job j = {.dir = s->queue->context.spool_dir};
    buf_printf(&j.names, "state.%u", s->number);
    buf_add_char(&j.names, '\0');
    keep_files(&j);
    buf_free(&j.names);
    s->queue->stats.damaged_files += j.kept;
    log_error("queue", NULL,
              "state of the queue damaged file=<%s>: it is damaged or missing, %llu bytes from "
              "%llu on cannot be understood. All else was read; waiting messages may be missing. "
              "What there was is kept as %s.damaged and, the texts, as text.*.damaged: remove them "
              "when they are not needed any more, and see to the disk.",
              path, (unsigned long long)s->bad, (unsigned long long)s->bad_from, path);
    free(path);
}

void state_log_judge(struct state_log *s, lsn checkpointed)
{
    if (s->judged)
        return;
    s->judged = true;
    if (s->number == 0 ? s->queue->texts.first != NULL && checkpointed > 0
                       : s->sound < checkpointed)
        report_damage(s);
    else if (s->bad > 0)
        log_info("queue", NULL,
                 "state of the queue was cut off by a crash: the journal has the rest of state.%u",
                 s->number);
}
