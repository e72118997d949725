#pragma once
/*
 * The DNS records that a mail domain of this server needs, in sections by purpose. Pure: made from
 * facts, asks nobody.
 */
#include "core/arena.h"
#include "net/service.h"

/* MUST: mail does not work without. SHOULD: mail is refused or forged without. MAY: it is better
 * with it, or easier for clients. */
enum zone_need { ZONE_MUST, ZONE_SHOULD, ZONE_MAY };

struct zone_service { /* a protocol for mail clients, and where it is found */
    enum service_protocol protocol;
    enum service_tls tls;
    uint16_t port;
};

struct zone_facts {
    struct str domain, hostname;  /* A-labels, no dot at the end */
    const char *const *addresses; /* numeric, as others reach the server */
    size_t address_count;
    const struct zone_service *services;
    size_t service_count;
    struct str relay;         /* all mail leaves through this host; "" : by itself */
    struct str dkim_selector; /* "" : none */
    struct str dkim_record;   /* "" : there is no key */
    bool directory_known;     /* the two above were asked for and answered */
    struct str *tlsa;         /* "3 1 1 ..." of each certificate */
    size_t tlsa_count;
    /* HTTP listeners that tell mail programs their settings: none, behind another server, open. */
    enum { ZONE_NO_PAGES, ZONE_PAGES_BEHIND, ZONE_PAGES } pages;
    enum { ZONE_UNSIGNED, ZONE_SIGNED, ZONE_MAYBE_SIGNED } host_signed; /* DNSSEC */
};

struct zone_record {
    struct zone_record *next;
    struct str name; /* absolute, no dot at the end */
    const char *type;
    struct str data; /* as in a zone; names end with a dot */
    struct str text; /* TXT: not in quotes */
    /* Not to be pasted as it is: something is to be done first (the section says what), or it
     * belongs into another zone. */
    bool waits, elsewhere;
};

struct zone_section {
    struct zone_section *next;
    const char *key;   /* "mx" ...: also the name of doctor's check */
    const char *title; /* "MX" */
    enum zone_need need;
    struct str why;   /* a sentence or two */
    struct str notes; /* lines of what is to be done; "" : nothing */
    struct zone_record *records;
};

/* Strings in a. */
struct zone_section *zone_build(const struct zone_facts *f, struct arena *a);
/* NULL: there is none of this name. */
const struct zone_section *zone_find(const struct zone_section *zone, const char *key);
/* "example.org. 3600 IN MX 10 mail.example.org.": in a. */
struct str zone_record_line(const struct zone_record *r, struct arena *a);
#define ZONE_TTL 3600
/* A text as the data of a TXT record: quoted, in strings of at most 255 bytes. In a. */
struct str zone_text_data(struct str text, struct arena *a);
/* The policy of MTA-STS for the domain, as a file. In a. */
struct str zone_sts_policy(const struct zone_facts *f, struct arena *a);
/* "_imaps._tcp"; NULL: clients look for no such service. */
const char *zone_service_name(enum service_protocol protocol, enum service_tls tls);
/* The name is the domain itself or below it. */
bool zone_holds(struct str domain, struct str name);
