/*
 * doctor: DNS of the server itself: whether there is an answer at all, its name, the names of its
 * addresses, and what block lists say of them.
 */
#include "mailctl/doctor.h"
#include "net/dns_decode.h"
#include "net/network.h"
#include "policy/dns_list.h"

/* --- resolver --- */

#define SLOW (2 * USEC_SEC)

void doctor_resolver(struct doctor_job *j)
{
    const struct doctor *d = j->doctor;
    const struct dns_settings *s = config_block(d->site.config, &dns_settings_block);
    const char *server = s->server[0] ? s->server : "as /etc/resolv.conf says";
    if (d->dns_dead) {
        doctor_found(j, DOCTOR_BAD, server, "no answer: %s", d->dns_error.text);
        doctor_mend(j, "dns { server = ADDRESS } in %s, or /etc/resolv.conf",
                    d->mailctl->config_path);
        return;
    }
    doctor_found(j, d->dns_took > SLOW ? DOCTOR_WARN : DOCTOR_GOOD, server,
                 "it answers, after %.0f ms", (double)d->dns_took / 1000);
    if (dns_validates(d->dns)) {
        doctor_found(j, DOCTOR_GOOD, "DNSSEC", "answers are validated");
        return;
    }
    doctor_found(j, DOCTOR_WARN, "DNSSEC",
                 "answers are not validated: TLS with other servers goes without DANE");
    doctor_mend(j, "apt install dns-root-data");
    doctor_mend(j, "dns { trust_anchor = /usr/share/dns/root.key } in %s", d->mailctl->config_path);
}

/* --- name --- */

static void mend_addresses(struct doctor_job *j)
{
    const struct site *s = &j->doctor->site;
    for (size_t i = 0; i < s->address_count; i++)
        doctor_mend(j, "%s. %d IN %s %s", s->hostname, ZONE_TTL,
                    strchr(s->addresses[i], ':') ? "AAAA" : "A", s->addresses[i]);
}

static bool is_full_name(struct str host)
{
    static const char *const local[] = {".local", ".localdomain", ".lan", ".home", ".internal"};
    for (size_t i = 0; i < sizeof(local) / sizeof(*local); i++)
        if (str_ends_with_nocase(host, str_from_c(local[i])))
            return false;
    return str_find_char(host, '.') > 0;
}

static void judge_own_addresses(struct doctor_job *j, const struct dns_answer *answer)
{
    const struct site *s = &j->doctor->site;
    size_t ours = 0;
    const char *other = NULL;
    for (size_t i = 0; i < answer->count; i++)
        if (site_has_address(s, answer->addresses[i].text))
            ours++;
        else
            other = answer->addresses[i].text;
    if (s->source == SITE_NOWHERE) {
        doctor_found(j, DOCTOR_GOOD, s->hostname,
                     "it leads to %s; this machine has no public address, so that should be the "
                     "one of the router that forwards to it",
                     answer->addresses[0].text);
    } else if (ours == 0) {
        doctor_found(j, DOCTOR_BAD, s->hostname,
                     "it leads to %s, which is no address of this server", other);
        mend_addresses(j);
    } else if (other) {
        doctor_found(j, DOCTOR_WARN, s->hostname,
                     "it leads here, and to %s, which is no address of this server", other);
        doctor_mend(j, "remove that record, or name the address with --address");
    } else {
        doctor_found(j, DOCTOR_GOOD, s->hostname, "it leads here (%zu %s)", ours,
                     ours == 1 ? "address" : "addresses");
    }
}

void doctor_hostname(struct doctor_job *j)
{
    const struct site *s = &j->doctor->site;
    struct str host = str_from_c(s->hostname);
    struct dns_answer answer;
    struct err e;
    if (!is_full_name(host)) {
        doctor_found(j, DOCTOR_BAD, s->hostname, "this is no full name that others could look up");
        doctor_mend(j, "hostname = mail.example.org in %s", j->doctor->mailctl->config_path);
        return;
    }
    switch (dns_addresses_until(j->doctor->dns, host, j->deadline, j->arena, &answer, &e)) {
    case DNS_TEMPFAIL:
        doctor_found_no_answer(j, s->hostname, &e);
        break;
    case DNS_NOT_FOUND:
        doctor_found(j, DOCTOR_BAD, s->hostname, "it has no address in DNS");
        mend_addresses(j);
        break;
    case DNS_FOUND:
        judge_own_addresses(j, &answer);
        if (answer.canonical.n > 0 && !str_equal_nocase(answer.canonical, host))
            doctor_found(
                j, DOCTOR_WARN, s->hostname,
                "it is an alias (CNAME) of %.*s: not allowed in MX records (RFC 2181 10.3)",
                STR_ARG(answer.canonical));
        break;
    }
}

