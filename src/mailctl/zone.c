/*
 * Which records a domain needs. Sections are built in the order in which they matter:
 *
 *   mx, address       RFC 5321 5: where mail for the domain goes
 *   ptr               the name of the address that our mail comes from
 *   spf               RFC 7208, for the domain and for the name in HELO (2.3)
 *   dkim              RFC 6376 3.6.1, RFC 8463: of the key that the directory has
 *   dmarc             RFC 7489
 *   mta-sts, tls-rpt  RFC 8461, RFC 8460
 *   tlsa              RFC 7672, of use in signed zones only
 *   srv               RFC 6186, RFC 8314 5.1: how clients find the server
 *   autoconfig        where they find their settings, if that is served here
 *
 * Only what this server does is advised. A record waits (it is printed as a comment) while it would
 * do harm before something else is done, and so does one that belongs into another zone.
 */
#include "mailctl/zone.h"

#include "core/buf.h"
#include "net/dns_decode.h"
#include "net/host_port.h"
#include "smtp/mta_sts_policy.h"

#define TXT_STRING_MAX 255 /* RFC 1035 3.3 */
#define STS_AGE        86400

struct building {
    const struct zone_facts *facts;
    struct arena *arena;
    struct zone_section *first, **end_section;
    struct zone_section *section; /* the one that is being built */
    struct zone_record **end_record;
};

bool zone_holds(struct str domain, struct str name)
{
    return str_equal_nocase(domain, name) ||
           (name.n > domain.n && name.p[name.n - domain.n - 1] == '.' &&
            str_ends_with_nocase(name, domain));
}

static void begin(struct building *b, const char *key, const char *title, enum zone_need need,
                  const char *why)
{
    struct zone_section *s = ARENA_NEW(b->arena, struct zone_section);
    *s = (struct zone_section){
        .key = key, .title = title, .need = need, .why = str_from_c(why), .notes = STR("")};
    *b->end_section = s;
    b->end_section = &s->next;
    b->section = s;
    b->end_record = &s->records;
}

static struct zone_record *add(struct building *b, struct str name, const char *type,
                               struct str data)
{
    struct zone_record *r = ARENA_NEW(b->arena, struct zone_record);
    *r = (struct zone_record){.name = name,
                              .type = type,
                              .data = data,
                              .text = STR(""),
                              .elsewhere = !zone_holds(b->facts->domain, name)};
    *b->end_record = r;
    b->end_record = &r->next;
    return r;
}

/* RFC 1035 5.1: what is not printable as a backslash and three digits. */
static void add_quoted(struct buf *b, struct str piece)
{
    buf_add_char(b, '"');
    for (size_t i = 0; i < piece.n; i++) {
        unsigned char c = (unsigned char)piece.p[i];
        if (c < ' ' || c > '~')
            buf_printf(b, "\\%03u", c);
        else
            buf_printf(b, "%s%c", c == '"' || c == '\\' ? "\\" : "", c);
    }
    buf_add_char(b, '"');
}

struct str zone_text_data(struct str text, struct arena *a)
{
    struct buf b = BUF_EMPTY;
    do {
        struct str piece = str_head(text, TXT_STRING_MAX);
        if (b.n > 0)
            buf_add_char(&b, ' ');
        add_quoted(&b, piece);
        text = str_skip(text, piece.n);
    } while (text.n > 0);
    struct str data = arena_str(a, buf_str(&b));
    buf_free(&b);
    return data;
}

static struct zone_record *add_text(struct building *b, struct str name, struct str text)
{
    struct zone_record *r = add(b, name, "TXT", zone_text_data(text, b->arena));
    r->text = text;
    return r;
}

static struct str below(struct building *b, const char *label, struct str name)
{
    return arena_printf(b->arena, "%s.%.*s", label, STR_ARG(name));
}

/* --- mail in --- */

static void add_mx(struct building *b)
{
    const struct zone_facts *f = b->facts;
    begin(b, "mx", "MX", ZONE_MUST, "Other servers send mail for the domain to this host.");
    add(b, f->domain, "MX", arena_printf(b->arena, "10 %.*s.", STR_ARG(f->hostname)));
}

static void add_addresses(struct building *b)
{
    const struct zone_facts *f = b->facts;
    begin(b, "address", "A and AAAA", ZONE_MUST, "The addresses of that host.");
    for (size_t i = 0; i < f->address_count; i++)
        add(b, f->hostname, strchr(f->addresses[i], ':') ? "AAAA" : "A",
            str_from_c(f->addresses[i]));
    if (f->address_count == 0)
        b->section->notes =
            STR("Which address others reach this server at is not known here (it has private ones "
                "only): give it with --address ADDRESS.");
}

static void add_ptr(struct building *b)
{
    const struct zone_facts *f = b->facts;
    begin(b, "ptr", "PTR", ZONE_SHOULD,
          "The name of each address that mail comes from. Many servers take none from an address "
          "without a name that leads back to it. Whoever gave you the address enters this.");
    for (size_t i = 0; i < f->address_count; i++) {
        const char *reverse;
        if (dns_reverse_name(f->addresses[i], b->arena, &reverse))
            add(b, str_from_c(reverse), "PTR",
                arena_printf(b->arena, "%.*s.", STR_ARG(f->hostname)))
                ->elsewhere = true;
    }
}

