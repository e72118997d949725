/*
 * A report is mail like any other, from the null sender (RFC 5321 4.5.5): it goes through
 * queue_accept, into a mailbox here at once or into the queue. Mail from the null sender is never
 * reported, so there are no loops; what could not be delivered then stands in the log.
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
#include "queue/message.h"
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
    out->last_attempt = r->attempts > 0 ? clock_wall() / USEC_SEC : 0;
    out->will_retry_until = delayed ? message_expires(x->m) / USEC_SEC : 0;
}

static bool returns_whole(const struct reporting *x)
{
    const struct envelope_options *o = &x->m->options;
    uint64_t most = (uint64_t)x->m->queue->config->settings.return_size_max;
    return x->kind == REPORT_OF_FAILURE && o->dsn_return == DSN_RETURN_FULL && !o->require_tls &&
           x->m->size_crlf <= most;
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

SUSPENDS static bool write_report(struct reporting *x, const struct report *r, uint64_t body,
                                  struct err *e)
{
    struct buf piece = BUF_EMPTY;
    report_write_start(&piece, r);
    x->eight_bit = !str_is_ascii(buf_str(&piece)) || (r->whole && r->eight_bit);
    bool ok = spool_write(x->text, buf_str(&piece), e) && (!r->whole || copy_body(x, body, e));
    buf_clear(&piece);
    report_write_end(&piece, r);
    ok = ok && spool_write(x->text, buf_str(&piece), e);
    buf_free(&piece);
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
    buf_add_str(&header, m->prefix);
    if (!spool_read_header(m->body, QUEUE_HEADER_MAX, &header, e)) {
        buf_free(&header);
        return false;
    }
    uint64_t header_size = header.n - m->prefix.n;
    *utf8 = !str_is_ascii(m->sender) || (m->smtputf8 && !str_is_ascii(buf_str(&header)));
    struct report report = {
        .reporting_host = str_from_c(m->queue->context.hostname),
        .postmaster = queue_postmaster(m->queue, x->arena),
        .to = m->sender,
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

SUSPENDS static bool accept_report(struct reporting *x, bool utf8, struct err *e)
{
    struct queue_message *m = x->m;
    struct queue *q = m->queue;
    struct envelope_recipient to = {.address = m->sender,
                                    .route = route_recipient(q, m->sender, x->arena),
                                    .notify = NOTIFY_NEVER};
    if (to.route->kind == ROUTE_REFUSE) {
        log_warning("queue", m->id, "no report to=<%.*s>: %s", STR_ARG(m->sender),
                    to.route->error.text);
        return true;
    }
    struct envelope envelope = {
        .recipients = &to,
        .recipient_count = 1,
        .smtputf8 = utf8,
        .body_8bit = x->eight_bit,
        .options = {.require_tls = m->options.require_tls, .priority = m->options.priority},
        .component = "queue"};
    memcpy(envelope.id, x->id, sizeof(envelope.id));
    bool ok = queue_accept(q, &envelope, x->text, false, e);
    if (!ok && !err_is_temporary(e->kind)) {
        log_warning("queue", m->id, "no report to=<%.*s>: %s", STR_ARG(m->sender), e->text);
        return true;
    }
    if (ok)
        log_info("queue", m->id, "%s report=%s to=<%.*s> recipients=%zu", kind_name(x->kind), x->id,
                 STR_ARG(m->sender), x->count);
    return ok;
}

SUSPENDS bool report_send(struct queue_message *m, enum report_kind kind,
                          const uint32_t *recipients, size_t count, struct err *e)
{
    if (m->sender.n == 0) {
        if (kind == REPORT_OF_FAILURE)
            log_warning("queue", m->id, "undeliverable mail from the null sender is dropped");
        return true;
    }
    struct reporting x = {
        .m = m, .arena = arena_new(), .kind = kind, .recipients = recipients, .count = count};
    bool utf8;
    random_id(x.id);
    x.text = spool_new(store_spool_dir(m->queue->context.store), x.id);
    bool ok = make_report(&x, &utf8, e) && accept_report(&x, utf8, e);
    spool_unref(x.text);
    arena_free(x.arena);
    return ok;
}