/* --- PTR --- */

enum dns_status doctor_find_addresses(struct doctor_job *j, const char *const **list, size_t *count,
                                      struct err *e)
{
    const struct site *s = &j->doctor->site;
    struct dns_answer answer;
    *list = s->addresses;
    *count = s->address_count;
    if (*count > 0)
        return DNS_FOUND;
    enum dns_status status = dns_addresses_until(j->doctor->dns, str_from_c(s->hostname),
                                                 j->deadline, j->arena, &answer, e);
    if (status != DNS_FOUND)
        return status;
    const char **found = arena_array(j->arena, answer.count, sizeof(*found));
    for (size_t i = 0; i < answer.count; i++)
        found[i] = answer.addresses[i].text;
    *list = found;
    *count = answer.count;
    return DNS_FOUND;
}

bool doctor_addresses(struct doctor_job *j, const char *const **list, size_t *count)
{
    struct err e;
    enum dns_status status = doctor_find_addresses(j, list, count, &e);
    if (status == DNS_TEMPFAIL)
        doctor_found_no_answer(j, j->doctor->site.hostname, &e);
    else if (status == DNS_NOT_FOUND)
        doctor_found(j, DOCTOR_SKIPPED, "",
                     "the server's address is not known: give it with --address");
    return status == DNS_FOUND;
}

static void mend_pointer(struct doctor_job *j, const char *address)
{
    const char *reverse;
    if (dns_reverse_name(address, j->arena, &reverse))
        doctor_mend(j, "%s. %d IN PTR %s. (entered by whoever gave you the address)", reverse,
                    ZONE_TTL, j->doctor->site.hostname);
}

SUSPENDS static bool leads_back(struct doctor_job *j, struct str name, const char *address)
{
    struct dns_answer answer;
    struct err e;
    if (dns_addresses_until(j->doctor->dns, name, j->deadline, j->arena, &answer, &e) != DNS_FOUND)
        return false;
    for (size_t i = 0; i < answer.count; i++)
        if (strcmp(answer.addresses[i].text, address) == 0)
            return true;
    return false;
}

SUSPENDS static void judge_names(struct doctor_job *j, const char *address,
                                 const struct dns_answer *names)
{
    const char *host = j->doctor->site.hostname;
    struct str confirmed = STR("");
    for (size_t i = 0; i < names->count; i++) {
        bool own = str_equal_nocase(names->texts[i], str_from_c(host));
        if ((own || confirmed.n == 0) && leads_back(j, names->texts[i], address)) {
            confirmed = names->texts[i];
            if (own)
                break;
        }
    }
    if (confirmed.n == 0) {
        doctor_found(j, DOCTOR_BAD, address, "its name is %.*s, which does not lead back to it",
                     STR_ARG(names->texts[0]));
        mend_pointer(j, address);
    } else if (!str_equal_nocase(confirmed, str_from_c(host))) {
        doctor_found(j, DOCTOR_WARN, address, "its name is %.*s; the server calls itself %s",
                     STR_ARG(confirmed), host);
        mend_pointer(j, address);
    } else {
        doctor_found(j, DOCTOR_GOOD, address, "its name is %s, which leads back to it", host);
    }
}

void doctor_ptr(struct doctor_job *j)
{
    const char *const *list;
    size_t count;
    if (!doctor_addresses(j, &list, &count))
        return;
    for (size_t i = 0; i < count; i++) {
        struct dns_answer names;
        struct err e;
        switch (dns_reverse_until(j->doctor->dns, list[i], j->deadline, j->arena, &names, &e)) {
        case DNS_TEMPFAIL:
            doctor_found_no_answer(j, list[i], &e);
            break;
        case DNS_NOT_FOUND:
            doctor_found(j, DOCTOR_BAD, list[i], "it has no name (PTR)");
            mend_pointer(j, list[i]);
            break;
        case DNS_FOUND:
            judge_names(j, list[i], &names);
            break;
        }
    }
}

