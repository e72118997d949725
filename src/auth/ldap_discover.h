#pragma once
/*
 * Servers of an `ldap` block that DNS names (setting `discover`). Private to auth.
 */
#include "auth/ldap_client.h"
#include "auth/ldap_settings.h"

struct dns;
struct ldap_discovery;

/* Looks in a fiber of its own, again and again, and tells the client. */
struct ldap_discovery *ldap_discovery_start(struct loop *l, struct dns *dns, struct ldap_client *c,
                                            const struct ldap_settings *s);
/* NULL is allowed. */
SUSPENDS void ldap_discovery_end(struct ldap_discovery *d);
/* What was found last, and when. */
void ldap_discovery_describe(const struct ldap_discovery *d, struct lookup_trace *t);
