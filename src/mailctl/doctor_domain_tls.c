/*
 * doctor: what a domain says of TLS to those who send to it (MTA-STS, TLS-RPT, TLSA), and how mail
 * programs find its server (SRV). All of it can be left out; wrong, it keeps mail away.
 */
#include "mailctl/doctor.h"
#include "net/http_client.h"
#include "smtp/mta_sts.h"

static void skip_optional(struct doctor_job *j, const char *what)
{
    doctor_found(j, DOCTOR_SKIPPED, j->domain->name, "it has no %s, which is no fault", what);
    doctor_mend(j, "mailctl dns records %s prints it, and tells what it does", j->domain->name);
}

/* --- MTA-STS --- */

SUSPENDS static bool fetch_policy(struct doctor_job *j, struct mta_sts_policy *policy,
                                  struct err *e)
{
    const struct mta_sts_settings *s =
        config_block(j->doctor->site.config, &mta_sts_settings_block);
    struct http_response response;
    struct str url = arena_printf(
        j->arena, "https://mta-sts.%s%s/.well-known/mta-sts.txt", j->domain->name,
        s->https_port == 443 ? "" : arena_printf(j->arena, ":%lld", (long long)s->https_port).p);
    usec left = j->deadline - clock_monotonic();
    const struct http_request request = {.url = url.p,
                                         .tls = j->doctor->tls,
                                         .timeout = left > USEC_SEC ? left : USEC_SEC,
                                         .size_max = MTA_STS_POLICY_MAX};
    bool ok = http_ask(j->doctor->http, &request, &response, e);
    if (ok && response.status != 200)
        ok = err_set(e, ERR_TEMP, "the server answers with status %d", response.status);
    if (ok && *response.content_type && strcmp(response.content_type, "text/plain") != 0)
        ok = err_set(e, ERR_TEMP, "it is of type %s instead of text/plain", response.content_type);
    ok = ok &&
         mta_sts_policy_parse(arena_str(j->arena, buf_str(&response.body)), j->arena, policy, e);
    buf_free(&response.body);
    return ok || err_prefix(e, "%s", url.p);
}

SUSPENDS static void judge_policy(struct doctor_job *j, const struct mta_sts_policy *policy)
{
    struct dns_answer mx;
    struct err e;
    bool enforce = policy->mode == MTA_STS_ENFORCE;
    const struct doctor_finding *before = j->last;
    if (dns_mx_until(j->doctor->dns, str_from_c(j->domain->name), j->deadline, j->arena, &mx, &e) !=
        DNS_FOUND)
        mx.count = 0;
    for (size_t i = 0; i < mx.count; i++)
        if (!mta_sts_policy_allows(policy, mx.mx[i].host)) {
            doctor_found(j, enforce ? DOCTOR_BAD : DOCTOR_WARN, j->domain->name,
                         "the policy does not name %.*s, which is in the MX records",
                         STR_ARG(mx.mx[i].host));
            doctor_mend(j, "mx: %.*s in the policy, and another id in the record",
                        STR_ARG(mx.mx[i].host));
        }
    if (j->last == before)
        doctor_found(j, DOCTOR_GOOD, j->domain->name, "mode %s, for %u days",
                     mta_sts_mode_name(policy->mode), policy->max_age / 86400);
}

void doctor_mta_sts(struct doctor_job *j)
{
    struct str name = arena_printf(j->arena, "_mta-sts.%s", j->domain->name), id;
    struct dns_answer answer;
    struct mta_sts_policy policy;
    struct err e;
    bool any = false;
    enum dns_status status =
        dns_txt_until(j->doctor->dns, name, j->deadline, j->arena, &answer, &e);
    for (size_t i = 0; status == DNS_FOUND && i < answer.count; i++)
        any = any || str_starts_with(answer.texts[i], STR("v=STSv1"));
    if (status == DNS_TEMPFAIL) {
        doctor_found_no_answer(j, j->domain->name, &e);
    } else if (!any) {
        skip_optional(j, "MTA-STS");
    } else if (!mta_sts_find_id(answer.texts, answer.count, &id)) {
        doctor_found(j, DOCTOR_BAD, j->domain->name,
                     "%.*s is malformed, or there is more than one, so it does not count",
                     STR_ARG(name));
        doctor_mend_records(j, "mta-sts");
    } else if (!fetch_policy(j, &policy, &e)) {
        doctor_found(j, DOCTOR_BAD, j->domain->name,
                     "the policy that is announced cannot be had: %s", e.text);
        struct str text = zone_sts_policy(&j->domain->facts, j->arena), line;
        while ((line = str_split(&text, '\n')).n > 0)
            doctor_mend(j, "%.*s", STR_ARG(line));
    } else {
        judge_policy(j, &policy);
    }
}

