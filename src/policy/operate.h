#pragma once
/*
 * What the policy remembers of clients, logins and recipients, for operators.
 */
#include "policy/greylist.h"
#include "policy/policy.h"

struct policy_limit_key {
    struct str key;
    uint64_t count;
};
/* A rule that counts, and its busiest keys. */
struct policy_limit_info {
    const char *rule, *check;
    const char *unit; /* "recipients" ... */
    int64_t limit;
    usec period; /* 0: at a time */
    struct policy_limit_key *keys;
    size_t key_count;
    size_t known;     /* keys in the table */
    uint64_t evicted; /* keys that had no more room in it, since the start */
};
/* At most `max` keys of each rule, those with the highest count first; in a. */
void policy_list_limits(const struct policy *p, size_t max, struct arena *a,
                        struct policy_limit_info **list, size_t *count);

struct policy_silent_list {
    struct str zone;
    int64_t seconds; /* for which it is not asked */
};
void policy_list_silent(const struct policy *p, struct arena *a, struct policy_silent_list **list,
                        size_t *count);

/* False: no rule has needed it since the start. */
bool policy_greylist_stats(const struct policy *p, struct greylist_stats *s);
struct greylist *policy_greylist(struct policy *p);
/* An address, or a network as large as the greylist rules have them. *e says what it must be. */
SUSPENDS bool policy_greylist_allow(struct policy *p, struct str text, struct err *e);
/* The same, or a sender or recipient. ERR_NOT_FOUND. */
SUSPENDS bool policy_greylist_delete(struct policy *p, struct str text, int64_t *deleted,
                                     struct err *e);
