#pragma once
/*
 * A kind of rule: a row in the table of check_table.c and a function. Private to policy.
 */
#include "policy/greylist.h"
#include "policy/rule.h"

enum policy_result {
    POLICY_NO_MATCH,
    POLICY_MATCH,
    POLICY_UNKNOWN, /* cannot be found out now: as no match, but told as such */
};

/* One question to one rule. */
struct policy_call {
    struct policy *policy;
    struct policy_session *session;
    const struct policy_rule *rule;
    enum policy_stage stage;
    const struct policy_facts *facts;
    struct arena *arena;
    bool explain;   /* for mailctl: count nothing, remember nothing */
    struct str why; /* set with policy_why */
    /* What a match may want otherwise than the rule says. */
    bool has_action;
    enum policy_action action; /* with has_action; POLICY_PASS: as if it had not matched */
    int code;                  /* 0: the rule's, or the action's */
    struct str text;           /* empty: the rule's */
};

/* One line for the log and `mailctl policy test`. */
void policy_why(struct policy_call *c, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

struct policy_check_row {
    const char *name;
    const char *help;              /* what it looks at, for `mailctl policy list` and the manual */
    enum policy_stage at;          /* unless the rule says otherwise */
    enum policy_stage first, last; /* where it can be asked */
    enum policy_action action;     /* unless the rule says otherwise */
    unsigned protocols;            /* PROTOCOL_... unless the rule says otherwise */
    bool all_clients;              /* unless the rule says otherwise */
    bool header;                   /* facts.header is needed */
    int code;                      /* of a rejection */
    const char *enhanced;          /* of a rejection: "5.7.1" */
    const char *text;              /* of the reply, see policy_text */
    const char *uses;              /* settings of its own, separated by blanks; must be set if
                                      marked with "*": "table*" */
    /* Reads the settings of the check once; data in the arena of the list. *e names the setting.
     * May be NULL. */
    bool (*prepare)(struct policy_rule *rule, struct arena *a, struct err *e);
    SUSPENDS enum policy_result (*run)(struct policy_call *c);
};

enum {
    PROTOCOL_SMTP = 1u << SERVICE_SMTP,
    PROTOCOL_SUBMISSION = 1u << SERVICE_SUBMISSION,
    PROTOCOL_LMTP = 1u << SERVICE_LMTP,
};

extern const struct policy_check_row policy_checks[]; /* ends with name == NULL */
/* 0: no such protocol. */
unsigned policy_protocol_bit(const char *name);
const struct policy_check_row *policy_check_find(struct str name);

/* --- the functions, by file --- */

/* check_helo.c */
SUSPENDS enum policy_result check_helo_syntax(struct policy_call *c);
SUSPENDS enum policy_result check_helo_not_qualified(struct policy_call *c);
SUSPENDS enum policy_result check_helo_is_ours(struct policy_call *c);
/* check_access.c: the tables */
SUSPENDS enum policy_result check_client_table(struct policy_call *c);
SUSPENDS enum policy_result check_helo_table(struct policy_call *c);
SUSPENDS enum policy_result check_sender_table(struct policy_call *c);
SUSPENDS enum policy_result check_recipient_table(struct policy_call *c);
/* sender_table, recipient_table */
bool check_mailbox_prepare(struct policy_rule *rule, struct arena *a, struct err *e);
/* check_sender.c */
SUSPENDS enum policy_result check_sender_not_qualified(struct policy_call *c);
/* check_login.c */
SUSPENDS enum policy_result check_sender_login(struct policy_call *c);
SUSPENDS enum policy_result check_from_login(struct policy_call *c);
/* check_client.c */
SUSPENDS enum policy_result check_early_talker(struct policy_call *c);
SUSPENDS enum policy_result check_client_name(struct policy_call *c);
/* check_dns.c */
SUSPENDS enum policy_result check_dns_list(struct policy_call *c);
bool check_dns_list_prepare(struct policy_rule *rule, struct arena *a, struct err *e);
SUSPENDS enum policy_result check_sender_domain(struct policy_call *c);
/* What a failure of DNS is to the rule, and why. */
enum policy_result policy_dns_failed(struct policy_call *c, const char *why);
/* check_rate.c */
enum policy_result check_client_rate(struct policy_call *c);
enum policy_result check_client_connections(struct policy_call *c);
enum policy_result check_login_rate(struct policy_call *c);
enum policy_result check_recipient_rate(struct policy_call *c);
/* What a rule of the stage counts: "recipients" ... */
const char *policy_unit_name(enum policy_stage stage);
/* check_greylist.c */
SUSPENDS enum policy_result check_greylist(struct policy_call *c);
struct greylist_terms policy_greylist_terms(const struct rule_settings *s);
bool check_greylist_prepare(struct policy_rule *rule, struct arena *a, struct err *e);
