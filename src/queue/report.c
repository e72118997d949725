/*
 * A report is mail like any other, from the null sender (RFC 5321 4.5.5): it goes through
 * queue_accept, into a mailbox here at once or into the queue. When it cannot be delivered, or
 * other mail from the null sender, the postmaster is told (a double bounce); when that fails too,
 * the log is, so there are no loops.
 *
 * It carries the header of the message. The whole message comes with a failure only when its sender
 * asked for it (RET=FULL) and it is not too large; it is copied in pieces, so that a large one
 * costs no memory. A message that goes over TLS only (RFC 8689 5) is never returned whole, and its
 * report has the same condition. The report has the message's priority (RFC 6710 4.6).
 */
#include "queue/report.h"

#include "core/log.h"
#include "core/mem.h"
#include "core/random.h"
#include "core/worker.h"
#include "queue/attempts.h"
#include "queue/message.h"
#include "queue/message_text.h"
#include "queue/notice.h"

#include <stdlib.h>

#define COPY_BLOCK ((size_t)64 * 1024)

struct reporting {
    struct queue_message *m;
    struct arena *arena;
    enum report_kind kind;
    const uint32_t *recipients; /* indices of those that it tells about */
    size_t count;
    char id[ID_SIZE];
    struct spool *text;
    bool eight_bit; /* text */
    struct str to;
    bool to_postmaster; /* a double bounce */
    struct str refusal; /* of the sender's address */
};

static enum report_action action_of(enum report_kind kind, const struct queue_recipient *r)
{
    if (kind == REPORT_OF_FAILURE)
        return REPORT_FAILED;
    if (kind != REPORT_OF_SUCCESS)
        return REPORT_DELAYED;
    return r->success == SUCCESS_DELIVERED ? REPORT_DELIVERED
           : r->success == SUCCESS_RELAYED ? REPORT_RELAYED
                                           : REPORT_EXPANDED;
}

/* A deferral's code may be missing, and that deliver_by has passed has one of its own. */
static struct str status_of(const struct reporting *x, const struct queue_recipient *r)
{
    struct str code = recipient_code(r);
    if (x->kind == REPORT_OF_LATENESS)
        return STR("4.4.7");
    if (code.n > 0)
        return arena_str(x->arena, code);
    return x->kind == REPORT_OF_FAILURE   ? STR("5.0.0")
           : x->kind == REPORT_OF_SUCCESS ? STR("2.0.0")
                                          : STR("4.0.0");
}

/* Whose mailbox an alias leads to is not for everybody, least of all for who asks with NOTIFY for
 * success. When another server does not take it the sender has to know which address is meant. */
static bool may_name_target(const struct reporting *x, const struct queue_recipient *r)
{
    return x->kind != REPORT_OF_SUCCESS && recipient_kind_is_remote(r->kind) && r->own_original;
}

static void fill_recipient(const struct reporting *x, struct report_recipient *out,
                           const struct queue_recipient *r)
{
    struct str relay = recipient_relay(r);
    bool delayed = x->kind == REPORT_OF_DELAY || x->kind == REPORT_OF_LATENESS;
    out->address = recipient_original(r);
    if (may_name_target(x, r))
        out->passed_to = recipient_address(r);
    out->original = recipient_requested(r);
    out->action = action_of(x->kind, r);
    out->status = status_of(x, r);
    out->diagnostic = arena_str(x->arena, recipient_error(r));
    out->remote_host = arena_str(x->arena, str_split(&relay, '['));
    int64_t known = attempts_last(x->m, r);
    out->last_attempt = known ? known : r->attempts > 0 ? clock_wall() / USEC_SEC : 0;
    out->next_attempt = x->kind == REPORT_OF_DELAY ? r->next_attempt / USEC_SEC : 0;
    out->will_retry_until = delayed ? message_expires(x->m) / USEC_SEC : 0;
}

static bool returns_whole(const struct reporting *x)
{
    const struct envelope_options *o = &x->m->options;
    uint64_t most = (uint64_t)x->m->queue->config->settings.return_size_max;
    return x->kind == REPORT_OF_FAILURE && !x->to_postmaster && o->dsn_return == DSN_RETURN_FULL &&
           !o->require_tls && x->m->size_crlf <= most;
}

