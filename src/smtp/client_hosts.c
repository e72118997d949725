/*
 * Hosts of a destination, RFC 5321 5.1: the MX records in the order of their preference (equal ones
 * shuffled by the resolver), each host's addresses in turn; without MX records the domain's own
 * addresses. A null MX (RFC 7505) and a domain that does not exist are final. A record that names
 * ourselves is left out with all that are no better: sending there would be a loop.
 *
 * What DNS cannot answer is never taken for "does not exist": if nothing else can be tried, the
 * mail waits.
 */
#include "smtp/client_hosts.h"

#include <arpa/inet.h>

static bool is_numeric(const char *text)
{
    struct in6_addr any;
    return inet_pton(AF_INET, text, &any) == 1 || inet_pton(AF_INET6, text, &any) == 1;
}

static void add_host(struct client_hosts *hosts, const char *name, const char *address,
                     uint16_t port)
{
    if (hosts->count < CLIENT_HOSTS_MAX)
        hosts->host[hosts->count++] = (struct client_host){name, address, port};
}

/* Adds the addresses of a host. */
SUSPENDS static enum dns_status add_addresses(const struct transport_job *job, struct arena *a,
                                              struct str name, uint16_t port,
                                              struct client_hosts *hosts, bool *nxdomain,
                                              struct err *e)
{
    struct dns_answer answer = {.nxdomain = false};
    enum dns_status status = dns_addresses(job->dns, name, a, &answer, e);
    *nxdomain = answer.nxdomain;
    if (status != DNS_FOUND)
        return status;
    const char *text = arena_c(a, name);
    for (size_t i = 0; i < answer.count; i++)
        add_host(hosts, text, arena_c(a, str_from_c(answer.addresses[i].text)), port);
    return DNS_FOUND;
}

static bool dns_failed(struct client_failure *f, struct str name, const struct err *e)
{
    client_failure_set(f, false, "4.4.3", "DNS cannot answer for %.*s now: %s", STR_ARG(name),
                       e->text);
    return false;
}

/* One of the hosts that are named. */
SUSPENDS static bool find_named(const struct transport_job *job, struct arena *a, struct str text,
                                struct client_hosts *hosts, struct client_failure *f)
{
    struct str host;
    uint16_t port = (uint16_t)job->settings->smtp_port;
    struct err e = {.kind = ERR_NONE};
    bool nxdomain;
    if (!relay_host_parse(text, &host, &port)) {
        client_failure_set(f, false, "4.3.5", "the relay host is not understood");
        return false;
    }
    const char *name = arena_c(a, host);
    if (is_numeric(name)) {
        add_host(hosts, name, name, port);
        return true;
    }
    enum dns_status status = add_addresses(job, a, host, port, hosts, &nxdomain, &e);
    if (status == DNS_TEMPFAIL)
        return dns_failed(f, host, &e);
    if (status == DNS_NOT_FOUND) /* our own mistake, not the sender's */
        client_failure_set(f, false, "4.4.3", "the relay host %s has no address", name);
    return status == DNS_FOUND;
}

SUSPENDS static void find_list(const struct transport_job *job, struct arena *a,
                               const struct string_list *list, struct client_hosts *hosts,
                               struct client_failure *f)
{
    for (size_t i = 0; i < list->count; i++)
        find_named(job, a, str_from_c(list->items[i]), hosts, f);
}

/* [192.0.2.1] or [IPv6:2001:db8::1] (RFC 5321 4.1.3). */
static bool find_literal(const struct transport_job *job, struct arena *a,
                         struct client_hosts *hosts, struct client_failure *f)
{
    struct str text = str_skip(job->destination, 1);
    if (text.n > 0 && text.p[text.n - 1] == ']')
        text = str_head(text, text.n - 1);
    if (str_starts_with_nocase(text, STR("IPv6:")))
        text = str_skip(text, 5);
    const char *address = arena_c(a, text);
    if (!is_numeric(address)) {
        client_failure_set(f, true, "5.1.2", "%.*s is no address", STR_ARG(job->destination));
        return false;
    }
    add_host(hosts, address, address, (uint16_t)job->settings->smtp_port);
    return true;
}

