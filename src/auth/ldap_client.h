#pragma once
/*
 * The connections to the servers of one `ldap` block: two pools (searches under the service
 * account; binds with users' passwords, which change a connection's identity) on threads of their
 * own, since libldap blocks. The fiber that asks waits no longer than the block's `timeout`; a
 * thread that hangs longer is left behind and its server set aside. Servers are tried in order of
 * the configuration, those that failed lately last. Private to auth.
 */
#include "auth/source.h"
#include "core/settings.h"

struct ldap_client;

struct ldap_client *ldap_client_new(struct loop *l, const struct ldap_settings *s, struct err *e);
/* Other servers from now on, in this order: URIs as in the settings. Without any in the settings
 * there are none before. One that passwords may not be sent to is left out, with a line in the
 * log. ERR_SYNTAX, ERR_TEMP: none is left. Connections to others end when they have nothing to do.
 */
bool ldap_client_set_servers(struct ldap_client *c, const struct str *uris, size_t count,
                             struct err *e);
/* How long a server that was set aside is left alone: between looks at one that is silent; the
 * first wait for one that answers what makes no sense, which doubles up to the last. */
struct ldap_intervals {
    usec look, back_off_least, back_off_most;
};
extern const struct ldap_intervals ldap_intervals; /* what they are by themselves */
/* For tests that have less time; before the first question. */
void ldap_client_set_intervals(struct ldap_client *c, const struct ldap_intervals *i);
/* Answers under way end with ERR_CANCELLED. NULL is allowed. */
SUSPENDS void ldap_client_close(struct ldap_client *c);

struct ldap_attribute {
    struct str name;    /* as the server spells it, options included: "member;range=0-1499" */
    struct str *values; /* bytes */
    size_t count;
};
struct ldap_entry {
    struct str dn;
    struct ldap_attribute *attributes;
    size_t count;
};
/* By name without options, any case; NULL: the entry has none. */
const struct ldap_attribute *ldap_attribute_of(const struct ldap_entry *entry, const char *name);

enum ldap_scope { LDAP_ENTRY_ONLY, LDAP_ONE_LEVEL, LDAP_SUBTREE };
struct ldap_query {
    struct str base;
    enum ldap_scope scope;
    struct str filter;
    const char *const *attributes; /* NULL-terminated */
    size_t entries_max;            /* more are TEMPFAIL, never cut off */
    size_t page;                   /* entries asked for at a time (RFC 2696); 0: not in pages */
};
struct ldap_entries {
    struct ldap_entry *list;
    size_t count;
};
/* FOUND: at least one entry. References to other servers are left out. */
SUSPENDS enum lookup ldap_client_search(struct ldap_client *c, const struct ldap_query *q,
                                        struct arena *a, struct ldap_entries *found,
                                        struct lookup_trace *t, struct err *e);
/* The same page by page: fn may suspend; false ends it (and is the result, *e untouched). The
 * entry lives during the call. */
SUSPENDS bool ldap_client_search_pages(struct ldap_client *c, const struct ldap_query *q,
                                       bool (*fn)(void *arg, const struct ldap_entry *entry),
                                       void *arg, struct err *e);

/* FOUND: the password is right; NOT_FOUND: *e has the reason as one word ("wrong_password",
 * "disabled", "expired", "locked", "password_expired", of what the server says beside result 49).
 * password: empty is refused here, before any server hears it (RFC 4513 5.1.2). */
SUSPENDS enum lookup ldap_client_bind(struct ldap_client *c, struct str dn, struct str password,
                                      struct lookup_trace *t, struct err *e);

/* Password Modify (RFC 3062) under the service account, or with `old` as the user. */
SUSPENDS bool ldap_client_password_modify(struct ldap_client *c, struct str dn, struct str old,
                                          struct str password, struct err *e);
/* Replaces one attribute's only value; old.p != NULL: deletes that and adds the new one (as Active
 * Directory wants it from users). ERR_PERM unless the connection is encrypted and `secret`. */
SUSPENDS bool ldap_client_replace(struct ldap_client *c, struct str dn, const char *attribute,
                                  struct str old, struct str value, bool secret, struct err *e);

/* Servers, their health, connections and counters. */
void ldap_client_describe(struct ldap_client *c, struct lookup_trace *t);
