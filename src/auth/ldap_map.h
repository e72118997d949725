#pragma once
/*
 * Entries of a directory as accounts and groups. Pure but for the log: what makes no sense in an
 * entry is left out with one line. Private to auth.
 */
#include "auth/ldap_mapping.h"

/* LOOKUP_NOT_FOUND: it has no address, and there is no default domain to give it one. TEMPFAIL: *e.
 * found->account.groups is left empty. */
enum lookup ldap_map_account(const struct ldap_mapping *m, const struct ldap_entry *entry,
                             struct arena *a, struct source_account *found, struct err *e);

/* The main address of an account, contact or group by these fields, lower case; false: none. */
bool ldap_map_address(const struct ldap_mapping *m, const struct ldap_entry *entry,
                      enum ldap_field mail, enum ldap_field alias, struct arena *a,
                      struct str *address);
/* Of a member of a group: the same, or the user name in the default domain. */
bool ldap_map_member(const struct ldap_mapping *m, const struct ldap_entry *entry, struct arena *a,
                     struct str *address);

/* All of a group but its members. False: it has no address. */
bool ldap_map_group(const struct ldap_mapping *m, const struct ldap_entry *entry, struct arena *a,
                    struct directory_group *group);
/* Name of a group for access rules, lower case; false: none. */
bool ldap_map_group_name(const struct ldap_mapping *m, const struct ldap_entry *entry,
                         struct arena *a, struct str *name);

/* First value of the first attribute of the field that has one; p == NULL: none. */
struct str ldap_map_value(const struct ldap_mapping *m, const struct ldap_entry *entry,
                          enum ldap_field field);

/* A full address in one spelling; without a domain it gets the default one. Logs and returns false
 * when it is none. */
bool ldap_map_destination(const struct ldap_mapping *m, const struct ldap_entry *entry,
                          const char *attribute, struct str value, struct arena *a,
                          struct str *address);

#define LDAP_ADDRESSES_MAX 1000 /* of one entry; more are left out with a line in the log */
