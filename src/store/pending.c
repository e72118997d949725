/*
 * Writing the files of delivered messages, behind the reply.
 *
 * Messages are gathered for a few milliseconds, unless somebody waits for their files: the journal
 * has them, and readers are served from memory. A batch goes to a worker, which for each creates
 * tmp/<name> in the first mailbox, writes header lines and message, links it into the other
 * mailboxes and renames it to new/ (or cur/): four system calls for a message with one recipient,
 * no sync; the next checkpoint syncs. A large message has its file in the spool directory already
 * and is only linked.
 *
 * A write that fails is tried again after a while, for ever: the message was accepted. As long as
 * it fails for lack of space new mail is refused, and the checkpoint waits, so the journal keeps
 * the message.
 */
#include "store/pending.h"

#include "core/disk.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/worker.h"
#include "store/dir_changes.h"
#include "store/limits.h"
#include "store/link_file.h"
#include "store/own_change.h"
#include "store/store_internal.h"
#include "store/summary_cache.h"

#include <assert.h>
#include <fcntl.h>
#include <stdlib.h>

struct write_item {
    struct pending *pending;
    struct pending_target **targets; /* those that were not expunged, or are kept nevertheless */
    size_t count;
    struct pending_target *at;      /* the one being written, or the one that failed */
    struct err *error;              /* NULL: all are written */
    struct summary_record *summary; /* NULL: none was made */
};

struct batch {
    struct store *store;
    struct pending_target **targets; /* of all items */
    size_t count;
    bool summaries; /* are to be made */
    struct own_change own;
    struct dir_changes dirs;
    struct write_item items[PENDING_BATCH];
};

static void write_soon(struct store *s);
static void kick(void *arg);
static void retry(void *arg);

/* --- the worker's part --- */

struct writer {
    struct buf tmp, to, message;
    struct arena *arena;
    struct err *error;
};

static const char *tmp_path(struct writer *w, const struct pending_target *t)
{
    buf_clear(&w->tmp);
    buf_add_c(&w->tmp, t->mailbox->dir);
    buf_add(&w->tmp, "/tmp/", 5);
    buf_add_str(&w->tmp, t->pending->base);
    return buf_c(&w->tmp);
}

static const char *target_path(struct writer *w, const struct pending_target *t)
{
    buf_clear(&w->to);
    buf_add_c(&w->to, t->mailbox->dir);
    buf_add_char(&w->to, '/');
    message_file_add_path(&w->to, t->file);
    return buf_c(&w->to);
}

/* The kernel's time of a write lags by up to a tick: near the turn of a second ask for it. */
static bool time_will_be(int64_t seconds)
{
    usec now = clock_wall();
    return now / USEC_SEC == seconds && (now - 20 * USEC_MSEC) / USEC_SEC == seconds;
}

static bool open_tmp(const char *path, const struct pending_target *t, int *fd, struct err *e)
{
    static const char *const names[] = {"tmp", "new", "cur"};
    struct buf dir = BUF_EMPTY;
    struct err error;

    if (disk_open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600, fd, &error))
        return true;
    if (error.kind == ERR_NOT_FOUND) {
        /* Somebody removed the directory; the message was promised to it. */
        for (size_t i = 0; i < 3; i++) {
            buf_clear(&dir);
            buf_printf(&dir, "%s/%s", t->mailbox->dir, names[i]);
            disk_make_dirs(buf_c(&dir), 0700, NULL);
        }
        buf_free(&dir);
        return disk_open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600, fd, e);
    }
    *e = error;
    return false;
}

static bool write_tmp(struct writer *w, const struct pending_target *t)
{
    const struct pending *p = t->pending;
    struct str message = spool_memory(p->message);
    struct iovec parts[] = {{(void *)p->prefix.p, p->prefix.n}, {(void *)message.p, message.n}};
    int fd, skip = p->prefix.n == 0;
    bool in_time = time_will_be(p->date);

    const char *path = tmp_path(w, t);
    if (!open_tmp(path, t, &fd, w->error))
        return false;
    bool ok = disk_write_at(fd, parts + skip, 2 - skip, 0, path, w->error);
    disk_close(fd);
    return ok && (in_time || disk_set_times(path, p->date * USEC_SEC, w->error));
}

