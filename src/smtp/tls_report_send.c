/*
 * Sending. When a day is over, the record of each domain that mail was sent to says who wants to
 * hear of it: an address, through our own queue like any mail, or a URL. A domain is done when one
 * of them has the report, or when it wants none; otherwise it is tried again for two days.
 *
 * The message itself does without TLS if need be (RFC 8460 3, RFC 8689 3): it tells of what is
 * wrong with TLS there. Nobody is told when it cannot be delivered: its sender is the null address.
 */
#include "core/log.h"
#include "core/random.h"
#include "queue/notice.h"
#include "smtp/tls_report_internal.h"

#define POST_TIMEOUT    (60 * USEC_SEC)
#define POST_ANSWER_MAX ((size_t)64 * 1024)

struct sending {
    struct tls_report *r;
    struct arena *arena; /* of one domain */
    const struct tls_report_due *due;
    struct tls_report_head head;
    struct buf gzip;
};

/* --- the database --- */

struct asking {
    struct tls_report_db *db;
    struct arena *arena;
    int64_t first, before;
    struct tls_report_due *list;
    size_t count;
    bool ok;
    struct err error;
};

static void ask_due(void *arg)
{
    struct asking *x = arg;
    x->ok = tls_report_db_due(x->db, x->first, x->before, x->arena, &x->list, &x->count, &x->error);
}

static void prune(void *arg)
{
    struct asking *x = arg;
    x->ok = tls_report_db_prune(x->db, x->before, &x->error);
}

struct marking {
    struct tls_report_db *db;
    const struct tls_report_due *due;
    bool ok;
    struct err error;
};

static void mark(void *arg)
{
    struct marking *x = arg;
    x->ok = tls_report_db_done(x->db, x->due, &x->error);
}

SUSPENDS static void mark_done(struct sending *x)
{
    struct marking m = {.db = x->r->db, .due = x->due};
    tls_report_with_db(x->r, mark, &m);
    if (!m.ok)
        log_warning("tls-report", NULL, "a second report may follow domain=%.*s reason=\"%s\"",
                    STR_ARG(x->due->domain), m.error.text);
}

/* --- one report --- */

static const char *set_or(const char *set, const char *otherwise)
{
    return *set ? set : otherwise;
}

SUSPENDS static bool make_report(struct sending *x, struct err *e)
{
    struct tls_report_row *rows;
    size_t count;
    struct buf json = BUF_EMPTY;
    char id[ID_SIZE];
    const struct tls_report_settings *s = &x->r->settings;
    if (!tls_report_read(x->r, x->due->day, x->due->domain, x->arena, &rows, &count, e))
        return false;
    random_id(id);
    const char *from = arena_c(
        x->arena, *s->from ? str_from_c(s->from) : queue_postmaster(x->r->context.queue, x->arena));
    x->head = (struct tls_report_head){
        .domain = x->due->domain,
        .day = x->due->day,
        .submitter = x->r->context.hostname,
        .organization =
            arena_c(x->arena, str_from_c(set_or(s->organization, x->r->context.hostname))),
        .contact = arena_c(x->arena, str_from_c(set_or(s->contact, from))),
        .id = arena_printf(x->arena, "%s@%s", id, x->r->context.hostname).p};
    tls_report_json(&x->head, rows, count, &json);
    bool ok = tls_report_gzip(buf_str(&json), &x->gzip) ||
              err_set(e, ERR_TEMP, "the report cannot be packed");
    buf_free(&json);
    return ok;
}

SUSPENDS static bool send_mail(struct sending *x, const char *to, struct err *e)
{
    struct queue *q = x->r->context.queue;
    struct buf text = BUF_EMPTY;
    struct str from =
        *x->r->settings.from ? str_from_c(x->r->settings.from) : queue_postmaster(q, x->arena);
    tls_report_mail(&x->head, arena_c(x->arena, from), to, buf_str(&x->gzip), &text);
    bool ok = queue_send_text(q, str_from_c(to), buf_str(&text), true, e);
    buf_free(&text);
    return ok;
}

SUSPENDS static bool post(struct sending *x, const char *url, struct err *e)
{
    struct http_response response;
    struct tls_context *tls = tls_context_ref(x->r->tls);
    const struct http_request request = {.url = url,
                                         .tls = tls,
                                         .content_type = "application/tlsrpt+gzip",
                                         .body = buf_str(&x->gzip),
                                         .timeout = POST_TIMEOUT,
                                         .size_max = POST_ANSWER_MAX};
    bool ok = http_ask(x->r->context.http, &request, &response, e);
    if (ok && (response.status < 200 || response.status > 299))
        ok = err_set(e, ERR_TEMP, "the server answers with status %d", response.status);
    buf_free(&response.body);
    tls_context_unref(tls);
    return ok;
}