/* --- who may send --- */

/* " a:relay.example.net" for the server that all mail leaves through. */
static struct str relay_mechanism(struct building *b)
{
    struct str host;
    uint16_t port = 0;
    if (b->facts->relay.n == 0 || !host_port_parse(b->facts->relay, &host, &port))
        return STR("");
    const char *kind = !host_is_numeric(host) ? "a" : str_find_char(host, ':') < 0 ? "ip4" : "ip6";
    return arena_printf(b->arena, " %s:%.*s", kind, STR_ARG(host));
}

static void add_spf(struct building *b)
{
    const struct zone_facts *f = b->facts;
    struct str relay = relay_mechanism(b);
    begin(b, "spf", "SPF", ZONE_SHOULD,
          "Which servers may send mail of the domain: those of its MX records. Others are forgers. "
          "The second one is for the name that this server gives in HELO.");
    add_text(b, f->domain, arena_printf(b->arena, "v=spf1 mx%.*s -all", STR_ARG(relay)));
    if (!str_equal_nocase(f->domain, f->hostname))
        add_text(b, f->hostname, STR("v=spf1 a -all"));
    if (relay.n > 0)
        b->section->notes = arena_printf(
            b->arena,
            "All mail leaves through %.*s (queue.relay_host). Should its operator name "
            "something to include instead, take that: include:spf.provider.example.",
            STR_ARG(f->relay));
}

static void add_dkim(struct building *b)
{
    const struct zone_facts *f = b->facts;
    begin(b, "dkim", "DKIM", ZONE_SHOULD, "The public part of the key that the domain has here.");
    if (!f->directory_known)
        b->section->notes = STR("The running server knows the key, and it does not answer.");
    else if (f->dkim_record.n == 0 || f->dkim_selector.n == 0)
        b->section->notes = arena_printf(
            b->arena,
            "It has none. To make one, and print its record here the next time:\n"
            "  (umask 077; openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "
            "dkim.pem)\n"
            "  mailctl domain set %.*s --dkim-selector mail --dkim-key dkim.pem",
            STR_ARG(f->domain));
    else
        add_text(b,
                 arena_printf(b->arena, "%.*s._domainkey.%.*s", STR_ARG(f->dkim_selector),
                              STR_ARG(f->domain)),
                 f->dkim_record);
}

static void add_dmarc(struct building *b)
{
    const struct zone_facts *f = b->facts;
    begin(b, "dmarc", "DMARC", ZONE_SHOULD,
          "What others do with mail in the domain's name that fails SPF and DKIM, and whom they "
          "tell. Large providers refuse mail of domains without it. p=none: nothing, until the "
          "reports say that all that is yours passes; then p=quarantine or p=reject.");
    add_text(
        b, below(b, "_dmarc", f->domain),
        arena_printf(b->arena, "v=DMARC1; p=none; rua=mailto:postmaster@%.*s", STR_ARG(f->domain)));
}

/* --- TLS between servers --- */

struct str zone_sts_policy(const struct zone_facts *f, struct arena *a)
{
    struct buf b = BUF_EMPTY;
    const struct mta_sts_policy policy = {
        .mode = MTA_STS_TESTING, .max_age = STS_AGE, .mx = &f->hostname, .mx_count = 1};
    mta_sts_policy_write(&b, &policy);
    struct str text = arena_str(a, buf_str(&b));
    buf_free(&b);
    return text;
}

static void add_sts(struct building *b)
{
    const struct zone_facts *f = b->facts;
    struct str policy = zone_sts_policy(f, b->arena), rest = policy, line;
    struct buf notes = BUF_EMPTY;
    begin(
        b, "mta-sts", "MTA-STS", ZONE_MAY,
        "Other servers send mail for the domain over TLS with a good certificate, or not at all.");
    buf_printf(&notes,
               "First an HTTPS server with a certificate for mta-sts.%.*s has to have this file as "
               "https://mta-sts.%.*s/.well-known/mta-sts.txt (maild serves no files), and the mail "
               "server a certificate of a public authority:\n",
               STR_ARG(f->domain), STR_ARG(f->domain));
    while ((line = str_trim(str_split(&rest, '\n'))).n > 0)
        buf_printf(&notes, "  %.*s\n", STR_ARG(line));
    buf_add_c(&notes, "Then comes the record. When the reports (below) tell of no trouble: mode: "
                      "enforce, max_age: 604800. With each change of the file the id changes.");
    b->section->notes = arena_str(b->arena, buf_str(&notes));
    buf_free(&notes);
    add_text(b, below(b, "_mta-sts", f->domain),
             arena_printf(b->arena, "v=STSv1; id=%016llx", (unsigned long long)str_hash(policy)))
        ->waits = true;
}