static bool write_alone(struct writer *w, const struct pending_target *t)
{
    return write_tmp(w, t) && disk_rename(w->tmp.p, target_path(w, t), w->error);
}

static bool write_memory(struct writer *w, struct write_item *item)
{
    struct err error;

    item->at = item->targets[0];
    if (!write_tmp(w, item->targets[0]))
        return false;
    for (size_t i = 1; i < item->count; i++) {
        item->at = item->targets[i];
        if (disk_link(w->tmp.p, target_path(w, item->targets[i]), &error) ||
            error.kind == ERR_EXISTS)
            continue;
        bool ok = write_alone(w, item->targets[i]);
        tmp_path(w, item->targets[0]);
        if (!ok)
            return false;
    }
    item->at = item->targets[0];
    return disk_rename(w->tmp.p, target_path(w, item->targets[0]), w->error);
}

static bool link_large(struct writer *w, struct write_item *item)
{
    for (size_t i = 0; i < item->count; i++) {
        item->at = item->targets[i];
        if (!file_link_or_copy(item->pending->path, target_path(w, item->targets[i]), w->error))
            return false;
    }
    return true;
}

/* The bytes are at hand: what clients will ask for is taken from them now. */
static void summarize(struct writer *w, struct write_item *item)
{
    const struct pending *p = item->pending;
    struct str message = spool_memory(p->message);

    if (p->path || item->count == 0)
        return;
    if (p->prefix.n > 0) {
        buf_clear(&w->message);
        buf_add_str(&w->message, p->prefix);
        buf_add_str(&w->message, message);
        message = buf_str(&w->message);
    }
    item->summary = summary_record_of(w->arena, message, message.n);
    arena_reset(w->arena);
}

static void write_batch(void *arg)
{
    struct batch *b = arg;
    struct err error;
    struct writer w = {.error = &error, .arena = arena_new_sized(SCAN_ARENA)};

    dir_changes_before(&b->dirs);
    for (size_t i = 0; i < b->count; i++) {
        struct write_item *item = &b->items[i];
        bool ok = item->count == 0 ||
                  (item->pending->path ? link_large(&w, item) : write_memory(&w, item));
        if (!ok) {
            item->error = MEM_NEW(struct err);
            *item->error = error;
        } else if (b->summaries) {
            summarize(&w, item);
        }
    }
    dir_changes_after(&b->dirs);
    buf_free(&w.tmp);
    buf_free(&w.to);
    buf_free(&w.message);
    arena_free(w.arena);
}

/* --- the loop's part --- */

struct pending *pending_new(struct spool *message, struct str prefix, struct str base, size_t count)
{
    size_t head = sizeof(struct pending) + count * sizeof(struct pending_target);
    struct pending *p = mem_alloc(head + prefix.n + base.n);
    char *text = (char *)p + head;

    memset(p, 0, head);
    if (prefix.n > 0)
        memcpy(text, prefix.p, prefix.n);
    memcpy(text + prefix.n, base.p, base.n);
    p->refs = 1;
    p->message = spool_ref(message);
    p->prefix = str_from(text, prefix.n);
    p->base = str_from(text + prefix.n, base.n);
    p->count = count;
    for (size_t i = 0; i < count; i++)
        p->targets[i].pending = p;
    return p;
}

struct pending *pending_ref(struct pending *p)
{
    p->refs++;
    return p;
}

void pending_unref(struct pending *p)
{
    if (--p->refs > 0)
        return;
    assert(!p->listed);
    spool_unref(p->message);
    free(p->path);
    free(p);
}

static void take_off_list(struct store *s, struct pending *p)
{
    if (p->previous)
        p->previous->next = p->next;
    else
        s->pending_first = p->next;
    if (p->next)
        p->next->previous = p->previous;
    else
        s->pending_last = p->previous;
    p->listed = false;
    s->pending_count--;
    s->pending_bytes -= p->path ? 0 : p->size;
}

