/*
 * TLS with other servers: what would have to be so for a domain, what came of it today, and the
 * policies that are kept.
 */
#include "ctl/ctl.h"
#include "ctl/ctl_json.h"
#include "mime/date.h"
#include "queue/route_explain.h"
#include "smtp/client_security.h"
#include "smtp/client_tls_explain.h"

#define DAY_SECONDS 86400

static void set_str(json_t *json, const char *name, struct str s)
{
    json_object_set_new(json, name, ctl_json_str(s));
}

static void set_bool(json_t *json, const char *name, bool value)
{
    json_object_set_new(json, name, json_boolean(value));
}

/* --- tls policy --- */

static json_t *sts_json(const struct mta_sts_answer *sts)
{
    json_t *json = json_object(), *mx = json_array();
    set_str(json, "dns", sts->notes);
    set_bool(json, "found", sts->found);
    set_str(json, "problem", sts->problem == MTA_STS_FINE ? STR("") : sts->why);
    if (sts->found) {
        for (size_t i = 0; i < sts->policy.mx_count; i++)
            json_array_append_new(mx, ctl_json_str(sts->policy.mx[i]));
        set_str(json, "id", sts->id);
        set_str(json, "mode", str_from_c(mta_sts_mode_name(sts->policy.mode)));
        json_object_set_new(json, "max_age", json_integer(sts->policy.max_age));
        json_object_set_new(json, "fetched", json_integer(sts->fetched / USEC_SEC));
        json_object_set_new(json, "expires", json_integer(sts->expires / USEC_SEC));
    }
    json_object_set_new(json, "mx", mx);
    return json;
}

static const char *dane_name(enum client_dane dane)
{
    static const char *const names[] = {"none", "unusable", "found", "unknown"};
    return names[dane];
}

static json_t *host_json(struct client_security *s, const struct client_tls_host *h)
{
    json_t *json = json_object(), *records = json_array();
    for (size_t i = 0; i < h->tls.record_count; i++) {
        struct buf text = BUF_EMPTY;
        tls_record_write(&text, &h->tls.records[i]);
        json_array_append_new(
            records, json_pack("{s:o, s:b}", "record", ctl_json_str(buf_str(&text)), "usable",
                               tls_usable_records(s->tls, &h->tls.records[i], 1) > 0));
        buf_free(&text);
    }
    set_str(json, "name", str_from_c(h->name));
    json_object_set_new(json, "port", json_integer(h->port));
    set_bool(json, "signed", h->host_secure);
    set_bool(json, "usable", h->usable);
    set_str(json, "problem", h->problem);
    set_str(json, "policy", str_from_c(client_tls_policy_name(h->tls.policy)));
    set_bool(json, "required", h->tls.required);
    set_bool(json, "testing", h->tls.testing);
    set_str(json, "why", h->tls.why);
    set_str(json, "dane", str_from_c(dane_name(h->tls.dane)));
    set_str(json, "dane_name", h->tls.dane_name);
    json_object_set_new(json, "records", records);
    return json;
}

static json_t *explanation_json(struct client_security *s, struct str domain,
                                const struct client_tls_explanation *x)
{
    static const char *const outcomes[] = {"sent", "here", "dropped", "refused"};
    json_t *json = json_object(), *hosts = json_array();
    for (size_t i = 0; i < x->host_count; i++)
        json_array_append_new(hosts, host_json(s, &x->hosts[i]));
    bool out = x->way.outcome == ROUTE_GOES_OUT;
    set_str(json, "domain", domain);
    set_str(json, "outcome", str_from_c(outcomes[x->way.outcome]));
    set_str(json, "text", x->way.text);
    set_str(json, "route", str_from_c(out ? x->way.hop.route : ""));
    set_str(json, "tls", str_from_c(out ? next_hop_tls_name(x->way.hop.tls) : ""));
    set_bool(json, "by_mx", out && x->way.hop.by_mx);
    set_bool(json, "mx_signed", x->mx_secure);
    set_bool(json, "validates", dns_validates(s->dns));
    json_object_set_new(json, "sts", sts_json(&x->sts));
    json_object_set_new(json, "hosts", hosts);
    return json;
}

