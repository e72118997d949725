/*
 * The same decision that the client makes (client_tls_policy.c), for each host that the route table
 * and DNS name.
 */
#include "smtp/client_tls_explain.h"

static bool is_known(const struct client_tls_explanation *x, const struct route_host *h)
{
    for (size_t i = 0; i < x->host_count; i++)
        if (x->hosts[i].port == h->port && str_equal_nocase(str_from_c(x->hosts[i].name), h->name))
            return true;
    return false;
}

SUSPENDS static void explain_host(struct client_security *s, struct tls_context *tls,
                                  struct str domain, const struct route_host *h, struct arena *a,
                                  struct client_tls_explanation *x)
{
    struct client_tls_host *out = &x->hosts[x->host_count++];
    struct client_failure f = {.permanent = false};
    bool by_mx = x->way.hop.by_mx && !h->fallback;
    *out = (struct client_tls_host){.name = arena_c(a, h->name),
                                    .port = h->port,
                                    .host_secure = h->preference < 0 || x->mx_secure};
    const struct client_tls_question question = {.dns = s->dns,
                                                 .sts = s->sts,
                                                 .tls = tls,
                                                 .domain = domain,
                                                 .by_mx = by_mx,
                                                 .host_secure = out->host_secure,
                                                 .host = out->name,
                                                 .port = h->port,
                                                 .level = x->way.hop.tls};
    out->usable = client_tls_decide(&question, a, &out->tls, &f);
    out->problem = arena_str(a, buf_str(&f.text));
    client_failure_free(&f);
}

SUSPENDS bool client_tls_explain(struct client_security *s, struct queue *q, struct str domain,
                                 bool refresh, struct arena *a, struct client_tls_explanation *x,
                                 struct err *e)
{
    struct route_way *ways;
    struct dns_answer mx;
    size_t count = 0;
    const char *name = mta_sts_name(domain, a);
    *x = (struct client_tls_explanation){.host_count = 0};
    if (!name)
        return err_set(e, ERR_SYNTAX, "\"%.*s\" is not the name of a domain",
                       STR_ARG(str_head(domain, 80)));
    const struct route_question question = {.recipient = arena_printf(a, "postmaster@%s", name)};
    if (!route_explain(q, &question, a, &ways, &count, e))
        return false;
    x->way = ways[0];
    if (x->way.outcome != ROUTE_GOES_OUT)
        return true;
    if (x->way.hop.by_mx) {
        x->mx_secure = dns_mx(s->dns, str_from_c(name), a, &mx, e) != DNS_TEMPFAIL && mx.secure;
        (refresh ? mta_sts_refresh : mta_sts_find)(s->sts, str_from_c(name), a, &x->sts);
    }
    x->hosts = arena_array(a, x->way.host_count + 1, sizeof(*x->hosts));
    struct tls_context *tls = tls_context_ref(s->tls); /* a reload may come meanwhile */
    for (size_t i = 0; i < x->way.host_count; i++)
        if (!is_known(x, &x->way.hosts[i]) && x->way.hosts[i].port != 0)
            explain_host(s, tls, str_from_c(name), &x->way.hosts[i], a, x);
    tls_context_unref(tls);
    return true;
}
