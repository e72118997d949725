#pragma once
/*
 * What a domain is. Private to auth.
 */
#include "auth/domain.h"

/* A relay in its one spelling: "mx", "host", "host:port", "[address]:port". ERR_SYNTAX. */
bool domain_relay_normal(struct arena *a, struct str text, struct str *relay, struct err *e);
/* All texts of a change in their one spelling, in a; the key is left for domain_apply. ERR_SYNTAX.
 */
bool domain_change_normal(struct arena *a, const struct domain_change *from,
                          struct domain_change *to, struct err *e);
/* The domain with the change made, which is normal. ERR_SYNTAX: that would make no sense; ERR_PERM:
 * of its key. Borrows from the change. For a worker. */
bool domain_apply(struct domain *domain, const struct domain_change *change, struct err *e);
/* A new one, but for its name. */
struct domain domain_default(void);
/* But for the version of its quota. */
bool domain_equal(const struct domain *x, const struct domain *y);
