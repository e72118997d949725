#pragma once
/*
 * Domains of the embedded directory: the only ones that are ours. They are held in memory: finding
 * one does not wait and does not fail.
 */
#include "auth/lookup.h"
#include "core/arena.h"
#include "core/err.h"
#include "core/fiber.h"

struct directory;

/* What happens to mail for addresses of a domain that are not listed here. */
enum domain_kind {
    DOMAIN_LOCAL,   /* rules and the catch-all are asked; else they do not exist */
    DOMAIN_RELAY,   /* the domain's own server takes it */
    DOMAIN_SINK,    /* it is accepted and dropped */
    DOMAIN_ALIAS,   /* they are those of another domain */
    DOMAIN_VIRTUAL, /* they do not exist */
};

struct domain {
    struct str name; /* lower case A-labels */
    enum domain_kind kind;
    struct str
        relay;   /* DOMAIN_RELAY: "host:port", "host", "[address]:port", or "mx": as DNS says */
    bool verify; /* DOMAIN_RELAY: its server is asked whether an address exists */
    struct str alias_of;  /* DOMAIN_ALIAS: a domain of ours that is no alias itself */
    bool subdomains;      /* domains below it that are not ours by name count as it */
    struct str catch_all; /* DOMAIN_LOCAL: where mail for unknown addresses goes: an address or a
                             special destination (auth/special.h); "" : nowhere */
    struct str *copies;   /* each message for an address of the domain goes there too, unseen */
    size_t copy_count;
    /* Of its accounts that have none of their own; QUOTA_DEFAULT: those of the settings. */
    int64_t quota_storage, quota_messages;
    int64_t quota_version;    /* grows with each change of them */
    struct str disclaimer;    /* Markdown; "" : none */
    struct str dkim_selector; /* "" : none */
    struct str dkim_key;      /* PEM of the private key, a secret; "" : none */
};

/* "local", "relay", "sink", "alias", "virtual". */
const char *domain_kind_name(enum domain_kind kind);
bool domain_kind_parse(struct str name, enum domain_kind *kind);
/* "local, relay, sink, alias or virtual", for messages. */
const char *domain_kinds_text(void);
/* domain->relay is "mx". */
bool domain_relays_by_mx(const struct domain *domain);
/* What may be shown of a private key: "rsa 2048", "ed25519"; "" : there is none. In a. */
struct str domain_key_text(struct arena *a, struct str pem);
/* What DNS has to say of it under SELECTOR._domainkey.DOMAIN: "v=DKIM1; k=rsa; p=..." (RFC 6376
 * 3.6.1, RFC 8463 4); "" : there is none. In a. */
struct str domain_key_record(struct arena *a, struct str pem);

/* name: any case, U- or A-labels. */
SUSPENDS enum lookup directory_find_domain(struct directory *d, struct str name, struct arena *a,
                                           struct domain *domain, struct err *e);
/* The same, or the nearest domain above it that counts for those below: its name tells which. */
SUSPENDS enum lookup directory_find_domain_or_parent(struct directory *d, struct str name,
                                                     struct arena *a, struct domain *domain,
                                                     struct err *e);
/* Sorted; strings in a. */
SUSPENDS bool directory_list_domains(struct directory *d, struct arena *a, struct domain **list,
                                     size_t *count, struct err *e);

/* --- changes: durable when they return true; ERR_EXISTS, ERR_NOT_FOUND, ERR_SYNTAX, ERR_TEMP ---
 */

/* What is not given (p == NULL) stays as it is, or as it is by default when the domain is added.
 * What only another kind has goes when the kind changes. */
struct domain_change {
    bool set_kind;
    enum domain_kind kind; /* a relay domain needs a relay, an alias what it is an alias of */
    struct str relay;      /* given without a kind: makes it DOMAIN_RELAY */
    bool set_verify, verify;
    struct str alias_of; /* given without a kind: makes it DOMAIN_ALIAS */
    bool set_subdomains, subdomains;
    struct str catch_all; /* "" : none */
    bool set_copies;      /* replaces all; full addresses */
    const struct str *copies;
    size_t copy_count;
    bool set_quota;
    int64_t quota_storage, quota_messages; /* as for directory_set_quota */
    struct str disclaimer;
    struct str dkim_selector;
    struct str dkim_key; /* RSA or Ed25519, without a passphrase */
};
SUSPENDS bool directory_add_domain(struct directory *d, struct str name, struct err *e);
SUSPENDS bool directory_add_domain_as(struct directory *d, struct str name,
                                      const struct domain_change *change, struct err *e);
SUSPENDS bool directory_set_domain(struct directory *d, struct str name,
                                   const struct domain_change *change, struct err *e);

/* How much is kept of a domain. */
struct domain_contents {
    int64_t users, addresses, groups, rules;
};
/* ERR_EXISTS while something is in it or it has aliases. */
SUSPENDS bool directory_delete_domain(struct directory *d, struct str name, struct err *e);
/* force: with all that is in it; the mail stays on disk. ERR_EXISTS while it has aliases. contents
 * (may be NULL): what was deleted, or what is in the way. */
SUSPENDS bool directory_delete_domain_as(struct directory *d, struct str name, bool force,
                                         struct domain_contents *contents, struct err *e);
/* The same question without the deed. */
SUSPENDS bool directory_may_delete_domain(struct directory *d, struct str name, bool force,
                                          struct domain_contents *contents, struct err *e);
