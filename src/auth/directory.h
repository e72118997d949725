#pragma once
/*
 * The directory: which domains, accounts and addresses exist. Embedded in SQLite
 * (synchronous=FULL), used only from workers; answers are cached on the loop and the cache is
 * dropped at every change. A directory that cannot answer is LOOKUP_TEMPFAIL, which nobody may
 * fold into "not found": senders get 4xx, users "try later".
 */
#include "auth/account.h"
#include "core/fiber.h"
#include "core/settings.h"

struct directory;
struct loop;

enum lookup { LOOKUP_FOUND, LOOKUP_NOT_FOUND, LOOKUP_TEMPFAIL };

struct directory_settings {
    const char *path; /* database file; "" : DATA/directory.db */
    const char
        *default_domain; /* for logins without a domain; "" : the only domain if there is one */
    usec cache_lifetime;
};
extern const struct settings_block directory_settings_block; /* "directory" */

/* What happens to mail for addresses of a domain that are not listed here. */
enum domain_kind {
    DOMAIN_LOCAL, /* they do not exist */
    DOMAIN_RELAY, /* the domain's own server takes it */
    DOMAIN_SINK,  /* it is accepted and dropped */
};

struct domain {
    struct str name; /* lower case A-labels */
    enum domain_kind kind;
    struct str
        relay;   /* DOMAIN_RELAY: "host:port", "host", "[address]:port", or "mx": as DNS says */
    bool verify; /* DOMAIN_RELAY: its server is asked whether an address exists */
};

/* "local", "relay", "sink". */
const char *domain_kind_name(enum domain_kind kind);
bool domain_kind_parse(struct str name, enum domain_kind *kind);
/* domain->relay is "mx". */
bool domain_relays_by_mx(const struct domain *domain);

/* Blocking part of opening (creates the schema) runs on a worker. */
SUSPENDS struct directory *directory_open(struct loop *l, const struct directory_settings *s,
                                          const char *path, struct err *e);
SUSPENDS void directory_close(struct directory *d);

/* name: any case, U- or A-labels. */
SUSPENDS enum lookup directory_find_domain(struct directory *d, struct str name, struct arena *a,
                                           struct domain *domain, struct err *e);
/* login: full address, or local part in the default domain; any case. Strings are copied to a. */
SUSPENDS enum lookup directory_find_account(struct directory *d, struct str login, struct arena *a,
                                            struct account *account, struct err *e);
/* Destinations (full addresses) of an address that is no account's own; local: "local@domain". */
SUSPENDS enum lookup directory_find_address(struct directory *d, struct str address,
                                            struct arena *a, struct str **destinations,
                                            size_t *count, struct err *e);

/* The same with all that is known of the address. */
struct directory_address {
    struct str address;
    struct str *destinations;
    size_t count;
    bool internal; /* only for senders who are logged in or of a trusted network */
};
SUSPENDS enum lookup directory_find_entry(struct directory *d, struct str address, struct arena *a,
                                          struct directory_address *entry, struct err *e);

/* Verifies a password. FOUND: right, and *account is filled. NOT_FOUND: unknown user, disabled or
 * wrong password, which neither answer nor time tells apart. Runs the hash on a worker; a recent
 * success is remembered as a keyed hash for cache_lifetime. */
SUSPENDS enum lookup directory_check_password(struct directory *d, struct str login,
                                              struct str password, struct arena *a,
                                              struct account *account, struct err *e);
/* SCRAM-SHA-256 verifier (RFC 5803) of a login: for SASL. */
SUSPENDS enum lookup directory_find_verifier(struct directory *d, struct str login, struct arena *a,
                                             struct str *verifier, struct err *e);

/* --- changes: durable when they return true; ERR_EXISTS, ERR_NOT_FOUND, ERR_SYNTAX, ERR_TEMP ---
 */

SUSPENDS bool directory_add_domain(struct directory *d, struct str name, struct err *e);
/* What is not given stays as it is, or as it is by default when the domain is added. */
struct domain_change {
    bool set_kind;
    enum domain_kind kind; /* a relay domain needs a relay */
    struct str relay;      /* p == NULL: not given */
    bool set_verify, verify;
};
SUSPENDS bool directory_add_domain_as(struct directory *d, struct str name,
                                      const struct domain_change *change, struct err *e);
SUSPENDS bool directory_set_domain(struct directory *d, struct str name,
                                   const struct domain_change *change, struct err *e);
/* ERR_EXISTS while it has users or addresses. */
SUSPENDS bool directory_delete_domain(struct directory *d, struct str name, struct err *e);
/* password: at least 1 byte; hashed with yescrypt, SCRAM verifier stored beside it. */
SUSPENDS bool directory_add_user(struct directory *d, struct str login, struct str password,
                                 struct str name, struct err *e);
/* The mail stays on disk. */
SUSPENDS bool directory_delete_user(struct directory *d, struct str login, struct err *e);
SUSPENDS bool directory_set_password(struct directory *d, struct str login, struct str password,
                                     struct err *e);
SUSPENDS bool directory_set_disabled(struct directory *d, struct str login, bool disabled,
                                     struct err *e);
/* Limits as in struct account; QUOTA_KEEP: stays as it is. */
#define QUOTA_DEFAULT (-1)
#define QUOTA_KEEP    (-2)
SUSPENDS bool directory_set_quota(struct directory *d, struct str login, int64_t storage,
                                  int64_t messages, struct err *e);
/* Adds one destination to an address (creates the address). */
SUSPENDS bool directory_add_address(struct directory *d, struct str address, struct str destination,
                                    struct err *e);
/* The same; internal: and the address is internal from now on. */
SUSPENDS bool directory_add_address_as(struct directory *d, struct str address,
                                       struct str destination, bool internal, struct err *e);
SUSPENDS bool directory_set_internal(struct directory *d, struct str address, bool internal,
                                     struct err *e);
/* destination empty: the whole address. */
SUSPENDS bool directory_delete_address(struct directory *d, struct str address,
                                       struct str destination, struct err *e);

/* --- lists, sorted; strings in a --- */

SUSPENDS bool directory_list_domains(struct directory *d, struct arena *a, struct domain **list,
                                     size_t *count, struct err *e);
/* domain empty: all. */
SUSPENDS bool directory_list_users(struct directory *d, struct str domain, struct arena *a,
                                   struct account **list, size_t *count, struct err *e);
SUSPENDS bool directory_list_addresses(struct directory *d, struct str domain, struct arena *a,
                                       struct directory_address **list, size_t *count,
                                       struct err *e);