static bool loops_back(struct client_failure *f, struct str domain)
{
    client_failure_set(f, true, "5.4.6",
                       "mail for %.*s loops back to this server, which is not set up for it",
                       STR_ARG(domain));
    return false;
}

/* How many of the records are better than the one that names us. */
static size_t better_than_us(const struct transport_job *job, const struct dns_answer *mx)
{
    for (size_t i = 0; i < mx->count; i++) {
        if (!str_equal_nocase(mx->mx[i].host, str_from_c(job->hostname)))
            continue;
        size_t better = 0;
        while (mx->mx[better].preference < mx->mx[i].preference)
            better++;
        return better;
    }
    return mx->count;
}

SUSPENDS static bool find_by_mx(const struct transport_job *job, struct arena *a,
                                const struct dns_answer *mx, struct client_hosts *hosts,
                                struct client_failure *f)
{
    struct err e = {.kind = ERR_NONE};
    struct str failed = {0};
    size_t count = better_than_us(job, mx);
    bool nxdomain;
    if (count == 0)
        return loops_back(f, job->destination);
    for (size_t i = 0; i < count && i < CLIENT_MX_MAX && hosts->count < CLIENT_HOSTS_MAX; i++)
        if (add_addresses(job, a, mx->mx[i].host, (uint16_t)job->settings->smtp_port, hosts,
                          &nxdomain, &e) == DNS_TEMPFAIL)
            failed = mx->mx[i].host;
    if (hosts->count > 0)
        return true;
    if (failed.p)
        return dns_failed(f, failed, &e);
    client_failure_set(f, true, "5.4.4", "no mail server of %.*s has an address",
                       STR_ARG(job->destination));
    return false;
}

/* The domain is its own mail server. */
SUSPENDS static bool find_by_domain(const struct transport_job *job, struct arena *a,
                                    struct client_hosts *hosts, struct client_failure *f)
{
    struct err e = {.kind = ERR_NONE};
    bool nxdomain;
    if (str_equal_nocase(job->destination, str_from_c(job->hostname)))
        return loops_back(f, job->destination);
    switch (add_addresses(job, a, job->destination, (uint16_t)job->settings->smtp_port, hosts,
                          &nxdomain, &e)) {
    case DNS_FOUND:
        return true;
    case DNS_TEMPFAIL:
        return dns_failed(f, job->destination, &e);
    case DNS_NOT_FOUND:
        break;
    }
    client_failure_set(f, true, nxdomain ? "5.1.2" : "5.4.4", "the domain %.*s %s",
                       STR_ARG(job->destination),
                       nxdomain ? "does not exist" : "has neither a mail server nor an address");
    return false;
}

SUSPENDS static bool find_of_domain(const struct transport_job *job, struct arena *a,
                                    struct client_hosts *hosts, struct client_failure *f)
{
    struct dns_answer mx = {.count = 0};
    struct err e = {.kind = ERR_NONE};
    if (str_starts_with(job->destination, STR("[")))
        return find_literal(job, a, hosts, f);
    switch (dns_mx(job->dns, job->destination, a, &mx, &e)) {
    case DNS_TEMPFAIL:
        return dns_failed(f, job->destination, &e);
    case DNS_NOT_FOUND:
        return find_by_domain(job, a, hosts, f);
    case DNS_FOUND:
        break;
    }
    if (mx.count == 1 && mx.mx[0].host.n == 0) {
        client_failure_set(f, true, "5.1.10", "the domain %.*s takes no mail (null MX)",
                           STR_ARG(job->destination));
        return false;
    }
    hosts->secure = mx.secure;
    return find_by_mx(job, a, &mx, hosts, f);
}

SUSPENDS bool client_hosts_find(const struct transport_job *job, struct arena *a,
                                struct client_hosts *hosts, struct client_failure *f)
{
    hosts->count = 0;
    hosts->secure = true; /* without MX the name is the domain itself */
    if (!job->next_hop.by_mx)
        find_list(job, a, &job->next_hop.hosts, hosts, f);
    else if (!find_of_domain(job, a, hosts, f) && f->permanent)
        return false; /* the domain's own word */
    find_list(job, a, &job->next_hop.fallback, hosts, f);
    return hosts->count > 0;
}
