#pragma once
/*
 * What checks remember: of the world, for the life of the server, over reloads; and of a
 * connection, to its end. Private to policy.
 */
#include "policy/connection_count.h"
#include "policy/dns_list.h"
#include "policy/greylist.h"
#include "policy/policy_internal.h"
#include "policy/rate.h"

/* The counters of a rule, found by its name. */
struct rule_counter {
    struct rule_counter *next;
    char *rule;
    usec period;
    struct rate_table *table;
};

struct policy_state {
    struct loop *loop;
    char *greylist_path;
    struct greylist *greylist; /* NULL: no rule has needed it yet */
    struct dns_lists *lists;
    struct connection_counts *connections;
    struct rule_counter *counters;
    struct rate_table *told; /* logins that the postmaster was told of */
    policy_notice_fn *notice;
    void *notice_arg;
    size_t notices; /* on their way */
    struct cond notices_gone;
};

struct policy_state *policy_state_new(struct loop *l, const char *data_dir);
/* No session is left. NULL is allowed. */
SUSPENDS void policy_state_close(struct policy_state *s);
struct greylist *policy_state_greylist(struct policy_state *s);
struct rate_table *policy_state_counter(struct policy_state *s, const struct policy_rule *rule);
/* NULL: the rule has counted nothing. */
const struct rule_counter *policy_state_find_counter(const struct policy_state *s,
                                                     const char *rule);

/* A connection that a rule counts; in struct policy_memo. */
struct held_connection {
    struct held_connection *next;
    const struct policy_rule *rule;
    struct connection_count *count;
};

/* The client's name and how far it can be believed, looked up once a connection. */
SUSPENDS enum client_name_status policy_client_name(struct policy_call *c, struct str *name);
/* Gives back the connection's counts. */
void policy_memo_release(struct policy_state *s, struct policy_memo *m);

/* Mails the postmaster in a fiber of its own, if anybody said how. */
void policy_notice(struct policy_state *s, struct str subject, struct str text);