static void finish_target(struct pending_target *t, bool on_disk, struct summary_record *summary)
{
    struct mailbox *m = t->mailbox;
    struct message *message = (struct message *)mailbox_find_uid(m, t->uid);

    m->pending--;
    if (t->expunged) {
        if (on_disk && !m->is_deleted) {
            mailbox_add_leaving(m, &t->leaving);
            mailbox_flush_soon(m, FLUSH_LEAVING);
        }
    } else if (message && message->state & STATE_PENDING && message->file == t) {
        message->state &= (uint8_t)~STATE_PENDING;
        message->file = t->file;
        if (summary)
            summary_put(m, t->uid, summary);
        bool as_named = t->file->flags == message->flags &&
                        t->file->keywords == keyword_set_letters(&m->c.keywords, message->keywords);
        if (!as_named)
            mailbox_mark_message(m, message);
    }
    cond_broadcast(&m->changed);
    mailbox_unref(m);
}

static void finish(struct store *s, struct write_item *item)
{
    struct pending *p = item->pending;
    size_t written = 0;

    take_off_list(s, p);
    for (size_t i = 0; i < p->count; i++) {
        struct pending_target *t = &p->targets[i];
        bool on_disk = written < item->count && item->targets[written] == t;
        written += on_disk;
        t->mailbox->write_failed = false;
        finish_target(t, on_disk, item->summary);
    }
    if (p->path)
        store_add_spool_file(s, p->path, p->lsn);
    p->path = NULL;
    summary_record_unref(item->summary);
    pending_unref(p);
}

/* A full disk concerns everybody; any other failure only the mailbox where it happened. */
static void note_failure(struct store *s, struct write_item *item)
{
    struct mailbox *m = item->at->mailbox;
    bool full = item->error->kind == ERR_NO_SPACE;

    if (full ? s->pending_error.kind == ERR_NONE : !m->write_failed)
        log_error("store", NULL, "messages wait in the journal, their files cannot be written: %s",
                  item->error->text);
    if (full)
        s->pending_error = *item->error;
    else
        m->write_failed = true;
    item->pending->retry_at = deadline_in(PENDING_RETRY);
    free(item->error);
    if (!timer_is_set(&s->pending_retry) && !s->closing)
        timer_set(&s->pending_retry, item->pending->retry_at, retry, s);
}

static void batch_done(void *arg)
{
    struct batch *b = arg;
    struct store *s = b->store;
    size_t failed = 0;

    s->writers--;
    own_change_end(s, &b->own);
    dir_changes_end(&b->dirs);
    for (size_t i = 0; i < b->count; i++) {
        struct write_item *item = &b->items[i];
        item->pending->writing = false;
        failed += item->error != NULL;
        s->pending_waiting += item->error != NULL;
        if (item->error)
            note_failure(s, item);
        else
            finish(s, item);
    }
    if (failed == 0 && s->pending_error.kind != ERR_NONE) {
        s->pending_error.kind = ERR_NONE;
        log_info("store", NULL, "messages that waited in the journal can be written again");
    }
    free(b->targets);
    free(b);
    cond_broadcast(&s->pending_done);
    write_soon(s);
}

static void add_item(struct batch *b, struct pending *p, size_t *used)
{
    struct write_item *item = &b->items[b->count++];

    *item = (struct write_item){.pending = p, .targets = b->targets + *used};
    for (size_t i = 0; i < p->count; i++) {
        if (p->targets[i].expunged && p->targets[i].leaving.expunged == 0)
            continue;
        item->targets[item->count++] = &p->targets[i];
        own_change_add_file(&b->own, p->targets[i].mailbox, p->targets[i].file);
        dir_changes_add(&b->dirs, p->targets[i].mailbox, p->targets[i].file->place);
    }
    *used += item->count;
    p->writing = true;
    b->store->pending_waiting--;
}

