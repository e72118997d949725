#pragma once
/*
 * What an `ldap` block looks for and what it makes of it: bases, filters, names of attributes. Each
 * is a field that a preset fills and a setting of the same name replaces. Private to auth.
 */
#include "auth/ldap_client.h"
#include "auth/ldap_filter.h"
#include "auth/ldap_mapping_settings.h"

/* Names of the settings. */
extern const char *const ldap_field_names[LDAP_FIELDS];

struct ldap_preset {
    const char *name;
    const char *fields[LDAP_FIELDS]; /* NULL: nothing */
};
extern const struct ldap_preset ldap_presets[];
extern const char *const ldap_preset_names[]; /* the same order, NULL-terminated */

/* One attribute that a mapping reads. */
struct ldap_name {
    const char *name;
    struct str prefix; /* "smtp": values "smtp:..." only, the main one in capitals; "": all */
};
struct ldap_names {
    const struct ldap_name *list;
    size_t count;
};

enum ldap_nesting { LDAP_NESTED_NO, LDAP_NESTED_BREADTH, LDAP_NESTED_CHAIN };
enum ldap_change { LDAP_CHANGE_NONE, LDAP_CHANGE_MODIFY, LDAP_CHANGE_UNICODE };

/* Where is looked, and for what. */
struct ldap_search {
    const struct ldap_template *base, *filter; /* filter NULL: nothing is looked for */
    enum ldap_scope scope;
};

/* In effect: immutable. */
struct ldap_mapping {
    struct str source;             /* name of the block, for the log */
    struct str default_domain;     /* A-labels; "": none */
    struct str host;               /* value of {host} */
    struct str base;               /* with {domain} taken for default_domain */
    const char *text[LDAP_FIELDS]; /* of each field, "" : nothing */
    const struct ldap_template *user_filter, *group_filter; /* NULL: none is listed */
    struct ldap_search login, address, group, membership, alias;
    struct ldap_names names[LDAP_FIELDS]; /* of fields that are attributes */
    const struct ldap_template *home;     /* NULL: by the login */
    struct str status_words[LDAP_FIELDS]; /* of the four LDAP_STATUS_ lists */
    int64_t quota_unit;
    bool account_control, primary_group, keep_copy;
    enum account_mail disabled_mail;
    enum ldap_nesting nesting;
    enum ldap_change change;
    struct string_list local_hosts, netbios_domains, domains;
    size_t group_members_max;
    unsigned group_depth_max;
    /* What is asked for, NULL-terminated. */
    const char *const *account_attributes, *const *group_attributes, *const *alias_attributes;
    /* Accounts and groups that are members of something; groups that something is a member of. */
    const char *const *member_attributes, *const *membership_attributes;
};

/* *e (ERR_SYNTAX) names the setting. Lives in a, and keeps the lists of s. */
const struct ldap_mapping *ldap_mapping_make(struct arena *a, const char *name,
                                             const struct ldap_mapping_settings *s, struct err *e);

/* Blank-separated words of a field contain this one, any case. */
bool ldap_words_have(struct str words, struct str word);
