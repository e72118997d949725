/*
 * The end of an attempt for one recipient. A deferral is tried again after a back-off, but at the
 * time of the delay warning and at the end of the lifetime at the latest, so that both come when
 * they were promised and not an attempt later. A deferral after the lifetime is a failure, and so
 * is one after the time that the sender gave (BY with R, RFC 2852).
 *
 * What the sender hears of a delivery (RFC 3461 5.2.2, 5.2.3; RFC 2852 4.1.4) is decided here,
 * once, and written down with the result.
 */
#include "queue/result.h"

#include "core/log.h"
#include "queue/attempts.h"
#include "queue/message.h"
#include "queue/queue_journal.h"
#include "queue/scheduler.h"

const char *err_status_code(const struct err *e)
{
    switch (e->kind) {
    case ERR_NOT_FOUND:
        return "5.1.1";
    case ERR_QUOTA:
        return "5.2.2";
    case ERR_QUOTA_NOW:
        return "4.2.2";
    case ERR_NO_SPACE:
        return "4.3.1";
    case ERR_DENIED:
        return "5.7.1";
    default:
        return err_is_temporary(e->kind) ? "4.3.0" : "5.3.0";
    }
}

static const char *status_name(enum transport_status status)
{
    switch (status) {
    case TRANSPORT_DEFERRED:
        return "deferred";
    case TRANSPORT_DELIVERED:
        return "sent";
    case TRANSPORT_FAILED:
        return "bounced";
    }
    return "";
}

void delays_write(struct buf *out, usec all, const struct delays *d)
{
    const usec parts[] = {all, all - d->waited - d->set_up - d->sent, d->waited, d->set_up,
                          d->sent};
    static const char *const names[] = {" delay=", " delays=", "/", "/", "/"};
    for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
        buf_add_c(out, names[i]);
        buf_add_c(out, log_seconds(parts[i]).text);
    }
}

void delivered_to_write(struct buf *out, const struct delivered_to *d)
{
    if (d->uid == 0)
        return;
    buf_add_c(out, " account=");
    log_add_bracketed(out, d->login);
    buf_add_c(out, " mailbox=");
    log_add_bracketed(out, d->mailbox);
    buf_printf(out, " uid=%u", d->uid);
}

void recipient_log(const struct queue_message *m, const struct queue_recipient *r,
                   const struct attempt *a)
{
    bool remote = recipient_kind_is_remote(r->kind), same = !r->own_original;
    struct str relay = a->relay.n ? a->relay : remote ? STR("none") : STR("local");
    struct buf place = BUF_EMPTY, delays = BUF_EMPTY;
    delivered_to_write(&place, &a->place);
    delays_write(&delays, clock_wall() - m->arrival, &a->delays);
    log_info(remote ? "smtp" : "queue", m->id,
             "delivery to=<%.*s>%s%.*s%s relay=%.*s%.*s size=%llu%.*s tls=%s%s%s status=%s (%.*s)",
             STR_ARG(recipient_address(r)), same ? "" : " original=<",
             STR_ARG(same ? STR("") : recipient_original(r)), same ? "" : ">", STR_ARG(relay),
             STR_ARG(buf_str(&place)), (unsigned long long)m->size_crlf, STR_ARG(buf_str(&delays)),
             a->tls ? a->tls : "none", a->tls_policy ? " " : "", a->tls_policy ? a->tls_policy : "",
             a->handed_over ? "passed" : status_name(a->status), STR_ARG(a->text));
    buf_free(&place);
    buf_free(&delays);
}

static usec sooner(usec at, usec limit, usec now)
{
    return limit > now && limit < at ? limit : at;
}

static void give_up(struct queue_message *m, struct attempt *a, struct buf *text)
{
    usec age = clock_wall() - message_begin(m);
    bool too_late = message_is_too_late(m);
    a->status = TRANSPORT_FAILED;
    a->code = too_late ? STR("5.4.7") : STR("4.4.7");
    if (too_late)
        buf_add_c(text, "the time that the sender gave for the delivery has passed");
    else
        buf_printf(text, "gave up after %lld hours", (long long)(age / (3600 * USEC_SEC)));
    if (a->text.n > 0)
        buf_printf(text, "; the last attempt: %.*s", STR_ARG(a->text));
    a->text = buf_str(text);
}

