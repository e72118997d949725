/*
 * The part of an accepted message that has to wait: into the journal with the body when it is
 * small; a large body has its own file, which is synced with its name before the record that
 * names it, ahead of the delivery here when both are to be one commit. The message is in the table
 * when its record is appended, so that a checkpoint never covers a record whose message it cannot
 * see; it is scheduled when the record is durable.
 *
 * A record has a limit. Recipients beyond what fits go into further messages with ids of their own
 * and the same body; all are durable before any is sent, and before the reply.
 */
#include "core/log.h"
#include "core/mem.h"
#include "core/random.h"
#include "queue/accept.h"
#include "queue/attempts.h"
#include "queue/body_file.h"
#include "queue/message.h"
#include "queue/message_text.h"
#include "queue/queue_files.h"
#include "queue/queue_journal.h"
#include "queue/result.h"
#include "queue/scheduler.h"

#include <assert.h>
#include <stdlib.h>

#define JOURNAL_WAIT (30 * USEC_SEC)

/* The recipients, the header lines in front and the body fit into one record with the rest. */
_Static_assert(QUEUE_ENVELOPE_RECORD_MAX + QUEUE_HEADER_MAX + SPOOL_MEMORY_MAX + 64 * 1024 <=
                   JOURNAL_RECORD_MAX,
               "a record of the journal");

/* As they are stored (recipient_words.h). */
static struct recipient_words words_of(const struct target *t, struct buf *b)
{
    struct recipient_words w = {t->address, t->original, t->requested, t->detail};
    if (t->kind == RECIPIENT_HOST) {
        buf_clear(b);
        buf_printf(b, "%.*s %.*s", STR_ARG(t->host), STR_ARG(t->address));
        w.address = buf_str(b);
    }
    return w;
}

static size_t words_size(const struct target *t)
{
    struct buf b = BUF_EMPTY;
    const struct recipient_words w = words_of(t, &b);
    size_t size = recipient_words_size(&w);
    buf_free(&b);
    return size;
}

/* What was tried before it went through the front door once more stays to be seen. */
static void fill_recipient(struct queue_message *m, struct queue_recipient *r,
                           const struct target *t)
{
    struct buf word = BUF_EMPTY;
    const struct recipient_words w = words_of(t, &word);
    recipient_set_words(m, r, &w);
    buf_free(&word);
    r->kind = (uint8_t)t->kind;
    r->notify = (uint8_t)t->notify;
    r->success = (uint8_t)t->success;
    bool soft = m->queue->config->settings.soft_bounce;
    r->state = t->outcome == OUTCOME_PERMANENT && !soft ? RECIPIENT_FAILED
               : t->outcome == OUTCOME_DELIVERED        ? RECIPIENT_DELIVERED
                                                        : RECIPIENT_WAITING;
    for (size_t i = 0; i < t->try_count; i++) {
        const struct attempt_view *v = &t->tries[i];
        recipient_set_said(m, r, v->error, v->code, v->relay);
        attempts_note(m, r, v->at);
    }
    if (!t->error)
        return;
    r->attempts = 1;
    recipient_set_said(m, r, str_from_c(t->error->text), str_from_c(err_status_code(t->error)),
                       STR(""));
}

/* Upper bound of its encoded size. */
static size_t encoded_size(const struct target *t)
{
    return 100 + t->host.n + t->address.n + t->original.n + t->requested.n + t->detail.n +
           (t->error || t->try_count ? QUEUE_ERROR_TEXT_MAX + 2 * UINT8_MAX : 0);
}

/* Recipients for one message: the queued targets from *next on, as many as fit. */
static void take_recipients(struct queue_message *m, const struct target *targets, size_t count,
                            size_t *next)
{
    size_t room = QUEUE_ENVELOPE_RECORD_MAX, recipients = 0, words = 0, at = *next;
    for (; at < count && (!targets[at].queued || encoded_size(&targets[at]) <= room); at++) {
        if (!targets[at].queued)
            continue;
        room -= encoded_size(&targets[at]);
        recipients++;
        words += words_size(&targets[at]);
    }
    assert(at > *next); /* addresses have limits far below that of a record */
    message_set_recipients(m, recipients, words);
    recipients = 0;
    for (; *next < at; (*next)++)
        if (targets[*next].queued)
            fill_recipient(m, &m->recipients[recipients++], &targets[*next]);
}

static uint64_t wire_size(const struct spool *body, struct str prefix)
{
    uint64_t size = spool_size(body) + spool_lines(body) + prefix.n;
    for (size_t i = 0; i < prefix.n; i++)
        size += prefix.p[i] == '\n';
    return size;
}

/* further: the envelope's id is taken. */
static struct queue_message *new_message(struct queue *q, const struct envelope *envelope,
                                         struct spool *body, bool further)
{
    struct queue_message *m = message_new(q);
    memcpy(m->id, envelope->id, sizeof(m->id));
    while (further || message_find(q, str_from_c(m->id))) {
        random_id(m->id);
        further = false;
    }
    message_set_envelope(m, envelope->sender, envelope->login, str_from_c(envelope->component),
                         &envelope->options);
    message_set_text(m, envelope->prefix, spool_ref(body));
    m->arrival = clock_wall();
    m->smtputf8 = envelope->smtputf8;
    m->body_8bit = envelope->body_8bit;
    m->copied = envelope->copied;
    m->notice = envelope->notice;
    m->size_crlf = wire_size(body, m->prefix);
    return m;
}

