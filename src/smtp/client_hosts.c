/*
 * Hosts of a destination, RFC 5321 5.1: the MX records in the order of their preference (equal ones
 * shuffled by the resolver); without MX records the domain itself. A null MX (RFC 7505) and a
 * domain that does not exist are final. A record that names ourselves is left out with all that are
 * no better: sending there would be a loop. A rule of ours names hosts instead, and may name more
 * for when none of the others can be reached.
 *
 * Addresses are looked up when a host's turn comes, which for most never does. What DNS cannot
 * answer is never taken for "does not exist": if nothing else can be tried, the mail waits.
 */
#include "smtp/client_hosts.h"

#include "net/host_port.h"
#include "net/network.h"

static struct client_host *add_host(struct client_hosts *hosts, const char *name, uint16_t port)
{
    if (hosts->count == CLIENT_HOSTS_MAX)
        return NULL;
    struct client_host *h = &hosts->host[hosts->count++];
    *h = (struct client_host){.name = name, .port = port, .secure = true};
    return h;
}

static void add_address(struct client_host *h, const char *address)
{
    if (h->address_count < CLIENT_ADDRESSES_MAX)
        h->addresses[h->address_count++] = address;
}

static bool dns_failed(struct client_failure *f, const struct err *e)
{
    client_failure_set(f, false, "4.4.3", "%s", e->text);
    return false;
}

/* --- hosts that a rule names --- */

static bool add_named(const struct transport_job *job, struct arena *a, const char *text,
                      struct client_hosts *hosts)
{
    struct str host;
    uint16_t port = (uint16_t)job->settings->smtp_port;
    struct client_host *h;
    if (str_starts_with(str_from_c(text), STR("unix:"))) {
        h = add_host(hosts, text + strlen("unix:"), 0);
        if (h)
            add_address(h, text);
        return true;
    }
    if (!relay_host_parse(str_from_c(text), &host, &port))
        return false;
    h = add_host(hosts, arena_c(a, host), port);
    if (h && host_is_numeric(host))
        add_address(h, h->name);
    return true;
}

static bool add_list(const struct transport_job *job, struct arena *a,
                     const struct string_list *list, struct client_hosts *hosts,
                     struct client_failure *f)
{
    size_t before = hosts->count;
    for (size_t i = 0; i < list->count; i++)
        if (!add_named(job, a, list->items[i], hosts))
            client_failure_set(f, false, "4.3.5", "the host \"%s\" of the route is not understood",
                               list->items[i]);
    return hosts->count > before;
}

/* [192.0.2.1] or [IPv6:2001:db8::1] (RFC 5321 4.1.3). */
static bool add_literal(const struct transport_job *job, struct arena *a,
                        struct client_hosts *hosts, struct client_failure *f)
{
    struct str text = str_skip(job->destination, 1);
    if (text.n > 0 && text.p[text.n - 1] == ']')
        text = str_head(text, text.n - 1);
    if (str_starts_with_nocase(text, STR("IPv6:")))
        text = str_skip(text, 5);
    if (!host_is_numeric(text)) {
        client_failure_set(f, true, "5.1.2", "%.*s is no address", STR_ARG(job->destination));
        return false;
    }
    const char *address = arena_c(a, text);
    add_address(add_host(hosts, address, (uint16_t)job->settings->smtp_port), address);
    return true;
}

/* --- hosts by MX --- */

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

static bool is_listed(const struct client_hosts *hosts, struct str name)
{
    for (size_t i = 0; i < hosts->count; i++)
        if (str_equal_nocase(str_from_c(hosts->host[i].name), name))
            return true;
    return false;
}

static bool add_by_mx(const struct transport_job *job, struct arena *a, const struct dns_answer *mx,
                      struct client_hosts *hosts, struct client_failure *f)
{
    size_t count = better_than_us(job, mx);
    if (count == 0)
        return loops_back(f, job->destination);
    for (size_t i = 0; i < count && hosts->count < CLIENT_HOSTS_MAX; i++) {
        if (mx->mx[i].host.n == 0 || is_listed(hosts, mx->mx[i].host))
            continue;
        struct client_host *h =
            add_host(hosts, arena_c(a, mx->mx[i].host), (uint16_t)job->settings->smtp_port);
        h->secure = mx->secure;
        h->by_mx = true;
    }
    if (hosts->count == 0)
        client_failure_set(f, true, "5.4.4", "the MX records of %.*s name no host",
                           STR_ARG(job->destination));
    return hosts->count > 0;
}

