/*
 * Four records tell the life of a queued message:
 *
 *   ACCEPT  the envelope, and the body when it is small: from its commit on the message is ours
 *   RESULT  what became of a recipient in an attempt: delivered, failed, reported, or when next
 *   WARNED  the sender has been told of the delay
 *   HOLD    an operator stopped the message, or let it go on
 *   DONE    nothing is left to do
 *
 * A crash at any point: before ACCEPT is durable nothing was promised. After it, what RESULT
 * records were lost is done again: a message may be sent twice, a report too, none is lost. DONE is
 * appended after the commit of the report that it may depend on, so it is never durable without it.
 */
#include "queue/queue_journal.h"

#include "queue/body_file.h"
#include "queue/message.h"
#include "queue/message_codec.h"
#include "queue/message_text.h"
#include "queue/queue_files.h"

enum record_type {
    RECORD_ACCEPT = 1,
    RECORD_RESULT = 2,
    RECORD_WARNED = 3,
    RECORD_DONE = 4,
    RECORD_HOLD = 5
};

/* The version of a message's form: records and envelope files change together. */
#define RECORD_VERSION MESSAGE_VERSION

static lsn append(struct queue *q, enum record_type type, const struct str *parts, size_t count)
{
    return journal_append(q->context.journal, JOURNAL_QUEUE, type, RECORD_VERSION, parts, count);
}

void journal_log_accept(struct queue_message *m, bool more)
{
    struct buf envelope = BUF_EMPTY, head = BUF_EMPTY;
    message_encode(&envelope, m);
    buf_add_counted(&head, buf_str(&envelope));
    struct str parts[] = {buf_str(&head), m->body_in_file ? STR("") : spool_memory(m->body)};
    m->accept_lsn = (more ? journal_append_more : journal_append)(
        m->queue->context.journal, JOURNAL_QUEUE, RECORD_ACCEPT, RECORD_VERSION, parts, 2);
    buf_free(&envelope);
    buf_free(&head);
    message_mark_dirty(m);
}

static void encode_result(struct buf *out, const struct queue_message *m,
                          const struct queue_recipient *r)
{
    buf_add_counted(out, str_from_c(m->id));
    buf_add_u32(out, (uint32_t)(r - m->recipients));
    recipient_encode_change(out, m, r);
}

lsn journal_log_result(struct queue_message *m, struct queue_recipient *r)
{
    struct buf out = BUF_EMPTY;
    encode_result(&out, m, r);
    r->changed = true;
    struct str part = buf_str(&out);
    lsn position = append(m->queue, RECORD_RESULT, &part, 1);
    buf_free(&out);
    message_mark_dirty(m);
    return position;
}

lsn journal_log_delivery(struct queue_message *m, const struct queue_recipient *r, bool more)
{
    struct buf out = BUF_EMPTY;
    encode_result(&out, m, r);
    struct str part = buf_str(&out);
    lsn position = (more ? journal_append_more : journal_append)(
        m->queue->context.journal, JOURNAL_QUEUE, RECORD_RESULT, RECORD_VERSION, &part, 1);
    buf_free(&out);
    return position;
}

enum { TOLD_DELAY = 1, TOLD_LATE = 2 };

void journal_log_warned(struct queue_message *m)
{
    struct buf out = BUF_EMPTY;
    buf_add_counted(&out, str_from_c(m->id));
    buf_add_u8(&out, (m->warned ? TOLD_DELAY : 0) | (m->told_late ? TOLD_LATE : 0));
    struct str part = buf_str(&out);
    append(m->queue, RECORD_WARNED, &part, 1);
    buf_free(&out);
    message_mark_dirty(m);
}

enum { ON_HOLD = 1, HELD_BY_SENDER = 2 };

lsn journal_log_hold(struct queue_message *m)
{
    struct buf out = BUF_EMPTY;
    buf_add_counted(&out, str_from_c(m->id));
    buf_add_u8(&out, (m->on_hold ? ON_HOLD : 0) | (m->options.hold_until ? HELD_BY_SENDER : 0));
    buf_add_u8(&out, m->hold_reason);
    struct str part = buf_str(&out);
    lsn position = append(m->queue, RECORD_HOLD, &part, 1);
    buf_free(&out);
    message_mark_dirty(m);
    return position;
}

lsn journal_log_done(struct queue_message *m)
{
    /* No checkpoint may write it any more: nobody would remove the files. */
    struct buf out = BUF_EMPTY;
    m->done = true;
    link_remove(&m->dirty);
    buf_add_counted(&out, str_from_c(m->id));
    struct str part = buf_str(&out);
    lsn position = append(m->queue, RECORD_DONE, &part, 1);
    buf_free(&out);
    return position;
}