static void defer(struct queue_message *m, struct queue_recipient *r, struct attempt *a,
                  struct buf *text)
{
    const struct queue_settings *s = &m->queue->config->settings;
    usec now = clock_wall(), end = message_expires(m);
    if (now >= end) {
        give_up(m, a, text);
        return;
    }
    usec at = sooner(now + scheduler_backoff(s, r->attempts), end, now);
    if (s->delay_warning && !m->warned)
        at = sooner(at, message_begin(m) + s->delay_warning, now);
    if (!m->told_late)
        at = sooner(at, m->options.deliver_by, now);
    r->next_attempt = at;
}

static enum recipient_success success_of(const struct queue_message *m,
                                         const struct queue_recipient *r, const struct attempt *a)
{
    const struct envelope_options *o = &m->options;
    if (a->handed_over || m->sender.n == 0 || (r->notify & NOTIFY_NEVER))
        return SUCCESS_SILENT;
    if (r->kind == RECIPIENT_ACCOUNT || r->kind == RECIPIENT_PUBLIC)
        return r->notify & NOTIFY_SUCCESS ? SUCCESS_DELIVERED : SUCCESS_SILENT;
    bool lost_notify = (r->notify & NOTIFY_SUCCESS) && !a->notify_passed;
    bool lost_deliver_by = o->deliver_by != 0 && !o->deliver_by_return && !a->deliver_by_passed &&
                           clock_wall() < o->deliver_by;
    bool traced = o->deliver_by != 0 && o->deliver_by_trace;
    return lost_notify || lost_deliver_by || traced ? SUCCESS_RELAYED : SUCCESS_SILENT;
}

lsn recipient_record_delivery(struct queue_message *m, struct queue_recipient *r,
                              const struct attempt *a, bool more)
{
    const struct queue_recipient now = *r;
    r->attempts++;
    r->state = RECIPIENT_DELIVERED;
    r->success = (uint8_t)success_of(m, r, a);
    lsn position = journal_log_delivery(m, r, more);
    *r = now;
    return position;
}

/* queue.soft_bounce: "5.1.1" becomes "4.1.1", the words stay as they are. */
static void soften(struct attempt *a, struct buf *code)
{
    a->status = TRANSPORT_DEFERRED;
    if (a->code.n == 0 || a->code.p[0] != '5')
        return;
    buf_add_str(code, a->code);
    code->p[0] = '4';
    a->code = buf_str(code);
}

lsn recipient_apply(struct queue_message *m, struct queue_recipient *r, const struct attempt *a)
{
    struct queue *q = m->queue;
    struct attempt result = *a;
    struct buf text = BUF_EMPTY, code = BUF_EMPTY;
    if (result.status == TRANSPORT_DEFERRED && q->stopping) {
        r->state = RECIPIENT_WAITING;
        return 0;
    }
    r->attempts++;
    if (result.status == TRANSPORT_FAILED && q->config->settings.soft_bounce)
        soften(&result, &code);
    if (result.status == TRANSPORT_DEFERRED)
        defer(m, r, &result, &text);
    recipient_set_said(m, r, result.text, result.code, result.relay);
    switch (result.status) {
    case TRANSPORT_DEFERRED:
        r->state = RECIPIENT_WAITING;
        q->stats.deferred++;
        break;
    case TRANSPORT_DELIVERED:
        r->state = RECIPIENT_DELIVERED;
        r->success = (uint8_t)success_of(m, r, &result);
        *(recipient_kind_is_remote(r->kind) ? &q->stats.delivered_remote
                                            : &q->stats.delivered_local) += 1;
        histogram_add(&q->stats.delays, clock_wall() - m->arrival);
        break;
    case TRANSPORT_FAILED:
        r->state = RECIPIENT_FAILED;
        break;
    }
    if (r->state != RECIPIENT_DELIVERED)
        attempts_note(m, r, clock_wall() / USEC_SEC);
    lsn position = journal_log_result(m, r);
    recipient_log(m, r, &result);
    buf_free(&text);
    buf_free(&code);
    return position;
}
