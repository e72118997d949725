/*
 * Where texts are, and their way into files.
 *
 * New messages stand in queue->fresh, with their texts in memory. A checkpoint of the journal
 * writes the texts of those that it covers; when QUEUE_TEXTS_IN_MEMORY are waiting before one
 * comes, a fiber writes the oldest (the journal has them all the same, so nothing is synced for
 * it). Should the disk be slower than the mail that comes in, accepting waits (queue_text_room).
 *
 * Most mail is sent long before either happens and never becomes a file.
 */
#include "queue/message_text.h"

#include "core/log.h"
#include "core/mem.h"
#include "queue/body_file.h"
#include "queue/message.h"
#include "queue/queue_journal.h"
#include "queue/walk.h"

#include <assert.h>
#include <stdlib.h>

/* --- in memory --- */

/* Bytes of it in memory. */
static size_t text_size(const struct queue_message *m)
{
    return m->prefix.n + (m->body ? spool_memory(m->body).n : 0);
}

void message_set_text(struct queue_message *m, struct str prefix, struct spool *body)
{
    assert(!m->body && !m->prefix.p);
    m->prefix = str_from(mem_dup(prefix.p ? prefix.p : "", prefix.n), prefix.n);
    m->body = body;
    m->body_size = spool_size(body);
}

static void forget_text(struct queue_message *m)
{
    free((char *)m->prefix.p);
    m->prefix = (struct str){0};
    spool_unref(m->body);
    m->body = NULL;
}

void message_close_text(struct queue_message *m)
{
    if (m->place.file)
        forget_text(m);
}

void message_text_counts(struct queue_message *m)
{
    if (m->place.file || !m->body)
        return;
    m->fresh = true;
    link_append(&m->queue->fresh, &m->dirty);
    m->queue->texts_in_memory += text_size(m);
}

static void is_written(struct queue_message *m)
{
    if (!m->fresh)
        return;
    m->fresh = false;
    m->queue->texts_in_memory -= text_size(m);
    link_remove(&m->dirty);
    cond_broadcast(&m->queue->text_room);
}

void message_text_counts_no_more(struct queue_message *m)
{
    is_written(m);
}

/* --- reading --- */

static bool is_damage(const struct err *e)
{
    return e->kind == ERR_SYNTAX || e->kind == ERR_NOT_FOUND;
}

/* Nobody can send it. It stays, so that somebody looks. */
static void set_aside(struct queue_message *m, const struct err *e)
{
    if (m->on_hold && m->hold_reason == HOLD_DAMAGED)
        return;
    log_error("queue", m->id, "on hold from=<%.*s> reason=\"its text cannot be read: %s\"",
              STR_ARG(m->sender), e->text);
    m->on_hold = true;
    m->hold_reason = HOLD_DAMAGED;
    journal_log_hold(m);
}

SUSPENDS static bool read_placed(struct queue_message *m, struct str *prefix, struct str *body,
                                 struct buf *bytes, struct err *e)
{
    if (!m->place.file)
        return err_set(e, ERR_NOT_FOUND, "its text file is missing");
    return text_read(&m->queue->texts, &m->place, m->id, bytes, prefix, body, e);
}

SUSPENDS bool message_open_text(struct queue_message *m, struct err *e)
{
    struct buf bytes = BUF_EMPTY;
    struct str prefix, small;
    assert(m->holds > 0);
    if (m->body)
        return true;
    bool ok = read_placed(m, &prefix, &small, &bytes, e);
    if (ok && m->body_missing)
        ok = err_set(e, ERR_NOT_FOUND, "its file is missing or of a wrong size");
    struct spool *body = NULL;
    if (ok && m->body_in_file) {
        body = body_file_open(m);
    } else if (ok) {
        body = spool_new(store_spool_dir(m->queue->context.store), m->id);
        ok = spool_write(body, small, e);
    }
    if (!ok && is_damage(e) && !m->deleted)
        set_aside(m, e);
    if (ok && !m->body)
        message_set_text(m, prefix, body);
    else
        spool_unref(body); /* another fiber was faster */
    buf_free(&bytes);
    return ok;
}

/* --- one at a time --- */

SUSPENDS void queue_files_lock(struct queue *q)
{
    while (q->files_locked)
        cond_wait_certain(&q->files_unlocked);
    q->files_locked = true;
}

void queue_files_unlock(struct queue *q)
{
    q->files_locked = false;
    cond_signal(&q->files_unlocked);
}

/* --- writing --- */

static struct queue_message *from_dirty_link(struct link *l)
{
    return (struct queue_message *)((char *)l - offsetof(struct queue_message, dirty));
}

static void add_to_batch(struct text_batch *b, const struct queue_message *m)
{
    text_batch_add(b, m->id, m->prefix, spool_memory(m->body).p ? spool_memory(m->body) : STR(""));
}

/* The message was not removed meanwhile, so it has this place now. */
static void take_place(struct queue *q, const struct text_entry *entry)
{
    struct queue_message *m = message_find(q, str_from_c(entry->id));
    if (!m)
        return;
    is_written(m);
    text_place_leave(&m->place);
    m->place = entry->place;
    text_place_use(&m->place);
    m->stored = false;
    message_mark_dirty(m);
    if (m->holds == 0)
        message_close_text(m);
}