static void start_batch(struct store *s)
{
    struct pending *all[PENDING_BATCH];
    size_t count = 0, targets = 0, used = 0;
    usec now = clock_monotonic();

    for (struct pending *p = s->pending_first; p && count < PENDING_BATCH; p = p->next) {
        if (p->writing || p->retry_at > now)
            continue;
        all[count++] = p;
        targets += p->count;
    }
    if (count == 0)
        return;
    struct batch *b = mem_alloc(sizeof(*b));
    b->store = s;
    b->count = 0;
    b->summaries = s->settings.summary_at_delivery;
    b->own = (struct own_change){0};
    b->dirs = (struct dir_changes){0};
    b->targets = mem_array(targets, sizeof(struct pending_target *));
    for (size_t i = 0; i < count; i++)
        add_item(b, all[i], &used);
    s->writers++;
    worker_start(WORKER_DISK, write_batch, batch_done, b);
}

static void kick(void *arg)
{
    struct store *s = arg;

    s->pending_kicked = false;
    timer_clear(&s->pending_gather);
    for (size_t before = SIZE_MAX; s->writers < PENDING_WRITERS && before != s->writers;) {
        before = s->writers;
        start_batch(s);
    }
}

/* Those that failed later than the first have their time later. */
static void retry(void *arg)
{
    struct store *s = arg;
    usec now = clock_monotonic(), next = DEADLINE_NONE;

    kick(s);
    for (struct pending *p = s->pending_first; p; p = p->next)
        if (!p->writing && p->retry_at > now && p->retry_at < next)
            next = p->retry_at;
    if (next != DEADLINE_NONE && !s->closing)
        timer_set(&s->pending_retry, next, retry, s);
}

static void write_soon(struct store *s)
{
    if (s->pending_kicked || s->pending_waiting == 0 || s->writers >= PENDING_WRITERS)
        return;
    if (s->pending_waiting < PENDING_GATHER && s->pending_bytes < PENDING_GATHER_BYTES &&
        !s->closing) {
        if (!timer_is_set(&s->pending_gather))
            timer_set(&s->pending_gather, deadline_in(PENDING_DELAY), kick, s);
        return;
    }
    s->pending_kicked = true;
    loop_defer(s->loop, kick, s);
}

void pending_add(struct store *s, struct pending *p)
{
    p->previous = s->pending_last;
    p->next = NULL;
    if (p->previous)
        p->previous->next = p;
    else
        s->pending_first = p;
    s->pending_last = p;
    p->listed = true;
    s->pending_count++;
    s->pending_waiting++;
    s->pending_bytes += p->path ? 0 : p->size;
    write_soon(s);
}

void pending_expunge(struct pending_target *t, const struct leaving_file *leaving)
{
    t->expunged = true;
    t->leaving = *leaving;
}

lsn pending_oldest(const struct store *s)
{
    return s->pending_first ? s->pending_first->lsn : UINT64_MAX;
}

void pending_try_again(struct store *s)
{
    timer_clear(&s->pending_retry);
    for (struct pending *p = s->pending_first; p; p = p->next)
        p->retry_at = 0;
    kick(s);
}

void pending_hurry(struct store *s)
{
    if (timer_is_set(&s->pending_gather))
        kick(s);
}

bool pending_wait(struct mailbox *m, usec deadline, struct err *e)
{
    while (m->pending > 0) {
        pending_hurry(m->store);
        if (!cond_wait(&m->changed, deadline, e))
            return false;
    }
    return true;
}

void pending_drop_all(struct store *s)
{
    assert(s->writers == 0);
    timer_clear(&s->pending_retry);
    timer_clear(&s->pending_gather);
    s->pending_waiting = 0;
    while (s->pending_first) {
        struct pending *p = s->pending_first;
        take_off_list(s, p);
        for (size_t i = 0; i < p->count; i++) {
            p->targets[i].mailbox->pending--;
            mailbox_unref(p->targets[i].mailbox);
        }
        pending_unref(p);
    }
}
