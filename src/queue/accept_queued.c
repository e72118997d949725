/*
 * The part of an accepted message that has to wait: into the journal with the body when it is
 * small; a large body has its own file, which is synced with its name before the record that
 * names it. The message is in the table when its record is appended, so that a checkpoint never
 * covers a record whose message it cannot see; it is scheduled when the record is durable.
 */
#include "core/log.h"
#include "core/random.h"
#include "queue/accept.h"
#include "queue/envelope_files.h"
#include "queue/message.h"
#include "queue/queue_journal.h"
#include "queue/result.h"
#include "queue/scheduler.h"

#define JOURNAL_WAIT (30 * USEC_SEC)

static void fill_recipient(struct queue_recipient *r, const struct target *t, struct arena *a)
{
    r->address = arena_str(a, t->address);
    r->original = arena_str(a, t->original);
    r->kind = (uint8_t)t->kind;
    r->state = t->outcome == OUTCOME_PERMANENT ? RECIPIENT_FAILED : RECIPIENT_WAITING;
    if (!t->error)
        return;
    r->attempts = 1;
    recipient_set_texts(r, str_from_c(t->error->text), str_from_c(err_status_code(t->error)),
                        STR(""));
}

static struct queue_message *new_message(struct queue *q, const struct envelope *envelope,
                                         struct spool *body, const struct target *targets,
                                         size_t count)
{
    struct queue_message *m = message_new(q);
    size_t queued = 0, at = 0;
    memcpy(m->id, envelope->id, sizeof(m->id));
    while (message_find(q, str_from_c(m->id)))
        random_id(m->id);
    m->sender = arena_str(m->arena, envelope->sender);
    m->login = arena_str(m->arena, envelope->login);
    m->prefix = arena_str(m->arena, envelope->prefix);
    m->component = arena_c(m->arena, str_from_c(envelope->component));
    m->arrival = clock_wall();
    m->smtputf8 = envelope->smtputf8;
    m->body_8bit = envelope->body_8bit;
    m->size_crlf = spool_size(body) + spool_lines(body) + m->prefix.n;
    for (size_t i = 0; i < m->prefix.n; i++)
        m->size_crlf += m->prefix.p[i] == '\n';
    m->body = spool_ref(body);
    for (size_t i = 0; i < count; i++)
        queued += targets[i].queued;
    message_set_recipients(m, queued);
    for (size_t i = 0; i < count; i++)
        if (targets[i].queued)
            fill_recipient(&m->recipients[at++], &targets[i], m->arena);
    return m;
}

/* Local targets that failed for now are not tried again in this very moment. */
static void set_first_attempts(struct queue_message *m)
{
    usec now = clock_wall();
    for (size_t i = 0; i < m->recipient_count; i++) {
        struct queue_recipient *r = &m->recipients[i];
        if (r->attempts > 0)
            r->next_attempt = now + scheduler_backoff(&m->queue->config->settings, r->attempts);
    }
}

SUSPENDS static bool place_large_body(struct queue_message *m, struct err *e)
{
    if (!spool_path(m->body))
        return true;
    if (!envelope_file_place_body(m->queue, m->id, m->body, e))
        return false;
    m->body_in_file = true;
    envelope_file_attach_body(m, spool_size(m->body));
    return true;
}

SUSPENDS bool accept_into_queue(struct queue *q, const struct envelope *envelope,
                                struct spool *message, const struct target *targets, size_t count,
                                struct err *e)
{
    if (!journal_ready(q->context.journal, deadline_in(JOURNAL_WAIT), e))
        return false;
    struct queue_message *m = new_message(q, envelope, message, targets, count);
    set_first_attempts(m);
    if (!place_large_body(m, e)) {
        message_free(m);
        return false;
    }
    message_insert(m);
    message_hold(m);
    journal_log_accept(m);
    bool ok = journal_commit(q->context.journal, m->accept_lsn, e);
    if (!ok && !m->deleted) {
        message_remove(m);
        if (m->body_in_file)
            envelope_file_drop_body(q, m->id);
    } else if (ok && !m->deleted) {
        log_info(envelope->component, m->id, "from=<%.*s> size=%llu recipients=%zu queued%s%s",
                 STR_ARG(m->sender), (unsigned long long)m->size_crlf, m->recipient_count,
                 strcmp(m->id, envelope->id) == 0 ? "" : " of=",
                 strcmp(m->id, envelope->id) == 0 ? "" : envelope->id);
        if (q->started)
            scheduler_add_message(m);
    }
    message_release(m);
    return ok;
}
