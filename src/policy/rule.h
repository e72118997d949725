#pragma once
/*
 * A rule of the configuration, and what is made of it. Private to policy.
 */
#include "net/host_list.h"
#include "policy/policy.h"

struct policy_check_row;
struct policy_table;
struct table_settings;

enum rule_clients {
    RULE_CLIENTS_DEFAULT,
    RULE_CLIENTS_STRANGERS, /* without login, not in a trusted network */
    RULE_CLIENTS_ALL,
};

enum rule_require { RULE_REQUIRE_CONFIRMED, RULE_REQUIRE_ANY };
enum rule_dns_failure { RULE_DNS_FAILURE_PASS, RULE_DNS_FAILURE_DEFER };
enum rule_lookup { RULE_LOOKUP_CLIENT, RULE_LOOKUP_NAME, RULE_LOOKUP_HELO, RULE_LOOKUP_SENDER };

enum rule_own { RULE_OWN_FROM, RULE_OWN_SENDER };

/* The block "rule". What only some checks use stands below; a row in check_table.c names the
 * settings that its check uses. */
struct rule_settings {
    const char *name;
    const char *check;
    bool enabled, dry_run;
    int at;     /* enum policy_stage + 1; 0: the check's own */
    int action; /* enum rule_action; 0: the check's own */
    int64_t code;
    const char *enhanced, *text, *header;
    usec delay;
    struct string_list protocols; /* empty: the check's own */
    int clients;                  /* enum rule_clients */

    const char *table;
    /* client_name */
    int require; /* enum rule_require */
    /* client_name, sender_domain */
    int dns_failure; /* enum rule_dns_failure */
    /* dns_list */
    struct string_list lists;
    int64_t threshold;
    int lookup; /* enum rule_lookup */
    usec timeout;
    /* early_talker */
    usec wait;
    /* what counts */
    int64_t limit;
    usec period;
    bool notice;
    int64_t ipv4_prefix, ipv6_prefix; /* 0: the check's own */
    /* greylist */
    usec retry_after, retry_within, remember;
    int64_t allow_after;
    /* from_login */
    int own; /* enum rule_own */
};

struct policy_settings {
    struct string_list trusted_networks, relay_networks;
    bool look_up_names;
};

/* A rule as it is asked. In the arena of its list. */
struct policy_rule {
    const struct rule_settings *settings;
    const struct policy_check_row *check;
    size_t place; /* in the list */
    enum policy_stage at;
    enum policy_action action;
    unsigned protocols; /* bits of enum service_protocol */
    bool all_clients;
    const struct table_settings *table_settings;
    struct policy_table *table; /* NULL: none */
    void *data;                 /* made by the check's prepare */
    uint64_t asked, matched;
};

/* The rules of a configuration; counted, as sessions keep theirs to their end. */
struct policy_rules {
    unsigned references;
    struct arena *arena;
    struct config *config;
    const struct policy_settings *settings;
    struct policy_rule *list;
    size_t count;
    struct policy_table **tables;
    size_t table_count;
    /* Of each protocol, bits of the stages that have rules; that have some for all clients. */
    unsigned stages[SERVICE_POP3 + 1], stages_for_all[SERVICE_POP3 + 1];
    struct host_set *trusted, *relay;
};

/* Takes its own reference to config. Tables are not there yet. */
struct policy_rules *policy_rules_new(struct config *config, struct err *e);
struct policy_rules *policy_rules_ref(struct policy_rules *r);
/* NULL is allowed. */
void policy_rules_unref(struct policy_rules *r);
/* In trusted_networks or relay_networks. */
bool policy_rules_trust(const struct policy_rules *r, const char *address);