/* Local targets that failed for now are not tried again in this very moment. */
static void set_first_attempts(struct queue_message *m)
{
    usec now = clock_wall();
    for (size_t i = 0; i < m->recipient_count; i++) {
        struct queue_recipient *r = &m->recipients[i];
        if (m->options.hold_until > now)
            r->next_attempt = m->options.hold_until;
        else if (r->attempts > 0)
            r->next_attempt = now + scheduler_backoff(&m->queue->config->settings, r->attempts);
    }
}

/* The id of a message that is queued may be accepted again, with a file of that name. */
SUSPENDS void accept_place(struct accept_batch *b, struct queue *q, const char *id,
                           struct spool *body)
{
    struct err ignored;
    if (!message_find(q, str_from_c(id)) && body_file_place(q, id, body, &ignored))
        b->placed = id;
}

SUSPENDS void accept_drop_placed(struct accept_batch *b, struct queue *q)
{
    if (b->placed)
        body_file_drop(q, b->placed);
    b->placed = NULL;
}

SUSPENDS static bool place_large_body(struct accept_batch *b, struct queue_message *m,
                                      struct err *e)
{
    if (!spool_path(m->body))
        return true;
    if (b->placed && strcmp(b->placed, m->id) == 0)
        b->placed = NULL;
    else if (b->at_once)
        return err_set(e, ERR_TEMP, "its body is not in place");
    else if (!body_file_place(m->queue, m->id, m->body, e))
        return false;
    m->body_in_file = true;
    body_file_attach(m);
    return true;
}

SUSPENDS bool accept_make(struct accept_batch *b, struct queue *q, const struct envelope *envelope,
                          struct spool *body, const struct target *targets, size_t count,
                          struct err *e)
{
    size_t next = 0;
    while (next < count) {
        struct queue_message *m = new_message(q, envelope, body, next > 0);
        take_recipients(m, targets, count, &next);
        set_first_attempts(m);
        b->list = mem_resize(b->list, (b->count + 1) * sizeof(struct queue_message *));
        b->list[b->count++] = m;
        if (!place_large_body(b, m, e))
            return false;
        if (next < count && !b->at_once)
            fiber_yield(); /* each has thousands of recipients */
    }
    return true;
}

lsn accept_append(struct accept_batch *b, bool more)
{
    for (size_t i = 0; i < b->count; i++) {
        struct queue_message *m = b->list[i];
        message_insert(m);
        message_hold(m);
        journal_log_accept(m, more || i + 1 < b->count);
    }
    return b->list[b->count - 1]->accept_lsn;
}

static void begin(struct queue_message *m, const char *id)
{
    bool same = strcmp(m->id, id) == 0;
    struct buf options = BUF_EMPTY;
    envelope_options_write(&options, &m->options);
    log_info(m->component, m->id, "queued from=<%.*s> size=%llu recipients=%zu%.*s%s%s",
             STR_ARG(m->sender), (unsigned long long)m->size_crlf, m->recipient_count,
             STR_ARG(buf_str(&options)), same ? "" : " of=", same ? "" : id);
    buf_free(&options);
    if (m->queue->started)
        scheduler_add_message(m);
}

/* Nobody was told that we have it. The journal has failed then, but its record may be there all the
 * same: the next start needs the body, or else removes it. */
static void take_back(struct queue_message *m)
{
    lsn position = journal_log_done(m);
    queue_files_remove_later(m, position);
    message_remove(m);
}

SUSPENDS void accept_end(struct accept_batch *b, const char *id, bool ok)
{
    struct queue *q = b->count > 0 ? b->list[0]->queue : NULL;
    for (size_t i = 0; i < b->count; i++) {
        struct queue_message *m = b->list[i];
        if (ok && !m->deleted)
            begin(m, id);
        else if (!m->deleted)
            take_back(m);
        message_release(m);
        if (b->count > 1)
            fiber_yield(); /* each has thousands of recipients */
    }
    if (q)
        queue_consider_texts(q);
    free(b->list);
    *b = (struct accept_batch){.placed = b->placed};
}

SUSPENDS void accept_discard(struct accept_batch *b)
{
    for (size_t i = 0; i < b->count; i++) {
        struct queue_message *m = b->list[i];
        if (m->body_in_file)
            body_file_drop(m->queue, m->id);
        message_free(m);
    }
    free(b->list);
    *b = (struct accept_batch){.placed = b->placed};
}

SUSPENDS bool accept_room(struct queue *q, const struct envelope *envelope, struct err *e)
{
    if (envelope->prefix.n > QUEUE_HEADER_MAX)
        return err_set(e, ERR_LIMIT, "the header lines added here are too long");
    /* Reports take the place of what they tell of. */
    if (message_table_is_full(q) && strcmp(envelope->component, "queue") != 0)
        return err_set(e, ERR_NO_SPACE, "the queue is full");
    return journal_ready(q->context.journal, deadline_in(JOURNAL_WAIT), e) &&
           queue_text_room(q, deadline_in(JOURNAL_WAIT), e);
}
