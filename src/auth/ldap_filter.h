#pragma once
/*
 * Search filters (RFC 4515), search bases (RFC 4514) and paths with placeholders, as the settings
 * of an `ldap` block have them: parsed once, filled in for each look-up. A value is escaped by
 * where its placeholder stands, so that no value, whatever is in it, changes what a filter asks or
 * where a search begins. Pure. Private to auth.
 */
#include "core/arena.h"
#include "core/err.h"

enum ldap_placeholder {
    LDAP_LOGIN,         /* {login}: as the user typed it; in look-ups of addresses the address */
    LDAP_USER,          /* {user}: a login without a domain; of DOMAIN\user the part behind */
    LDAP_ADDRESS,       /* {address}: "local@domain" in lower case */
    LDAP_LOCAL,         /* {local}: of the address */
    LDAP_DEFAULT_LOCAL, /* {default_local}: the same, of an address in the default domain */
    LDAP_DOMAIN,        /* {domain}: of the address, else the default domain */
    LDAP_DOMAIN_DN,     /* {domain_dn}: "dc=example,dc=test"; in bases */
    LDAP_DN,            /* {dn}: of an entry, where its groups are looked for */
    LDAP_HOST,          /* {host}: the first of local_hosts */
    LDAP_ID,            /* {id}: of the account's entry; in paths */
    LDAP_PLACEHOLDERS,
};
#define LDAP_HAS(placeholder) (1u << (placeholder))

/* p == NULL, or empty: there is none. */
struct ldap_values {
    struct str of[LDAP_PLACEHOLDERS];
};

enum ldap_template_kind { LDAP_TEMPLATE_FILTER, LDAP_TEMPLATE_BASE, LDAP_TEMPLATE_PATH };

struct ldap_template;

/* allowed: set of LDAP_HAS. NULL: *e (ERR_SYNTAX) names the setting and the position:
 * `login_filter: character 12: ...`. Lives in a. */
const struct ldap_template *ldap_template_parse(struct arena *a, enum ldap_template_kind kind,
                                                const char *setting, struct str text,
                                                unsigned allowed, struct err *e);
/* Set of the placeholders that stand in it. */
unsigned ldap_template_needs(const struct ldap_template *t);

/* The filter in a. A comparison with a placeholder that has no value is one that is never true. */
struct str ldap_filter_text(const struct ldap_template *t, const struct ldap_values *v,
                            struct arena *a);
/* The base or path in a; false when a placeholder has no value. */
bool ldap_template_text(const struct ldap_template *t, const struct ldap_values *v, struct arena *a,
                        struct str *text);

/* The parts that filters are made of elsewhere. */
struct buf;
void ldap_add_filter_value(struct buf *b, struct str value);
/* Bytes, all as \XX. */
void ldap_add_filter_bytes(struct buf *b, struct str value);
void ldap_add_dn_value(struct buf *b, struct str value);

#define LDAP_FILTER_DEPTH_MAX 32
#define LDAP_TEMPLATE_MAX     4096