/* The original's bytes from `at` on. */
SUSPENDS static bool copy_body(struct reporting *x, uint64_t at, struct err *e)
{
    char *block = mem_alloc(COPY_BLOCK);
    bool ok = true;
    for (size_t got = 1; ok && got > 0; at += got)
        ok = spool_read_at(x->m->body, block, COPY_BLOCK, at, &got, e) &&
             spool_write(x->text, str_from(block, got), e);
    free(block);
    return ok;
}

struct text_job {
    const struct report *report;
    struct buf text;
};

static void make_text(void *arg)
{
    struct text_job *j = arg;
    report_write_start(&j->text, j->report);
}

/* All that a report is made of stays as it is while a worker uses it: it is in the arena, or the
 * message's, which is held. */
SUSPENDS static bool write_report(struct reporting *x, const struct report *r, uint64_t body,
                                  struct err *e)
{
    struct text_job j = {.report = r};
    if (r->recipient_count > QUEUE_REPORT_QUICK)
        worker_run(WORKER_CPU, make_text, &j);
    else
        make_text(&j);
    x->eight_bit = !str_is_ascii(buf_str(&j.text)) || (r->whole && r->eight_bit);
    bool ok = spool_write(x->text, buf_str(&j.text), e) && (!r->whole || copy_body(x, body, e));
    buf_clear(&j.text);
    report_write_end(&j.text, r);
    ok = ok && spool_write(x->text, buf_str(&j.text), e);
    buf_free(&j.text);
    return ok;
}

/* x->text; *utf8: it needs SMTPUTF8. */
SUSPENDS static bool make_report(struct reporting *x, bool *utf8, struct err *e)
{
    struct queue_message *m = x->m;
    struct buf header = BUF_EMPTY;
    struct report_recipient *recipients = arena_array(x->arena, x->count, sizeof(*recipients));
    for (size_t i = 0; i < x->count; i++)
        fill_recipient(x, &recipients[i], &m->recipients[x->recipients[i]]);
    if (!message_open_text(m, e))
        return false;
    buf_add_str(&header, m->prefix);
    if (!spool_read_header(m->body, QUEUE_HEADER_MAX, &header, e)) {
        buf_free(&header);
        return false;
    }
    uint64_t header_size = header.n - m->prefix.n;
    *utf8 = !str_is_ascii(x->to) || (m->smtputf8 && !str_is_ascii(buf_str(&header)));
    struct report report = {
        .reporting_host = str_from_c(m->queue->context.hostname),
        .postmaster = queue_postmaster(m->queue, x->arena),
        .to = x->to,
        .to_postmaster = x->to_postmaster,
        .sender = m->sender,
        .refusal = x->refusal,
        .contact = arena_str(x->arena, str_from_c(m->queue->config->settings.report_text)),
        .message_id = arena_printf(x->arena, "%s@%s", x->id, m->queue->context.hostname),
        .queue_id = str_from_c(m->id),
        .envelope_id = m->options.envelope_id,
        .arrival = m->arrival / USEC_SEC,
        .now = clock_wall() / USEC_SEC,
        .deliver_by = m->options.deliver_by / USEC_SEC,
        .hold_request = m->options.hold_request,
        .recipients = recipients,
        .recipient_count = x->count,
        .original_header = buf_str(&header),
        /* A header that was cut is no header of a message. */
        .whole = returns_whole(x) && header_size < QUEUE_HEADER_MAX,
        .eight_bit = m->body_8bit,
        .utf8 = *utf8,
    };
    bool ok = write_report(x, &report, header_size, e);
    buf_free(&header);
    return ok;
}

static const char *kind_name(enum report_kind kind)
{
    static const char *const names[] = {[REPORT_OF_FAILURE] = "failure",
                                        [REPORT_OF_SUCCESS] = "success",
                                        [REPORT_OF_DELAY] = "delay",
                                        [REPORT_OF_LATENESS] = "lateness"};
    return names[kind];
}