/* --- TLS-RPT --- */

void doctor_tls_rpt(struct doctor_job *j)
{
    struct str name = arena_printf(j->arena, "_smtp._tls.%s", j->domain->name), record = STR("");
    struct dns_answer answer;
    struct err e;
    size_t count = 0;
    enum dns_status status =
        dns_txt_until(j->doctor->dns, name, j->deadline, j->arena, &answer, &e);
    for (size_t i = 0; status == DNS_FOUND && i < answer.count; i++)
        if (str_starts_with(answer.texts[i], STR("v=TLSRPTv1"))) {
            record = answer.texts[i];
            count++;
        }
    if (status == DNS_TEMPFAIL) {
        doctor_found_no_answer(j, j->domain->name, &e);
    } else if (count == 0) {
        skip_optional(j, "TLS-RPT");
    } else if (count > 1 || (str_find(record, STR("rua=mailto:")) < 0 &&
                             str_find(record, STR("rua=https:")) < 0)) {
        doctor_found(j, DOCTOR_BAD, j->domain->name, "%s: %.*s",
                     count > 1 ? "there is more than one record, so none counts"
                               : "the record names nobody who gets reports (rua)",
                     STR_ARG(record));
        doctor_mend_records(j, "tls-rpt");
    } else {
        doctor_found(j, DOCTOR_GOOD, j->domain->name, "%.*s", STR_ARG(record));
    }
}

/* --- TLSA --- */

struct reading {
    const struct site *site;
    struct arena *arena;
    struct certificates certificates;
    bool ok;
};

static void read_certificate(void *arg)
{
    struct reading *r = arg;
    r->ok = site_read_certificates(r->site, str_from_c(r->site->hostname), r->arena,
                                   &r->certificates, NULL);
}

static void mend_tlsa(struct doctor_job *j, struct str name, const struct certificate *c)
{
    doctor_mend(j, "%.*s. %d IN TLSA %.*s", STR_ARG(name), ZONE_TTL, STR_ARG(c->tlsa));
}

static size_t count_fitting(const struct certificate *c, const struct dns_answer *answer)
{
    size_t fitting = 0;
    for (size_t i = 0; i < answer->count; i++)
        fitting += certificate_fits(c, &answer->tlsa[i]);
    return fitting;
}

/* Each certificate needs a record, since the other side decides which one it gets. */
static bool tell_unfitting(struct doctor_job *j, struct str name, const struct dns_answer *answer,
                           const struct certificates *own)
{
    bool all = true;
    for (size_t i = 0; i < own->count; i++) {
        const struct certificate *c = &own->list[i];
        if (count_fitting(c, answer) > 0)
            continue;
        all = false;
        doctor_found(j, answer->secure ? DOCTOR_BAD : DOCTOR_WARN, j->doctor->site.hostname,
                     "no TLSA record fits the certificate%s%s: %s", own->count > 1 ? " " : "",
                     own->count > 1 ? c->path : "",
                     answer->secure ? "servers that honour DANE do not send here"
                                    : "where the zone is seen as signed, nobody sends here");
        mend_tlsa(j, name, c);
    }
    return all;
}

static void judge_tlsa(struct doctor_job *j, struct str name, const struct dns_answer *answer,
                       const struct certificates *own)
{
    const char *host = j->doctor->site.hostname;
    size_t fitting = 0;
    if (!tell_unfitting(j, name, answer, own))
        return;
    for (size_t i = 0; i < own->count; i++)
        fitting += count_fitting(&own->list[i], answer);
    if (!answer->secure && dns_validates(j->doctor->dns)) {
        doctor_found(j, DOCTOR_WARN, host,
                     "a TLSA record fits, but the zone is not signed: it does "
                     "not count");
    } else {
        doctor_found(j, DOCTOR_GOOD, host, "%zu of %zu TLSA records fit%s the certificate%s%s",
                     fitting, answer->count, fitting == 1 ? "s" : "", own->count > 1 ? "s" : "",
                     answer->secure ? "" : " (whether the zone is signed was not seen)");
    }
}

/* The domain's mail comes to our host by name. */
SUSPENDS static bool comes_here(struct doctor_job *j)
{
    struct dns_answer mx;
    struct err e;
    if (dns_mx_until(j->doctor->dns, str_from_c(j->domain->name), j->deadline, j->arena, &mx, &e) !=
        DNS_FOUND)
        return false;
    for (size_t i = 0; i < mx.count; i++)
        if (str_equal_nocase(mx.mx[i].host, str_from_c(j->doctor->site.hostname)))
            return true;
    return false;
}