static void add_tls_report(struct building *b)
{
    const struct zone_facts *f = b->facts;
    begin(b, "tls-rpt", "TLS-RPT", ZONE_MAY,
          "Other servers report once a day how TLS with this one went.");
    add_text(b, below(b, "_smtp._tls", f->domain),
             arena_printf(b->arena, "v=TLSRPTv1; rua=mailto:postmaster@%.*s", STR_ARG(f->domain)));
}

static void add_tlsa(struct building *b)
{
    const struct zone_facts *f = b->facts;
    begin(b, "tlsa", "TLSA", ZONE_MAY,
          "DANE: other servers talk to this host over TLS with this key, or not at all. It counts "
          "only in a zone that is signed (DNSSEC).");
    if (f->tlsa_count == 0) {
        b->section->notes = STR("The server has no certificate (tls.certificate).");
        return;
    }
    for (size_t i = 0; i < f->tlsa_count; i++)
        add(b, below(b, "_25._tcp", f->hostname), "TLSA", f->tlsa[i])->waits =
            f->host_signed != ZONE_SIGNED;
    if (f->host_signed == ZONE_SIGNED)
        b->section->notes =
            STR("With another key no mail comes in any more: renew the certificate with the same "
                "key (certbot --reuse-key), or publish the record of the new key beside this one, "
                "an hour before it is used.");
    else if (f->host_signed == ZONE_UNSIGNED)
        b->section->notes = arena_printf(
            b->arena, "The zone of %.*s is not signed: of no use there.", STR_ARG(f->hostname));
    else
        b->section->notes = arena_printf(b->arena,
                                         "Whether the zone of %.*s is signed could not be seen "
                                         "(dns.trust_anchor is not set, or DNS gives no answer).",
                                         STR_ARG(f->hostname));
}

/* --- clients --- */

const char *zone_service_name(enum service_protocol protocol, enum service_tls tls)
{
    bool implicit = tls == SERVICE_TLS_IMPLICIT;
    switch (protocol) {
    case SERVICE_SUBMISSION:
        return implicit ? "_submissions._tcp" : "_submission._tcp";
    case SERVICE_IMAP:
        return implicit ? "_imaps._tcp" : "_imap._tcp";
    case SERVICE_POP3:
        return implicit ? "_pop3s._tcp" : "_pop3._tcp";
    default:
        return NULL;
    }
}

static void add_srv(struct building *b)
{
    static const enum service_protocol protocols[] = {SERVICE_SUBMISSION, SERVICE_IMAP,
                                                      SERVICE_POP3};
    static const enum service_tls ways[] = {SERVICE_TLS_IMPLICIT, SERVICE_TLS_STARTTLS};
    const struct zone_facts *f = b->facts;
    begin(b, "srv", "SRV", ZONE_MAY,
          "How mail programs find the server by an address alone. A lone dot: there is no such "
          "service.");
    for (size_t i = 0; i < 6; i++) {
        const struct zone_service *found = NULL;
        struct str name = below(b, zone_service_name(protocols[i / 2], ways[i % 2]), f->domain);
        for (size_t k = 0; k < f->service_count && !found; k++)
            if (f->services[k].protocol == protocols[i / 2] && f->services[k].tls == ways[i % 2])
                found = &f->services[k];
        if (found)
            add(b, name, "SRV",
                arena_printf(b->arena, "0 1 %u %.*s.", found->port, STR_ARG(f->hostname)));
        else
            add(b, name, "SRV", STR("0 0 0 ."));
    }
}

static void add_pages(struct building *b)
{
    static const char *const names[] = {"autoconfig", "autodiscover"};
    const struct zone_facts *f = b->facts;
    bool waits = f->pages == ZONE_PAGES_BEHIND;
    if (f->pages == ZONE_NO_PAGES)
        return;
    begin(b, "autoconfig", "Autoconfiguration", ZONE_MAY,
          "Where Thunderbird, Outlook and others ask for their settings. The certificate has to be "
          "good for these names.");
    for (size_t i = 0; i < 2; i++)
        add(b, below(b, names[i], f->domain), "CNAME",
            arena_printf(b->arena, "%.*s.", STR_ARG(f->hostname)))
            ->waits = waits;
    if (waits)
        b->section->notes = STR("The listener for HTTP is reached from this machine only: the "
                                "names belong to the web server that passes on to it.");
}

struct zone_section *zone_build(const struct zone_facts *f, struct arena *a)
{
    struct building b = {.facts = f, .arena = a};
    b.end_section = &b.first;
    add_mx(&b);
    add_addresses(&b);
    add_ptr(&b);
    add_spf(&b);
    add_dkim(&b);
    add_dmarc(&b);
    add_sts(&b);
    add_tls_report(&b);
    add_tlsa(&b);
    add_srv(&b);
    add_pages(&b);
    return b.first;
}

const struct zone_section *zone_find(const struct zone_section *zone, const char *key)
{
    while (zone && strcmp(zone->key, key) != 0)
        zone = zone->next;
    return zone;
}

struct str zone_record_line(const struct zone_record *r, struct arena *a)
{
    return arena_printf(a, "%.*s. %d IN %s %.*s", STR_ARG(r->name), ZONE_TTL, r->type,
                        STR_ARG(r->data));
}