SUSPENDS static bool send_to(struct sending *x, const struct tls_report_target *target)
{
    struct err e;
    bool ok =
        target->scheme == TLS_REPORT_MAIL ? send_mail(x, target->to, &e) : post(x, target->to, &e);
    if (ok)
        log_info("tls-report", NULL, "report sent domain=%.*s report=<%s> to=<%s>",
                 STR_ARG(x->due->domain), x->head.id, target->to);
    else
        log_warning("tls-report", NULL, "report not sent domain=%.*s to=<%s> reason=\"%s\"",
                    STR_ARG(x->due->domain), target->to, e.text);
    return ok;
}

enum outcome { NOT_WANTED, SENT, NOT_SENT };

SUSPENDS static enum outcome report(struct sending *x)
{
    struct dns_answer texts;
    struct err e;
    struct tls_report_target targets[TLS_REPORT_TARGETS_MAX];
    struct str record = arena_printf(x->arena, "_smtp._tls.%.*s", STR_ARG(x->due->domain));
    bool sent = false;
    switch (dns_txt_until(x->r->context.dns, record, DEADLINE_NONE, x->arena, &texts, &e)) {
    case DNS_TEMPFAIL:
        return NOT_SENT;
    case DNS_NOT_FOUND:
        return NOT_WANTED;
    case DNS_FOUND:
        break;
    }
    size_t count = tls_report_targets(texts.texts, texts.count, x->arena, targets);
    if (count == 0)
        return NOT_WANTED;
    if (!make_report(x, &e)) {
        log_warning("tls-report", NULL, "report not sent domain=%.*s reason=\"%s\"",
                    STR_ARG(x->due->domain), e.text);
        return NOT_SENT;
    }
    for (size_t i = 0; i < count; i++)
        sent |= send_to(x, &targets[i]);
    return sent ? SENT : NOT_SENT;
}

SUSPENDS static void send_list(struct tls_report *r, const struct tls_report_due *list,
                               size_t count, size_t outcomes[3])
{
    for (size_t i = 0; i < count && !r->stopping; i++) {
        struct sending x = {.r = r, .arena = arena_new(), .due = &list[i]};
        enum outcome outcome = report(&x);
        outcomes[outcome]++;
        if (outcome != NOT_SENT)
            mark_done(&x);
        buf_free(&x.gzip);
        arena_free(x.arena);
        fiber_yield();
    }
}

/* One at a time: else a report could be sent twice. */
SUSPENDS static bool send_all(struct tls_report *r, int64_t today, size_t outcomes[3],
                              struct err *e)
{
    struct asking x = {
        .db = r->db, .arena = arena_new(), .first = today - TLS_REPORT_TRIES_DAYS, .before = today};
    bool ok = !r->sending || err_set(e, ERR_TEMP, "reports are being sent");
    if (ok) {
        r->sending = true;
        tls_report_with_db(r, ask_due, &x);
        ok = x.ok;
        if (ok)
            send_list(r, x.list, x.count, outcomes);
        else
            *e = x.error;
        r->sending = false;
    }
    arena_free(x.arena);
    return ok;
}

SUSPENDS void tls_report_send_due(struct tls_report *r, usec now)
{
    int64_t today = now / TLS_REPORT_DAY;
    size_t outcomes[3] = {0};
    struct asking old = {.db = r->db, .before = today - TLS_REPORT_KEEP_DAYS};
    tls_report_with_db(r, prune, &old);
    if (!old.ok)
        log_warning("tls-report", NULL, "old results not removed: %s", old.error.text);
    if (r->settings.send && now % TLS_REPORT_DAY >= r->settings.time + r->spread &&
        !send_all(r, today, outcomes, &old.error))
        log_warning("tls-report", NULL, "reports not sent: %s", old.error.text);
}

SUSPENDS bool tls_report_send_now(struct tls_report *r, size_t *sent, size_t *failed, struct err *e)
{
    size_t outcomes[3] = {0};
    if (!r->settings.send)
        return err_set(e, ERR_PERM, "the settings say that no reports are sent (tls_report, send)");
    bool ok = send_all(r, tls_report_today(), outcomes, e);
    *sent = outcomes[SENT];
    *failed = outcomes[NOT_SENT];
    return ok;
}