SUSPENDS static bool write_batch(struct queue *q, struct text_batch *b, struct err *e)
{
    struct text_entry *entry;
    bool ok = text_batch_write(&q->texts, b, e);
    for (size_t i = 0; ok && (entry = text_batch_entry(b, i)); i++)
        take_place(q, entry);
    text_batch_free(b);
    return ok;
}

/* The oldest that are accepted up to this record, until a batch is full. */
static void gather(struct queue *q, lsn upto, struct text_batch *b)
{
    for (struct link *l = q->fresh.next; l != &q->fresh && b->bytes.n < QUEUE_TEXT_BATCH;
         l = l->next) {
        const struct queue_message *m = from_dirty_link(l);
        if (m->accept_lsn > upto)
            return; /* in the order of their records */
        add_to_batch(b, m);
    }
}

SUSPENDS bool queue_write_texts(struct queue *q, lsn upto, struct err *e)
{
    for (;;) {
        struct text_batch b = {0};
        gather(q, upto, &b);
        if (b.bytes.n == 0)
            return true;
        if (!write_batch(q, &b, e))
            return false;
    }
}

SUSPENDS static bool write_some(struct queue *q, struct err *e)
{
    struct text_batch b = {0};
    gather(q, UINT64_MAX, &b);
    return write_batch(q, &b, e);
}

SUSPENDS bool queue_write_texts_if_many(struct queue *q, struct err *e)
{
    while (q->texts_in_memory > QUEUE_TEXTS_IN_MEMORY)
        if (!write_some(q, e))
            return false;
    return true;
}

SUSPENDS static void write_in_background(void *arg)
{
    struct queue *q = arg;
    struct err e = {.kind = ERR_NONE};
    bool ok = true;
    /* Down to half of it, so that this is not done for each message. */
    while (ok && q->texts_in_memory > QUEUE_TEXTS_IN_MEMORY / 2) {
        queue_files_lock(q);
        ok = write_some(q, &e);
        queue_files_unlock(q);
    }
    if (!ok) {
        log_warning("queue", NULL, "waiting mail cannot be written into files: %s", e.text);
        q->texts_retry = clock_monotonic() + QUEUE_TEXTS_RETRY;
    }
    q->writing_texts = false;
    cond_broadcast(&q->text_room);
}

void queue_consider_texts(struct queue *q)
{
    if (q->texts_in_memory <= QUEUE_TEXTS_IN_MEMORY || q->writing_texts || !q->started ||
        q->stopping || clock_monotonic() < q->texts_retry)
        return;
    q->writing_texts = fiber_start(q->context.loop, "queue texts", write_in_background, q);
}

SUSPENDS bool queue_text_room(struct queue *q, usec deadline, struct err *e)
{
    while (q->texts_in_memory > QUEUE_TEXTS_IN_MEMORY_MAX) {
        queue_consider_texts(q);
        if (!q->writing_texts)
            return err_set(e, ERR_NO_SPACE, "waiting mail cannot be written into files");
        if (!cond_wait(&q->text_room, deadline, e))
            return false;
    }
    return true;
}

/* --- files that are mostly needless --- */

static bool is_sparse(const struct text_files *t, const struct text_file *f)
{
    return f != t->current && f->free_after == 0 && f->live > 0 && f->live < f->size / 2;
}

/* The texts as they are; one that is damaged is left, and found when it is to be sent. */
SUSPENDS static bool move_texts(struct queue *q, struct buf *ids, struct err *e)
{
    struct text_batch b = {0};
    for (size_t at = 0; at < ids->n; at += ID_SIZE) {
        struct queue_message *m = message_find(q, str_from_c(ids->p + at));
        struct buf bytes = BUF_EMPTY;
        struct str prefix, body;
        struct err ignored;
        if (m && m->place.file &&
            text_read(&q->texts, &m->place, ids->p + at, &bytes, &prefix, &body, &ignored))
            text_batch_add(&b, ids->p + at, prefix, body);
        buf_free(&bytes);
    }
    buf_clear(ids);
    return write_batch(q, &b, e);
}

SUSPENDS static bool leave_file(struct queue *q, const struct text_file *f, struct err *e)
{
    struct buf ids = BUF_EMPTY;
    struct walk w;
    struct queue_message *m;
    size_t bytes = 0;
    bool ok = true;
    for (walk_begin(&w, q); ok && (m = walk_next(&w));) {
        if (m->place.file != f)
            continue;
        buf_add(&ids, m->id, ID_SIZE);
        bytes += m->place.size;
        if (bytes >= QUEUE_TEXT_BATCH) {
            ok = move_texts(q, &ids, e);
            bytes = 0;
        }
    }
    walk_end(&w);
    ok = ok && move_texts(q, &ids, e);
    buf_free(&ids);
    return ok;
}

SUSPENDS bool queue_compact_texts(struct queue *q, struct err *e)
{
    for (const struct text_file *f = q->texts.first; f; f = f->next)
        if (is_sparse(&q->texts, f))
            return leave_file(q, f, e);
    return true;
}