/* *refused: nobody takes mail for x->to, and why is in *e. */
SUSPENDS static bool accept_report(struct reporting *x, bool utf8, bool *refused, struct err *e)
{
    struct queue_message *m = x->m;
    struct queue *q = m->queue;
    struct envelope_recipient to = {.address = x->to,
                                    .route = route_recipient(q->context.router, x->to, x->arena),
                                    .notify = NOTIFY_NEVER};
    struct envelope envelope = {
        .recipients = &to,
        .recipient_count = 1,
        .smtputf8 = utf8,
        .body_8bit = x->eight_bit,
        .notice = x->to_postmaster,
        .options = {.require_tls = m->options.require_tls && !x->to_postmaster,
                    .priority = m->options.priority},
        .component = "queue"};
    memcpy(envelope.id, x->id, sizeof(envelope.id));
    *refused = to.route->kind == ROUTE_REFUSE;
    if (*refused)
        return err_set(e, to.route->error->kind, "%s", to.route->error->text);
    bool ok = queue_accept(q, &envelope, x->text, false, e);
    *refused = !ok && !err_is_temporary(e->kind);
    if (ok)
        log_info("queue", m->id, "report kind=%s report=%s to=<%.*s> recipients=%zu",
                 x->to_postmaster ? "double-bounce" : kind_name(x->kind), x->id, STR_ARG(x->to),
                 x->count);
    return ok;
}

SUSPENDS static bool send(struct reporting *x, bool *refused, struct err *e)
{
    bool utf8;
    random_id(x->id);
    x->arena = arena_new();
    x->text = spool_new(store_spool_dir(x->m->queue->context.store), x->id);
    *refused = false;
    if (x->to_postmaster)
        x->to = queue_postmaster(x->m->queue, x->arena);
    bool ok = make_report(x, &utf8, e) && accept_report(x, utf8, refused, e);
    spool_unref(x->text);
    arena_free(x->arena);
    return ok;
}

/* --- double bounces --- */

/* So many in an hour: a flood of forged mail that we forward must not become one of the
 * postmaster's mailbox. */
static bool may_send_more(struct queue *q)
{
    usec hour = clock_wall() / (3600 * USEC_SEC);
    if (q->double_bounces.hour != hour) {
        if (q->double_bounces.passed_over > 0)
            log_warning("queue", NULL,
                        "double bounces withheld count=%u: the postmaster got enough in that hour",
                        q->double_bounces.passed_over);
        q->double_bounces.hour = hour;
        q->double_bounces.sent = q->double_bounces.passed_over = 0;
    }
    bool may = q->double_bounces.sent < QUEUE_DOUBLE_BOUNCES_PER_HOUR;
    *(may ? &q->double_bounces.sent : &q->double_bounces.passed_over) += 1;
    return may;
}

/* Nobody can be told but the postmaster, and when that fails the log. */
SUSPENDS static bool double_bounce(struct queue_message *m, const uint32_t *recipients,
                                   size_t count, struct str refusal, struct err *e)
{
    bool refused = false;
    struct reporting x = {.m = m,
                          .kind = REPORT_OF_FAILURE,
                          .recipients = recipients,
                          .count = count,
                          .to_postmaster = true,
                          .refusal = refusal};
    if (m->notice || !m->queue->config->settings.double_bounces || !may_send_more(m->queue)) {
        log_warning("queue", m->id, "undeliverable and nobody is told from=<%.*s> reason=\"%s\"",
                    STR_ARG(m->sender),
                    m->notice ? "it was from the server itself" : "no double bounces now");
        return true;
    }
    bool ok = send(&x, &refused, e);
    if (refused)
        log_warning("queue", m->id, "no double bounce reason=\"%s\"", e->text);
    return ok || refused;
}

SUSPENDS bool report_send(struct queue_message *m, enum report_kind kind,
                          const uint32_t *recipients, size_t count, struct err *e)
{
    bool refused = false;
    struct reporting x = {
        .m = m, .kind = kind, .recipients = recipients, .count = count, .to = m->sender};
    if (m->sender.n == 0)
        return kind != REPORT_OF_FAILURE || double_bounce(m, recipients, count, STR(""), e);
    bool ok = send(&x, &refused, e);
    if (!refused)
        return ok;
    struct err why = *e;
    log_warning("queue", m->id, "no report to=<%.*s> reason=\"%s\"", STR_ARG(m->sender), why.text);
    return kind != REPORT_OF_FAILURE ||
           double_bounce(m, recipients, count, str_from_c(why.text), e);
}
