/*
 * The end of an attempt for one recipient. A deferral is tried again after a back-off, but at the
 * time of the delay warning and at the end of the lifetime at the latest, so that both come when
 * they were promised and not an attempt later. A deferral after the lifetime is a failure.
 */
#include "queue/result.h"

#include "core/log.h"
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

void recipient_log(const struct queue_message *m, const struct queue_recipient *r,
                   const struct attempt *a)
{
    bool remote = recipient_kind_is_remote(r->kind), same = str_equal(r->address, r->original);
    struct str relay = a->relay.n ? a->relay : remote ? STR("none") : STR("local");
    double delay = (double)(clock_wall() - m->arrival) / (double)USEC_SEC;
    log_info(remote ? "smtp" : "queue", m->id,
             "to=<%.*s>%s%.*s%s relay=%.*s delay=%.1f tls=%s status=%s (%.*s)", STR_ARG(r->address),
             same ? "" : " original=<", STR_ARG(same ? STR("") : r->original), same ? "" : ">",
             STR_ARG(relay), delay > 0 ? delay : 0, a->tls ? a->tls : "none",
             status_name(a->status), STR_ARG(a->text));
}

static usec sooner(usec at, usec limit, usec now)
{
    return limit > now && limit < at ? limit : at;
}

static void give_up(struct queue_message *m, struct attempt *a, struct buf *text)
{
    usec age = clock_wall() - m->arrival;
    a->status = TRANSPORT_FAILED;
    a->code = STR("4.4.7");
    buf_printf(text, "gave up after %lld hours; the last attempt: %.*s",
               (long long)(age / (3600 * USEC_SEC)), STR_ARG(a->text));
    a->text = buf_str(text);
}

static void defer(struct queue_message *m, struct queue_recipient *r, struct attempt *a,
                  struct buf *text)
{
    const struct queue_settings *s = &m->queue->config->settings;
    usec now = clock_wall(), end = m->arrival + s->lifetime;
    if (now >= end) {
        give_up(m, a, text);
        return;
    }
    usec at = sooner(now + scheduler_backoff(s, r->attempts), end, now);
    if (s->delay_warning && !m->warned)
        at = sooner(at, m->arrival + s->delay_warning, now);
    r->next_attempt = at;
}

void recipient_apply(struct queue_message *m, struct queue_recipient *r, const struct attempt *a)
{
    struct queue *q = m->queue;
    struct attempt result = *a;
    struct buf text = BUF_EMPTY;
    if (result.status == TRANSPORT_DEFERRED && q->stopping) {
        r->state = RECIPIENT_WAITING;
        return;
    }
    r->attempts++;
    if (result.status == TRANSPORT_DEFERRED)
        defer(m, r, &result, &text);
    recipient_set_texts(r, result.text, result.code, result.relay);
    switch (result.status) {
    case TRANSPORT_DEFERRED:
        r->state = RECIPIENT_WAITING;
        q->stats.deferred++;
        break;
    case TRANSPORT_DELIVERED:
        r->state = RECIPIENT_DELIVERED;
        *(recipient_kind_is_remote(r->kind) ? &q->stats.delivered_remote
                                            : &q->stats.delivered_local) += 1;
        break;
    case TRANSPORT_FAILED:
        r->state = RECIPIENT_FAILED;
        break;
    }
    journal_log_result(m, r);
    recipient_log(m, r, &result);
    buf_free(&text);
}