/* --- block lists --- */

static const char *const well_known[] = {"zen.spamhaus.org", "bl.spamcop.net",
                                         "b.barracudacentral.org", "psbl.surriel.com",
                                         "dnsbl.dronebl.org"};
#define ZONES_MAX 50

static size_t list_zones(const struct arguments *a, const char *zones[ZONES_MAX])
{
    size_t n = 0;
    for (size_t i = 0; i < a->option_count; i++)
        if (strcmp(a->options[i].name, "--blocklist") == 0 && n < ZONES_MAX)
            zones[n++] = a->options[i].value;
    if (n == 0)
        for (; n < sizeof(well_known) / sizeof(*well_known); n++)
            zones[n] = well_known[n];
    return n;
}

/* "4.3.2.192.zone": RFC 5782 2.1, for IPv6 by nibbles (2.4). */
static struct str list_name(struct arena *a, const char *address, const char *zone)
{
    const char *reverse;
    if (!dns_reverse_name(address, a, &reverse))
        return STR("");
    struct str s = str_from_c(reverse);
    ptrdiff_t end = str_find(s, strchr(address, ':') ? STR(".ip6.arpa") : STR(".in-addr.arpa"));
    return arena_printf(a, "%.*s.%s", (int)end, s.p, zone);
}

/* A list answers with addresses of 127.0.0.0/8; 127.255.255.x says that it will not tell us. */
static bool is_listed(const struct dns_question *q, bool *refuses)
{
    for (size_t i = 0; q->status == DNS_FOUND && i < q->answer.count; i++) {
        struct str text = str_from_c(q->answer.addresses[i].text);
        if (str_starts_with(text, STR("127.255.255.")))
            *refuses = true;
        else if (str_starts_with(text, STR("127.")))
            return true;
    }
    return false;
}

SUSPENDS static void tell_listed(struct doctor_job *j, const char *address, const char *zone)
{
    struct str reason =
        dns_lists_reason(j->doctor->dns, address, str_from_c(zone), j->deadline, j->arena);
    doctor_found(j, DOCTOR_BAD, address, "%s names it%s%.*s", zone, reason.n > 0 ? ": " : "",
                 STR_ARG(reason));
    doctor_mend(j, "find what sends spam (mailctl queue top, mailctl who), then ask the list to "
                   "remove the address");
}

SUSPENDS static void judge_address(struct doctor_job *j, const char *address,
                                   const char *const *zones, size_t count, const bool *usable)
{
    struct dns_question *q = arena_array(j->arena, count, sizeof(*q));
    size_t clean = 0, listed = 0;
    for (size_t i = 0; i < count; i++)
        q[i].name = list_name(j->arena, address, zones[i]);
    dns_ipv4_all(j->doctor->dns, q, count, j->deadline, j->arena);
    for (size_t i = 0; i < count; i++) {
        bool refuses = false;
        if (!usable[i])
            continue;
        if (is_listed(&q[i], &refuses)) {
            tell_listed(j, address, zones[i]);
            listed++;
        } else if (q[i].status == DNS_NOT_FOUND) {
            clean++;
        }
    }
    if (listed == 0 && clean > 0)
        doctor_found(j, DOCTOR_GOOD, address, "none of %zu lists names it", clean);
}

void doctor_blocklists(struct doctor_job *j)
{
    const char *zones[ZONES_MAX];
    bool usable[ZONES_MAX];
    const char *const *addresses;
    size_t address_count, count = list_zones(j->doctor->arguments, zones);
    struct dns_question *q = arena_array(j->arena, count, sizeof(*q));
    if (!doctor_addresses(j, &addresses, &address_count))
        return;
    for (size_t i = 0; i < count; i++) /* RFC 5782 5: this one is on every list that works */
        q[i].name = list_name(j->arena, "127.0.0.2", zones[i]);
    dns_ipv4_all(j->doctor->dns, q, count, j->deadline, j->arena);
    for (size_t i = 0; i < count; i++) {
        bool refuses = false;
        usable[i] = is_listed(&q[i], &refuses);
        if (!usable[i])
            doctor_found(j, DOCTOR_SKIPPED, zones[i], "this list %s",
                         refuses ? "refuses questions that come from this resolver"
                                 : "does not answer here");
    }
    for (size_t i = 0; i < address_count; i++)
        judge_address(j, addresses[i], zones, count, usable);
}