/* --- replay --- */

static bool damaged(const struct journal_record *r, struct err *e)
{
    return err_set(e, ERR_IO, "queue record %llu of type %u cannot be understood",
                   (unsigned long long)r->lsn, r->type);
}

/* The checkpoint that wrote its files did not end, so their bytes may be missing. Everything that
 * happened to it since comes in the records behind this one. */
static void replace_found(struct queue *q, struct queue_message *m)
{
    struct queue_message *found = message_find(q, str_from_c(m->id));
    if (!found)
        return;
    m->in_log = found->in_log;
    m->old_file = found->old_file;
    message_remove(found);
}

SUSPENDS static bool replay_accept(struct queue *q, const struct journal_record *r, struct err *e)
{
    struct reader in = {.p = r->payload.p, .n = r->payload.n};
    struct str envelope = read_counted(&in);
    struct queue_message *m = in.bad ? NULL : message_decode(q, envelope, r->version);
    if (!m)
        return damaged(r, e);
    if (m->body_in_file) {
        body_file_attach(m);
        m->body_missing = !queue_files_have_body(m);
    } else {
        m->body = spool_new(store_spool_dir(q->context.store), m->id);
        if (in.n != m->body_size || !spool_write(m->body, str_from(in.p, in.n), e)) {
            bool understood = in.n == m->body_size;
            message_free(m);
            return understood ? false : damaged(r, e);
        }
    }
    replace_found(q, m);
    m->accept_lsn = r->lsn;
    message_insert(m);
    message_mark_dirty(m);
    return queue_write_texts_if_many(q, e);
}

static bool replay_result(struct queue *q, const struct journal_record *record, struct reader *in,
                          struct err *e)
{
    struct queue_message *m = message_find(q, read_counted(in));
    uint32_t index = read_u32(in);
    struct recipient_change now;
    if (!recipient_decode_change(in, record->version, &now))
        return damaged(record, e);
    if (!m)
        return true;
    if (index >= m->recipient_count)
        return damaged(record, e);
    struct queue_recipient *r = &m->recipients[index];
    if (r->state != RECIPIENT_WAITING)
        r->reported |= now.reported;
    else if (now.state != RECIPIENT_WAITING || now.attempts >= r->attempts)
        recipient_take_change(m, r, &now);
    r->changed = true;
    message_mark_dirty(m);
    return true;
}

static bool replay_warned(struct queue *q, const struct journal_record *record, struct reader *in,
                          struct err *e)
{
    struct queue_message *m = message_find(q, read_counted(in));
    unsigned told = record->version >= 2 ? read_u8(in) : TOLD_DELAY;
    if (in->bad)
        return damaged(record, e);
    if (m) {
        m->warned |= (told & TOLD_DELAY) != 0;
        m->told_late |= (told & TOLD_LATE) != 0;
        message_mark_dirty(m);
    }
    return true;
}

static bool replay_hold(struct queue *q, const struct journal_record *record, struct reader *in,
                        struct err *e)
{
    struct queue_message *m = message_find(q, read_counted(in));
    unsigned held = read_u8(in), reason = record->version >= 3 ? read_u8(in) : HOLD_OPERATOR;
    if (in->bad || reason >= HOLD_REASONS)
        return damaged(record, e);
    if (m) {
        m->on_hold = held & ON_HOLD;
        m->hold_reason = (uint8_t)reason;
        if (!(held & HELD_BY_SENDER))
            message_end_sender_hold(m);
        message_mark_dirty(m);
    }
    return true;
}

static bool replay_done(struct queue *q, const struct journal_record *record, struct reader *in,
                        struct err *e)
{
    struct queue_message *m = message_find(q, read_counted(in));
    if (in->bad)
        return damaged(record, e);
    if (m) {
        queue_files_remove_later(m, record->lsn);
        message_remove(m);
    }
    return true;
}

SUSPENDS bool journal_replay_record(void *arg, const struct journal_record *r, struct err *e)
{
    struct queue *q = arg;
    if (r->version < 1 || r->version > RECORD_VERSION)
        return err_set(e, ERR_PERM, "queue record %llu has version %u: written by a newer server",
                       (unsigned long long)r->lsn, r->version);
    struct reader in = {.p = r->payload.p, .n = r->payload.n};
    switch ((enum record_type)r->type) {
    case RECORD_ACCEPT:
        return replay_accept(q, r, e);
    case RECORD_RESULT:
        return replay_result(q, r, &in, e);
    case RECORD_WARNED:
        return replay_warned(q, r, &in, e);
    case RECORD_HOLD:
        return replay_hold(q, r, &in, e);
    case RECORD_DONE:
        return replay_done(q, r, &in, e);
    }
    return damaged(r, e);
}