static bool policy(const struct ctl_context *c, const json_t *args, json_t **result, struct err *e)
{
    struct str domain;
    struct client_tls_explanation x;
    bool refresh = json_is_true(json_object_get(args, "refresh"));
    if (!ctl_arg_str(args, "domain", &domain, e))
        return false;
    struct arena *a = arena_new();
    bool ok = client_tls_explain(c->security, c->queue, domain, refresh, a, &x, e);
    if (ok)
        *result = explanation_json(c->security, domain, &x);
    arena_free(a);
    return ok;
}

/* --- tls flush --- */

static bool flush(const struct ctl_context *c, const json_t *args, json_t **result, struct err *e)
{
    struct str domain;
    bool all = json_is_true(json_object_get(args, "all"));
    if (!ctl_arg_optional(args, "domain", &domain, e))
        return false;
    if (!all && domain.n == 0)
        return err_set(e, ERR_SYNTAX, "\"domain\" or \"all\" is needed");
    size_t count = mta_sts_forget(c->security->sts, all ? STR("") : domain);
    *result = json_pack("{s:I}", "forgotten", (json_int_t)count);
    return true;
}

/* --- tls report --- */

static json_t *row_json(const struct tls_report_row *r)
{
    json_t *json = json_object();
    set_str(json, "domain", r->domain);
    set_str(json, "policy", str_from_c(tls_report_policy_name(r->policy)));
    set_str(json, "result", r->result.n > 0 ? r->result : STR("success"));
    set_str(json, "host", r->host);
    set_str(json, "address", r->address);
    set_str(json, "reason", r->reason);
    json_object_set_new(json, "count", json_integer((json_int_t)r->count));
    return json;
}

static bool parse_day(struct str text, int64_t *day, struct err *e)
{
    struct buf full = BUF_EMPTY;
    int64_t seconds;
    *day = tls_report_today();
    if (text.n == 0)
        return true;
    buf_printf(&full, "%.*sT00:00:00Z", STR_ARG(text));
    bool ok = date_parse_rfc3339(buf_str(&full), &seconds);
    buf_free(&full);
    *day = ok ? seconds / DAY_SECONDS : 0;
    return ok || err_set(e, ERR_SYNTAX, "\"%.*s\" is not a day such as 2026-01-31",
                         STR_ARG(str_head(text, 40)));
}

static bool report(const struct ctl_context *c, const json_t *args, json_t **result, struct err *e)
{
    struct str day_text, domain;
    struct tls_report_row *rows;
    size_t count;
    int64_t day;
    if (!ctl_arg_optional(args, "day", &day_text, e) ||
        !ctl_arg_optional(args, "domain", &domain, e) || !parse_day(day_text, &day, e))
        return false;
    struct arena *a = arena_new();
    bool ok = tls_report_read(c->security->report, day, domain, a, &rows, &count, e);
    if (ok) {
        *result = json_array();
        for (size_t i = 0; i < count; i++)
            json_array_append_new(*result, row_json(&rows[i]));
    }
    arena_free(a);
    return ok;
}

static bool send_reports(const struct ctl_context *c, const json_t *args, json_t **result,
                         struct err *e)
{
    size_t sent, failed;
    (void)args;
    if (!tls_report_send_now(c->security->report, &sent, &failed, e))
        return false;
    *result = json_pack("{s:I, s:I}", "sent", (json_int_t)sent, "failed", (json_int_t)failed);
    return true;
}

const struct ctl_verb ctl_tls_verbs[] = {
    {"tls policy", CTL_ADMIN, policy},
    {"tls flush", CTL_ADMIN, flush},
    {"tls report", CTL_ADMIN, report},
    {"tls send", CTL_ADMIN, send_reports},
    {0},
};
