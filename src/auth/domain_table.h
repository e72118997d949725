#pragma once
/*
 * The domains in memory. A table is never changed: another takes its place, and goes with the last
 * arena that was given something of it. On the loop, but for domain_table_new. Private to auth.
 */
#include "auth/domain.h"

struct domain_table;

/* Takes the list and the arena that all of it lies in. For a worker. */
struct domain_table *domain_table_new(struct arena *a, struct domain *list, size_t count);
/* NULL is allowed. */
void domain_table_unref(struct domain_table *t);

/* name: in its one spelling. Borrowed; NULL: it is none of ours. */
const struct domain *domain_table_find(const struct domain_table *t, struct str name);
/* The same, whose texts live as long as a. */
bool domain_table_give(struct domain_table *t, struct str name, struct arena *a,
                       struct domain *domain);
/* The only one there is; NULL: there are none or more. */
const struct domain *domain_table_only(const struct domain_table *t);
