/*
 * What follows when nothing of a message is under way any more: recipients that failed are reported
 * to the sender in one message, a delay is reported once, and a message with nothing left to do is
 * ended.
 *
 * A report is mail like any other, from the null sender (RFC 5321 4.5.5): it goes through
 * queue_accept, into a mailbox here at once or into the queue. Mail from the null sender is never
 * reported, so there are no loops; what could not be delivered then stands in the log. "Reported"
 * is written down after the report was accepted: a crash between the two sends it twice.
 *
 * A report that cannot be accepted now (full disk, directory down) is tried again later.
 */
#include "queue/settle.h"

#include "core/log.h"
#include "core/random.h"
#include "mime/report.h"
#include "queue/envelope_files.h"
#include "queue/message.h"
#include "queue/queue_journal.h"
#include "queue/scheduler.h"

struct reporting {
    struct queue_message *m;
    struct arena *arena;
    enum report_action action;
    uint32_t *recipients; /* indices of those that it tells about */
    size_t count;
    char id[ID_SIZE];
};

static bool is_due(const struct queue_message *m, const struct queue_recipient *r,
                   enum report_action action)
{
    if (action == REPORT_FAILED)
        return r->state == RECIPIENT_FAILED && !r->reported;
    return (r->state == RECIPIENT_WAITING || r->state == RECIPIENT_SENDING) && r->attempts > 0 &&
           !m->warned;
}

static size_t count_due(const struct queue_message *m, enum report_action action)
{
    size_t count = 0;
    for (size_t i = 0; i < m->recipient_count; i++)
        count += is_due(m, &m->recipients[i], action);
    return count;
}

SUSPENDS static struct str postmaster(struct queue *q, struct arena *a)
{
    struct domain *domains;
    size_t count = 0;
    struct err e;
    const char *set = q->config->settings.postmaster;
    if (*set)
        return arena_str(a, str_from_c(set));
    if (directory_list_domains(q->context.directory, a, &domains, &count, &e) && count > 0)
        return arena_printf(a, "postmaster@%.*s", STR_ARG(domains[0].name));
    return arena_printf(a, "postmaster@%s", q->context.hostname);
}

static void fill_recipient(struct reporting *x, struct report_recipient *out,
                           const struct queue_recipient *r)
{
    struct arena *a = x->arena;
    const struct queue_settings *s = &x->m->queue->config->settings;
    bool failed = x->action == REPORT_FAILED;
    struct str code = str_from_c(r->code), relay = str_from_c(r->relay);
    out->address = r->address;
    if (!str_equal(r->address, r->original))
        out->original = arena_printf(a, "%s;%.*s", str_is_ascii(r->original) ? "rfc822" : "utf-8",
                                     STR_ARG(r->original));
    out->action = x->action;
    out->status = code.n ? arena_str(a, code) : failed ? STR("5.0.0") : STR("4.0.0");
    out->diagnostic = arena_str(a, str_from_c(r->error));
    out->remote_host = arena_str(a, str_split(&relay, '['));
    out->last_attempt = clock_wall() / USEC_SEC;
    out->will_retry_until = failed ? 0 : (x->m->arrival + s->lifetime) / USEC_SEC;
}

/* The bytes of the report. */
SUSPENDS static bool write_report(struct reporting *x, struct buf *out, bool *utf8, struct err *e)
{
    struct queue_message *m = x->m;
    struct buf header = BUF_EMPTY;
    struct report_recipient *recipients = arena_array(x->arena, x->count, sizeof(*recipients));
    for (size_t i = 0; i < x->count; i++)
        fill_recipient(x, &recipients[i], &m->recipients[x->recipients[i]]);
    buf_add_str(&header, m->prefix);
    if (!spool_read_header(m->body, QUEUE_HEADER_MAX, &header, e)) {
        buf_free(&header);
        return false;
    }
    *utf8 = !str_is_ascii(m->sender) || (m->smtputf8 && !str_is_ascii(buf_str(&header)));
    struct report report = {
        .reporting_host = str_from_c(m->queue->context.hostname),
        .postmaster = postmaster(m->queue, x->arena),
        .to = m->sender,
        .message_id = arena_printf(x->arena, "%s@%s", x->id, m->queue->context.hostname),
        .queue_id = str_from_c(m->id),
        .arrival = m->arrival / USEC_SEC,
        .now = clock_wall() / USEC_SEC,
        .recipients = recipients,
        .recipient_count = x->count,
        .original_header = buf_str(&header),
        .utf8 = *utf8,
    };
    report_write(out, &report);
    buf_free(&header);
    return true;
}