/* The domain is its own mail server. */
static bool add_domain(const struct transport_job *job, struct arena *a, struct client_hosts *hosts,
                       struct client_failure *f)
{
    if (str_equal_nocase(job->destination, str_from_c(job->hostname)))
        return loops_back(f, job->destination);
    add_host(hosts, arena_c(a, job->destination), (uint16_t)job->settings->smtp_port)->by_mx = true;
    return true;
}

SUSPENDS static bool add_of_domain(const struct transport_job *job, struct arena *a,
                                   struct client_hosts *hosts, struct client_failure *f)
{
    struct dns_answer mx = {.count = 0};
    struct err e = {.kind = ERR_NONE};
    if (str_starts_with(job->destination, STR("[")))
        return add_literal(job, a, hosts, f);
    switch (dns_mx(job->dns, job->destination, a, &mx, &e)) {
    case DNS_TEMPFAIL:
        return dns_failed(f, &e);
    case DNS_NOT_FOUND:
        return add_domain(job, a, hosts, f);
    case DNS_FOUND:
        break;
    }
    if (mx.count == 1 && mx.mx[0].host.n == 0) {
        client_failure_set(f, true, "5.1.10", "the domain %.*s takes no mail (null MX)",
                           STR_ARG(job->destination));
        return false;
    }
    return add_by_mx(job, a, &mx, hosts, f);
}

SUSPENDS bool client_hosts_find(const struct transport_job *job, struct arena *a,
                                struct client_hosts *hosts, struct client_failure *f)
{
    hosts->count = 0;
    client_failure_set(f, false, "4.3.5", "the route \"%s\" names no host", job->next_hop.route);
    if (!job->next_hop.by_mx)
        add_list(job, a, &job->next_hop.hosts, hosts, f);
    else if (!add_of_domain(job, a, hosts, f) && f->permanent)
        return false; /* the domain's own word */
    add_list(job, a, &job->next_hop.fallback, hosts, f);
    return hosts->count > 0;
}

/* --- addresses --- */

static bool is_ignored(const struct network_set *ignored, const char *text)
{
    struct network_address address;
    return ignored && network_address_parse(&address, str_from_c(text)) &&
           network_set_find(ignored, &address) != NETWORK_NONE;
}

static void take_addresses(struct client_host *h, struct arena *a, const struct dns_answer *answer,
                           const struct network_set *ignored)
{
    for (size_t i = 0; i < answer->count; i++)
        if (!h->by_mx || !is_ignored(ignored, answer->addresses[i].text))
            add_address(h, arena_c(a, str_from_c(answer->addresses[i].text)));
}

static void no_address(const struct transport_job *job, const struct client_host *h, bool nxdomain,
                       struct client_failure *f)
{
    if (!h->by_mx) /* our own mistake, not the sender's */
        client_failure_set(f, false, "4.4.3", "the host %s has no address", h->name);
    else if (!str_equal_nocase(str_from_c(h->name), job->destination))
        client_failure_set(f, true, "5.4.4", "the mail server %s of %.*s has no address", h->name,
                           STR_ARG(job->destination));
    else if (nxdomain)
        client_failure_set(f, true, "5.1.2", "the domain %s does not exist", h->name);
    else
        client_failure_set(f, true, "5.4.4",
                           "the domain %s has neither a mail server nor an address", h->name);
}

SUSPENDS bool client_host_resolve(const struct transport_job *job, struct arena *a,
                                  struct client_host *h, const struct network_set *ignored,
                                  struct client_failure *f)
{
    struct dns_answer answer = {.nxdomain = false};
    struct err e = {.kind = ERR_NONE};
    if (h->address_count > 0)
        return true;
    switch (dns_addresses(job->dns, str_from_c(h->name), a, &answer, &e)) {
    case DNS_TEMPFAIL:
        return dns_failed(f, &e);
    case DNS_NOT_FOUND:
        no_address(job, h, answer.nxdomain, f);
        return false;
    case DNS_FOUND:
        break;
    }
    take_addresses(h, a, &answer, ignored);
    if (h->address_count > 0)
        return true;
    client_failure_set(f, true, "5.4.4",
                       "%s of %.*s has only addresses that no mail is sent to (%s)", h->name,
                       STR_ARG(job->destination), answer.addresses[0].text);
    return false;
}
