#pragma once
/*
 * Where users' passwords are tried: connections of which each has one question at a time, since it
 * changes their identity. Unlike the pools of ldap_hub.h they are the loop's. Private to
 * auth/ldap_*.
 */
#include "auth/ldap_hub.h"

struct ldap_logins;

/* Holds a reference to the hub. */
struct ldap_logins *ldap_logins_new(struct loop *l, struct ldap_hub *h);
/* Questions under way and those that wait end with ERR_CANCELLED; returns when they have left. */
SUSPENDS void ldap_logins_stop(struct ldap_logins *p);
/* After ldap_logins_stop, with the hub's inbox closed. */
void ldap_logins_free(struct ldap_logins *p);
/* r: of LDAP_OPERATION_BIND, or a change that begins with one. It has its answer then. */
SUSPENDS void ldap_logins_ask(struct ldap_logins *p, struct ldap_request *r);
void ldap_logins_describe(const struct ldap_logins *p, struct lookup_trace *t);
