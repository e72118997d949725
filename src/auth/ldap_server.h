#pragma once
/*
 * The servers of one LDAP client and their health. Private to auth/ldap_*. All but
 * ldap_servers_set with the hub's lock held.
 */
#include "auth/ldap_request.h"

struct ldap_hub;

struct ldap_server {
    struct ldap_hub *hub;
    struct str uri;
    bool listed; /* among the servers at present */
    bool aside, probing;
    unsigned failures; /* since the last answer */
    unsigned lost;     /* times that connections broke under questions, since the last answer */
    usec lost_at;
    usec probe_at;
    struct err why; /* it is set aside */
    usec aside_since;
    /* counters */
    size_t connections;
    uint64_t answers, times_aside;
};

/* These and no others, in this order. False: none of them may be used. */
bool ldap_servers_set(struct ldap_hub *h, const struct str *uris, size_t count, struct err *e);
/* The first that may be used, but not `except`; NULL: none. */
struct ldap_server *ldap_servers_best(struct ldap_hub *h, const struct ldap_server *except);
/* How long connecting to it may take: half of a question's time is for the next server. */
usec ldap_server_time_to_connect(const struct ldap_server *s);
/* A question is about to be asked there: its next try begins. */
void ldap_server_begin_try(const struct ldap_server *s, struct ldap_request *r);
/* It does not answer, or refuses us: set aside until a probe finds it well. */
void ldap_server_failed(struct ldap_server *s, const struct err *why);
/* A connection, made at `opened`, broke with questions under way. */
void ldap_server_lost(struct ldap_server *s, usec opened, const struct err *why);
void ldap_server_answered(struct ldap_server *s);
/* "ldap NAME: no server answers: URI: why; URI: why". */
void ldap_servers_explain(struct ldap_hub *h, struct err *e);
