/*
 * Results in the terms of RFC 8460 4.3: one for each connection to a server that DNS names for a
 * domain, under the policy that held for it. With MTA-STS in testing mode a connection that was
 * good enough for the mail may be a failure all the same, which is what the mode is for.
 */
#include "net/tls_expect.h"
#include "smtp/client_tls.h"
#include "smtp/tls_report.h"

#define POLICY_TEXT_MAX 4096

static bool is_counted(const struct client_session *s)
{
    return s->shared->report && s->host->by_mx && !s->tls_optional;
}

static bool has_sts(const struct client_session *s)
{
    return s->tls.sts.found && s->tls.sts.policy.mode != MTA_STS_NONE;
}

static void write_policy(const struct client_session *s, struct tls_report_row *row,
                         struct buf *text, struct buf *hosts)
{
    const struct client_tls_decision *d = &s->tls;
    if (d->dane != CLIENT_DANE_ABSENT) {
        row->policy = TLS_REPORT_TLSA;
        for (size_t i = 0; i < d->record_count; i++) {
            tls_record_write(text, &d->records[i]);
            buf_add_char(text, '\n');
        }
    } else if (has_sts(s)) {
        row->policy = TLS_REPORT_STS;
        mta_sts_policy_write(text, &d->sts.policy);
        for (size_t i = 0; i < d->sts.policy.mx_count; i++)
            buf_printf(hosts, "%.*s\n", STR_ARG(d->sts.policy.mx[i]));
    }
}

/* A policy of thousands of lines is not kept with each count: its beginning is. */
static struct str some_lines(const struct buf *b)
{
    struct str all = buf_str(b);
    if (all.n <= POLICY_TEXT_MAX)
        return all;
    all = str_head(all, POLICY_TEXT_MAX);
    return str_head(all, (size_t)(str_find_last_char(all, '\n') + 1));
}

/* result "" : success. */
static void count(const struct client_session *s, const char *result, const char *reason)
{
    struct buf text = BUF_EMPTY, hosts = BUF_EMPTY;
    struct tls_report_row row = {.domain = s->job->destination, .result = str_from_c(result)};
    write_policy(s, &row, &text, &hosts);
    row.policy_text = some_lines(&text);
    row.hosts = some_lines(&hosts);
    if (*result) {
        row.host = str_from_c(s->host->name);
        row.address = str_from_c(s->stream ? s->address : "");
        row.source = str_from_c(s->stream ? stream_local(s->stream) : "");
        row.reason = str_from_c(reason);
    }
    tls_report_count(s->shared->report, &row);
    buf_free(&text);
    buf_free(&hosts);
}

/* --- before the connection --- */

/* A policy that could not be had, once for each time it was tried. */
static void count_sts_problem(const struct client_session *s)
{
    static const char *const results[] = {"", "sts-policy-fetch-error", "sts-policy-invalid",
                                          "sts-webpki-invalid"};
    const struct mta_sts_answer *sts = &s->tls.sts;
    if (!s->tls.sts_asked || !sts->tried_now || sts->problem == MTA_STS_FINE)
        return;
    const struct tls_report_row row = {.domain = s->job->destination,
                                       .policy = TLS_REPORT_STS,
                                       .result = str_from_c(results[sts->problem]),
                                       .reason = sts->why};
    tls_report_count(s->shared->report, &row);
}

void client_tls_count_decision(const struct client_session *s, bool usable)
{
    if (!is_counted(s))
        return;
    count_sts_problem(s);
    if (usable)
        return;
    if (s->tls.dane == CLIENT_DANE_LATER && s->tls.dane_bogus)
        count(s, "dnssec-invalid", "");
    else if (s->job->next_hop.tls == NEXT_HOP_TLS_DANE && s->tls.dane == CLIENT_DANE_ABSENT)
        count(s, "dane-required", "");
    else if (s->tls.dane == CLIENT_DANE_UNUSABLE)
        count(s, "tlsa-invalid", "");
    else if (has_sts(s) && !s->tls.sts_names_host)
        count(s, "validation-failure", "the policy does not name this host");
}

/* --- the connection --- */

static const char *result_of(enum tls_verdict verdict)
{
    switch (verdict) {
    case TLS_EXPIRED:
        return "certificate-expired";
    case TLS_OTHER_NAME:
        return "certificate-host-mismatch";
    case TLS_UNTRUSTED:
        return "certificate-not-trusted";
    case TLS_NO_RECORD_FITS:
        return "tlsa-invalid";
    case TLS_UNKNOWN:
    case TLS_VERIFIED:
    case TLS_FAILED:
        break;
    }
    return "validation-failure";
}

static void count_testing(const struct client_session *s)
{
    enum tls_verdict verdict = stream_tls_verdict(s->stream);
    if (!s->tls.sts_names_host)
        count(s, "validation-failure", "the policy does not name this host");
    else if (verdict != TLS_VERIFIED)
        count(s, result_of(verdict), stream_tls_verdict_text(s->stream));
    else
        count(s, "", "");
}

void client_tls_count_handshake(const struct client_session *s, bool ok, const char *why)
{
    if (!is_counted(s))
        return;
    if (ok && s->tls.testing)
        count_testing(s);
    else if (ok)
        count(s, "", "");
    else {
        const char *text = stream_tls_verdict_text(s->stream);
        count(s, result_of(stream_tls_verdict(s->stream)), *text ? text : why);
    }
}

void client_tls_count_missing(const struct client_session *s)
{
    if (is_counted(s))
        count(s, "starttls-not-supported", "");
}