void doctor_tlsa(struct doctor_job *j)
{
    const char *host = j->doctor->site.hostname;
    struct str name = arena_printf(j->arena, "_25._tcp.%s", host);
    struct reading r = {.site = &j->doctor->site, .arena = j->arena};
    struct dns_answer answer;
    struct err e;
    if (!comes_here(j)) {
        doctor_found(j, DOCTOR_SKIPPED, j->domain->name, "its MX records do not name %s", host);
        return;
    }
    doctor_block(read_certificate, &r);
    if (!r.ok) {
        doctor_found(j, DOCTOR_SKIPPED, host, "the certificate cannot be read");
        return;
    }
    switch (dns_tlsa_until(j->doctor->dns, name, j->deadline, j->arena, &answer, &e)) {
    case DNS_TEMPFAIL: /* RFC 7672 2.1.2: who cannot tell does not send */
        doctor_found(j, DOCTOR_BAD, host,
                     "DNS gives no answer about TLSA records, so servers that honour DANE put mail "
                     "off: %s",
                     e.text);
        break;
    case DNS_NOT_FOUND:
        doctor_found(j, DOCTOR_SKIPPED, host, "it has no TLSA record, which is no fault%s",
                     answer.secure ? "; the zone is signed" : "");
        for (size_t i = 0; answer.secure && i < r.certificates.count; i++)
            mend_tlsa(j, name, &r.certificates.list[i]);
        break;
    case DNS_FOUND:
        judge_tlsa(j, name, &answer, &r.certificates);
        break;
    }
}

/* --- SRV --- */

static const struct zone_service *find_service(const struct site *s, const char *name)
{
    for (size_t i = 0; i < s->service_count; i++)
        if (strcmp(zone_service_name(s->services[i].protocol, s->services[i].tls), name) == 0)
            return &s->services[i];
    return NULL;
}

/* Of the servers that clients try first; true: there are some. */
SUSPENDS static bool judge_service(struct doctor_job *j, const char *service, size_t *good)
{
    const struct site *s = &j->doctor->site;
    const struct zone_service *own = find_service(s, service);
    struct str name = arena_printf(j->arena, "%s.%s", service, j->domain->name);
    struct dns_answer answer;
    struct err e;
    enum dns_status status =
        dns_srv_until(j->doctor->dns, name, j->deadline, j->arena, &answer, &e);
    if (status != DNS_FOUND) {
        if (status == DNS_TEMPFAIL)
            doctor_found_no_answer(j, j->domain->name, &e);
        return status == DNS_TEMPFAIL;
    }
    const struct dns_srv *r = &answer.srv[0];
    bool here = str_equal_nocase(r->host, str_from_c(s->hostname));
    if (r->host.n == 0 && own)
        doctor_found(j, DOCTOR_WARN, j->domain->name,
                     "%s: the record says that there is no such service, "
                     "which is there on port %u",
                     service, own->port);
    else if (r->host.n > 0 && !here)
        doctor_found(j, DOCTOR_WARN, j->domain->name, "%s: the record leads to %.*s, not here",
                     service, STR_ARG(r->host));
    else if (r->host.n > 0 && (!own || own->port != r->port))
        doctor_found(j, DOCTOR_BAD, j->domain->name,
                     "%s: the record leads to port %u, where this "
                     "server has no such service",
                     service, r->port);
    else {
        ++*good;
        return true;
    }
    const struct zone_section *z = zone_find(j->domain->zone, "srv");
    for (const struct zone_record *x = z->records; x; x = x->next)
        if (str_equal(x->name, name)) {
            struct str line = zone_record_line(x, j->arena);
            doctor_mend(j, "%.*s", STR_ARG(line));
        }
    return true;
}

void doctor_srv(struct doctor_job *j)
{
    static const char *const services[] = {"_submissions._tcp", "_submission._tcp", "_imaps._tcp",
                                           "_imap._tcp",        "_pop3s._tcp",      "_pop3._tcp"};
    size_t good = 0, found = 0;
    for (size_t i = 0; i < sizeof(services) / sizeof(*services); i++)
        found += judge_service(j, services[i], &good);
    if (found == 0)
        skip_optional(j, "SRV records");
    else if (good > 0)
        doctor_found(j, DOCTOR_GOOD, j->domain->name, "%zu SRV %s right", good,
                     good == 1 ? "record is" : "records are");
}
