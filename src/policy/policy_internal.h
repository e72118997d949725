#pragma once
/*
 * Inside of the policy: the two structs that the rest is about. Private to policy.
 */
#include "core/buf.h"
#include "policy/check.h"
#include "policy/client_name.h"
#include "policy/table.h"

struct watch_set;
struct policy_state;

/* Lives as long as the server; what checks remember beyond a configuration belongs here. */
struct policy {
    struct policy_context context;
    struct policy_rules *rules; /* of the present configuration */
    struct watch_set *watches;  /* of the tables' folders */
    size_t delayed;             /* clients that wait in policy_delay */
    size_t readers;             /* fibers and workers that are busy with tables */
    struct cond readers_gone;
    bool closing;
    struct policy_state *state;
};

/* A header line that a rule wants. */
struct policy_tag {
    struct policy_tag *next;
    const struct policy_rule *rule;
    enum policy_stage stage;
    char *line; /* "Name: value" */
};

/* What checks remember of a connection: state.c. */
struct policy_memo {
    enum client_name_status name_status;
    bool name_in_haste;           /* it was not waited for as long as rules do */
    struct str name;              /* confirmed, or claimed; in the session's arena */
    struct held_connection *held; /* in the session's arena; given back with it */
    struct str list_reason_zone, list_reason;
    int sender_mail; /* of sender_domain; check_dns.c */
    struct str sender_domain, sender_error;
};

/* A connection. Made when the first rule is asked. */
struct policy_session {
    struct arena *arena;        /* for the life of the connection: answers of DNS and the like */
    struct policy_rules *rules; /* those of its beginning */
    /* Rules behind this place are not asked any more, by the stage that said so. */
    size_t accepted[POLICY_STAGES];
    struct policy_tag *tags;
    size_t tag_count;
    struct policy *policy;
    struct policy_memo memo;
};

/* --- evaluate.c --- */
struct policy_session *policy_session_new(struct policy *p);

/* --- verdict.c --- */

/* What the rule says about a match. */
void policy_verdict_make(const struct policy_call *c, struct policy_verdict *v);
/* One line of printable ASCII, cut at POLICY_TEXT_MAX: {client} {name} {helo} {sender} {recipient}
 * {login} {rule} {why} stand for what they say. */
struct str policy_text(const struct policy_call *c, struct str pattern);
/* Does text end its braces, with names that are known? *e names the one that is not. */
bool policy_text_is_valid(struct str text, struct err *e);
/* "Name: value" of a tag, or empty when the rule has none. */
struct str policy_tag_line(const struct policy_call *c);
/* Has the line the form "Name: value"? */
bool policy_header_is_valid(struct str line);
