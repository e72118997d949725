#pragma once
/*
 * DNS through libunbound (own cache, DNSSEC validation), with its thread and a descriptor in the
 * loop. Answers are copied into the caller's arena.
 */
#include "core/arena.h"
#include "core/buf.h"
#include "core/fiber.h"
#include "core/settings.h"

struct dns;
struct loop;

struct dns_settings {
    const char *server;       /* "" : as /etc/resolv.conf says; "address" or "address@port" */
    const char *trust_anchor; /* file with DS or DNSKEY records; "" : none, nothing is secure */
    usec timeout;             /* for one question */
};
extern const struct settings_block dns_settings_block; /* "dns" */

enum dns_status {
    DNS_FOUND,
    DNS_NOT_FOUND, /* NXDOMAIN, or no record of the type: authoritative */
    DNS_TEMPFAIL,  /* time-out, SERVFAIL, bogus: never to be taken for "not found" */
};

struct dns_address {
    char text[46];
}; /* numeric */
struct dns_mx {
    uint16_t preference;
    struct str host; /* no dot at the end; "" : null MX (RFC 7505) */
};
/* RFC 6698 2.1 */
struct dns_tlsa {
    uint8_t usage, selector, matching;
    struct str data;
};
/* RFC 2782 */
struct dns_srv {
    uint16_t priority, weight, port;
    struct str host; /* no dot at the end; "" : there is decidedly no such service */
};
struct dns_answer {
    bool secure; /* validated by DNSSEC; of addresses: all that was answered */
    bool bogus;  /* on DNS_TEMPFAIL: there is an answer, and it was tampered with */
    bool nxdomain;
    uint32_t ttl;
    struct str canonical; /* the name that the records belong to; "" : the one that was asked for,
                             which is no alias */
    size_t count;
    union {
        struct dns_address *addresses;
        struct dns_mx *mx; /* sorted by preference, equal ones shuffled */
        struct str *texts; /* TXT: strings of a record joined; PTR, CNAME: names */
        struct dns_tlsa *tlsa;
        struct dns_srv *srv; /* in the order in which they are to be tried */
    };
};

struct dns *dns_new(struct loop *l, const struct dns_settings *s, struct err *e);
void dns_free(struct dns *d);

/* Other settings in two steps; where they, and the files they name, are as before, the cache stays.
 * Blocking, for a worker; *e: what is wrong with them. */
struct dns_change;
struct dns_change *dns_prepare(const struct dns *d, const struct dns_settings *s, struct err *e);
/* Either takes the change. Questions under way are answered by whom they were asked. */
void dns_apply(struct dns *d, struct dns_change *c);
void dns_forget(struct dns_change *c); /* NULL is allowed */

/* A trust anchor is set: without one no answer is secure. */
bool dns_validates(const struct dns *d);
/* Adds a line when there was no answer to many names in a row, lately. */
void dns_troubles(const struct dns *d, struct buf *b);
/* Names in any form: U-labels are converted. *e tells why on DNS_TEMPFAIL. */
SUSPENDS enum dns_status dns_mx(struct dns *d, struct str name, struct arena *a,
                                struct dns_answer *answer, struct err *e);
/* A and AAAA; IPv6 and IPv4 alternate, IPv6 first. */
SUSPENDS enum dns_status dns_addresses(struct dns *d, struct str name, struct arena *a,
                                       struct dns_answer *answer, struct err *e);
SUSPENDS enum dns_status dns_txt(struct dns *d, struct str name, struct arena *a,
                                 struct dns_answer *answer, struct err *e);
/* Names of a numeric address. */
SUSPENDS enum dns_status dns_reverse(struct dns *d, const char *address, struct arena *a,
                                     struct dns_answer *answer, struct err *e);

/* The same, waiting no longer than this deadline. */
SUSPENDS enum dns_status dns_addresses_until(struct dns *d, struct str name, usec deadline,
                                             struct arena *a, struct dns_answer *answer,
                                             struct err *e);
SUSPENDS enum dns_status dns_mx_until(struct dns *d, struct str name, usec deadline,
                                      struct arena *a, struct dns_answer *answer, struct err *e);
SUSPENDS enum dns_status dns_txt_until(struct dns *d, struct str name, usec deadline,
                                       struct arena *a, struct dns_answer *answer, struct err *e);
SUSPENDS enum dns_status dns_reverse_until(struct dns *d, const char *address, usec deadline,
                                           struct arena *a, struct dns_answer *answer,
                                           struct err *e);
/* The TLSA records of a service, "_25._tcp.mx.example.org". */
SUSPENDS enum dns_status dns_tlsa_until(struct dns *d, struct str name, usec deadline,
                                        struct arena *a, struct dns_answer *answer, struct err *e);
/* The servers of a service, "_ldap._tcp.example.org": by priority, those of the same one in an
 * order that chance and their weights make. */
SUSPENDS enum dns_status dns_srv_until(struct dns *d, struct str name, usec deadline,
                                       struct arena *a, struct dns_answer *answer, struct err *e);
/* Whether the name is an alias: what it stands for, not followed any further. */
SUSPENDS enum dns_status dns_alias_until(struct dns *d, struct str name, usec deadline,
                                         struct arena *a, struct dns_answer *answer, struct err *e);

/* The IPv4 addresses of many names, all asked for at the same time; what has no answer at the
 * deadline is DNS_TEMPFAIL. */
struct dns_question {
    struct str name;
    enum dns_status status;
    struct dns_answer answer;
    struct err error; /* on DNS_TEMPFAIL */
};
SUSPENDS void dns_ipv4_all(struct dns *d, struct dns_question *list, size_t count, usec deadline,
                           struct arena *a);
