#pragma once
/*
 * What a domain is. Private to auth.
 */
#include "auth/directory.h"

/* A relay in its one spelling: "mx", "host", "host:port", "[address]:port". ERR_SYNTAX. */
bool domain_relay_normal(struct arena *a, struct str text, struct str *relay, struct err *e);
/* The domain with the change made. ERR_SYNTAX: that would make no sense. Borrows from the change.
 */
bool domain_apply(struct domain *domain, const struct domain_change *change, struct err *e);