SUSPENDS static bool accept_report(struct reporting *x, struct str text, bool utf8, struct err *e)
{
    struct queue *q = x->m->queue;
    struct envelope_recipient to = {.address = x->m->sender,
                                    .route = route_recipient(q, x->m->sender, x->arena)};
    if (to.route->kind == ROUTE_REFUSE) {
        log_warning("queue", x->m->id, "no report to=<%.*s>: %s", STR_ARG(x->m->sender),
                    to.route->error.text);
        return true;
    }
    struct envelope envelope = {.recipients = &to,
                                .recipient_count = 1,
                                .smtputf8 = utf8,
                                .body_8bit = !str_is_ascii(text),
                                .component = "queue"};
    memcpy(envelope.id, x->id, sizeof(envelope.id));
    struct spool *spool = spool_new(store_spool_dir(q->context.store), x->id);
    bool ok = spool_write(spool, text, e) && queue_accept(q, &envelope, spool, false, e);
    spool_unref(spool);
    if (!ok && !err_is_temporary(e->kind)) {
        log_warning("queue", x->m->id, "no report to=<%.*s>: %s", STR_ARG(x->m->sender), e->text);
        return true;
    }
    if (ok)
        log_info("queue", x->m->id, "%s report=%s to=<%.*s> recipients=%zu",
                 x->action == REPORT_FAILED ? "failure" : "delay", x->id, STR_ARG(x->m->sender),
                 x->count);
    return ok;
}

static void mark_reported(struct reporting *x)
{
    struct queue_message *m = x->m;
    if (x->action != REPORT_FAILED) {
        m->warned = true;
        journal_log_warned(m);
        return;
    }
    for (size_t i = 0; i < x->count; i++) {
        m->recipients[x->recipients[i]].reported = true;
        journal_log_result(m, &m->recipients[x->recipients[i]]);
        m->queue->stats.bounced++;
    }
}

/* False: must be tried again. */
SUSPENDS static bool send_report(struct reporting *x, struct err *e)
{
    struct buf text = BUF_EMPTY;
    bool utf8, ok;
    random_id(x->id);
    if (x->m->sender.n == 0) {
        if (x->action == REPORT_FAILED)
            log_warning("queue", x->m->id, "undeliverable mail from the null sender is dropped");
        return true;
    }
    ok = write_report(x, &text, &utf8, e) && accept_report(x, buf_str(&text), utf8, e);
    buf_free(&text);
    return ok;
}

/* False: must be tried again. */
SUSPENDS static bool report_due(struct queue_message *m, enum report_action action)
{
    size_t count = count_due(m, action);
    if (count == 0)
        return true;
    struct err e = {.kind = ERR_NONE};
    struct reporting x = {.m = m, .arena = arena_new(), .action = action};
    x.recipients = arena_array(x.arena, count, sizeof(*x.recipients));
    for (uint32_t i = 0; i < m->recipient_count; i++)
        if (is_due(m, &m->recipients[i], action))
            x.recipients[x.count++] = i;
    bool ok = send_report(&x, &e);
    if (ok && !m->deleted)
        mark_reported(&x);
    else if (!ok)
        log_warning("queue", m->id,
                    "the report to=<%.*s> could not be made, will be tried again: %s",
                    STR_ARG(m->sender), e.text);
    arena_free(x.arena);
    return ok;
}

static bool warning_is_due(const struct queue_message *m)
{
    usec after = m->queue->config->settings.delay_warning;
    return after > 0 && !m->warned && clock_wall() >= m->arrival + after;
}

static bool all_done(const struct queue_message *m)
{
    for (size_t i = 0; i < m->recipient_count; i++)
        if (!recipient_is_done(&m->recipients[i]))
            return false;
    return true;
}

/* The record is waited for, so that a crash does not send again what operators saw gone. Should
 * that fail, the journal has failed, and nothing more is sent. */
SUSPENDS static void end_message(struct queue_message *m)
{
    struct queue *q = m->queue;
    struct err e;
    lsn position = journal_log_done(m);
    if (m->in_files || m->body_in_file)
        envelope_files_remove_later(q, m->id, position);
    scheduler_forget_message(m);
    if (!journal_commit(q->context.journal, position, &e))
        log_error("queue", m->id, "%s", e.text);
    if (m->deleted)
        return;
    log_info("queue", m->id, "removed");
    message_remove(m);
}

SUSPENDS void message_settle(struct queue_message *m)
{
    bool ok = true;
    m->settle_again = true;
    if (m->settling)
        return;
    m->settling = true;
    while (m->settle_again && ok && !m->deleted) {
        m->settle_again = false;
        ok = report_due(m, REPORT_FAILED);
        if (ok && !m->deleted && warning_is_due(m))
            ok = report_due(m, REPORT_DELAYED);
    }
    m->settling = false;
    if (m->deleted)
        return;
    if (!ok)
        scheduler_settle_later(m);
    else if (all_done(m))
        end_message(m);
}
