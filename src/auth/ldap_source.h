#pragma once
/*
 * What the files of the LDAP source share. Private to auth.
 */
#include "auth/ldap_map.h"
#include "auth/ldap_settings.h"

struct dns;
struct ldap_discovery;

struct ldap_source {
    struct source base; /* first */
    struct arena *arena;
    const struct ldap_settings *settings;
    const struct ldap_mapping *mapping;
    struct ldap_client *client;
    struct ldap_discovery *discovery; /* NULL: servers are those of the configuration */
};

/* --- ldap_ask.c --- */

/* What is known of an address ("local@domain" in lower case), or of nothing but the domain. */
struct ldap_values ldap_values_of_address(const struct ldap_mapping *m, struct str address,
                                          struct arena *a);

/* Entries that meet `filter`, and `also` unless it is NULL; at most `max`, more are TEMPFAIL. */
SUSPENDS enum lookup ldap_ask(struct ldap_source *s, const struct ldap_search *search,
                              const struct ldap_template *also, const struct ldap_values *v,
                              const char *const *attributes, size_t max, struct arena *a,
                              struct ldap_entries *found, struct lookup_trace *t, struct err *e);
/* The same for a filter that is text already, below the mapping's base of this search. */
SUSPENDS enum lookup ldap_ask_text(struct ldap_source *s, const struct ldap_search *search,
                                   struct str filter, const char *const *attributes, size_t max,
                                   struct arena *a, struct ldap_entries *found,
                                   struct lookup_trace *t, struct err *e);
/* The one entry; two are TEMPFAIL, with their names in the log. */
SUSPENDS enum lookup ldap_ask_one(struct ldap_source *s, const struct ldap_search *search,
                                  const struct ldap_template *also, const struct ldap_values *v,
                                  const char *const *attributes, struct arena *a,
                                  struct ldap_entry *found, struct lookup_trace *t, struct err *e);
/* Entries of these names; those that do not exist are left out. filter: "" or what they meet. */
SUSPENDS enum lookup ldap_ask_names(struct ldap_source *s, const struct str *names, size_t count,
                                    struct str filter, const char *const *attributes,
                                    struct arena *a, struct ldap_entries *found,
                                    struct lookup_trace *t, struct err *e);

/* --- ldap_group.c --- */

/* The addresses of all members of the group `entry`, those of groups inside included, each once. */
SUSPENDS enum lookup ldap_group_members(struct ldap_source *s, const struct ldap_entry *entry,
                                        struct arena *a, struct directory_group *group,
                                        struct lookup_trace *t, struct err *e);

/* --- ldap_membership.c --- */

/* Names of the groups that the account `entry` is in, as nested_groups says. */
SUSPENDS enum lookup ldap_account_groups(struct ldap_source *s, const struct ldap_entry *entry,
                                         struct arena *a, struct account *account,
                                         struct lookup_trace *t, struct err *e);

/* --- ldap_names.c: texts, each once --- */

struct ldap_name_set {
    struct str *list; /* in the order in which they came */
    size_t count, room;
    uint32_t *slots; /* index + 1 into list */
    size_t slot_count;
    struct arena *arena;
};
/* False: it was there (any case). */
bool ldap_name_set_add(struct ldap_name_set *set, struct str name);

#define LDAP_NAMES_BATCH 50   /* names that one search asks for */
#define LDAP_GROUPS_MAX  5000 /* groups of one account, or inside of one group */
#define LDAP_PAGE        500
/* How many times the time limit of one answer a group may take, which needs many. */
#define LDAP_GROUP_PATIENCE 6
