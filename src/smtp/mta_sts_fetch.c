/*
 * Fetching a policy (RFC 8461 3.3): https://mta-sts.DOMAIN/.well-known/mta-sts.txt, with a
 * certificate that is good for that host, status 200 and no redirect, 64 KB at most. One request
 * for a domain at a time, whoever asks; what fails leaves the policy that is there alone.
 */
#include "core/log.h"
#include "core/mem.h"
#include "smtp/mta_sts_internal.h"

#include <stdio.h>

static bool failed(struct mta_sts_entry *e, enum mta_sts_problem problem)
{
    e->problem = problem;
    return false;
}

static bool is_plain_text(const struct http_response *r)
{
    return !*r->content_type || strcmp(r->content_type, "text/plain") == 0;
}

/* False: e->problem and e->error. */
static bool take_response(struct mta_sts_entry *e, const struct http_response *r, struct str id)
{
    if (r->status != 200) {
        err_set(&e->error, ERR_TEMP, "the server answers with status %d", r->status);
        return failed(e, MTA_STS_FETCH_ERROR);
    }
    if (!is_plain_text(r)) {
        err_set(&e->error, ERR_TEMP, "it is of type %s instead of text/plain", r->content_type);
        return failed(e, MTA_STS_INVALID);
    }
    struct arena *a = arena_new();
    struct mta_sts_policy policy;
    if (!mta_sts_policy_parse(buf_str(&r->body), a, &policy, &e->error)) {
        arena_free(a);
        return failed(e, MTA_STS_INVALID);
    }
    mta_sts_entry_set(e, a, &policy, id, clock_wall());
    e->problem = MTA_STS_FINE;
    return true;
}

static void log_result(const struct mta_sts_entry *e, bool ok)
{
    if (ok)
        log_info("mta-sts", NULL, "policy read domain=%.*s id=%.*s mode=%s mx=%zu max_age=%u",
                 STR_ARG(e->domain), STR_ARG(e->id), mta_sts_mode_name(e->policy.mode),
                 e->policy.mx_count, e->policy.max_age);
    else
        log_warning("mta-sts", NULL, "policy cannot be had domain=%.*s reason=\"%s\"%s",
                    STR_ARG(e->domain), e->error.text,
                    mta_sts_entry_holds(e) ? ": the one that is known still holds" : "");
}

SUSPENDS static bool request(struct mta_sts *m, struct mta_sts_entry *e, struct str id)
{
    struct http_response response;
    struct buf url = BUF_EMPTY;
    struct tls_context *tls = tls_context_ref(m->tls);
    buf_printf(&url, "https://mta-sts.%.*s:%lld/.well-known/mta-sts.txt", STR_ARG(e->domain),
               (long long)m->settings.https_port);
    const struct http_request r = {.url = buf_c(&url),
                                   .tls = tls,
                                   .timeout = m->settings.timeout,
                                   .size_max = MTA_STS_POLICY_MAX};
    bool answered = http_ask(m->context.http, &r, &response, &e->error);
    bool ok = answered && take_response(e, &response, id);
    bool cancelled = !answered && e->error.kind == ERR_CANCELLED;
    if (!answered)
        failed(e, e->error.kind == ERR_TLS ? MTA_STS_WEBPKI_ERROR : MTA_STS_FETCH_ERROR);
    buf_free(&response.body);
    buf_free(&url);
    tls_context_unref(tls);
    if (!cancelled) {
        e->tried = clock_wall();
        snprintf(e->tried_id, sizeof(e->tried_id), "%.*s", STR_ARG(id));
        log_result(e, ok);
    }
    if (ok)
        mta_sts_save(m, e);
    return !cancelled;
}

SUSPENDS bool mta_sts_fetch(struct mta_sts *m, struct mta_sts_entry *e, struct str id)
{
    bool done = true;
    struct err ignored;
    e->holds++;
    if (e->fetching) {
        while (e->fetching && done)
            done = cond_wait(&e->fetched_cond, deadline_in(2 * m->settings.timeout), &ignored);
    } else {
        e->fetching = true;
        done = request(m, e, id);
        e->fetching = false;
        cond_broadcast(&e->fetched_cond);
    }
    e->holds--;
    return done;
}
