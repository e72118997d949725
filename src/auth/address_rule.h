#pragma once
/*
 * Addresses by pattern: rules that are tried in their order when an address is not listed. They are
 * kept in the embedded directory and held in memory, compiled.
 */
#include "auth/lookup.h"
#include "core/arena.h"
#include "core/err.h"
#include "core/fiber.h"

struct directory;
struct directory_address;

struct address_rule {
    struct str name;          /* by which it is told from others */
    struct str pattern;       /* PCRE2, of the whole "local@domain" in lower case, any case */
    struct str domain;        /* only for addresses of this one; "" : of every local domain */
    struct str *destinations; /* addresses with $1 ... $9 for groups of the pattern, $0 for all
                                 that matched; special destinations (auth/special.h) */
    size_t count;
    bool internal; /* only for senders who are logged in or of a trusted network */
};

/* The first rule that fits an address "local@domain" of a domain of ours: rules of that domain and,
 * when that is local, rules for all. FOUND: found->destinations with the groups filled in, *name
 * the rule's. One whose destinations would be no addresses does not fit. TEMPFAIL: a pattern used
 * up its limit of steps, ERR_LIMIT names the rule. */
SUSPENDS enum lookup directory_match_rule(struct directory *d, struct str domain, bool is_local,
                                          struct str address, struct arena *a,
                                          struct directory_address *found, struct str *name,
                                          struct err *e);

/* In their order; strings in a. */
SUSPENDS bool directory_list_rules(struct directory *d, struct arena *a, struct address_rule **list,
                                   size_t *count, struct err *e);

/* --- changes: durable when they return true; ERR_SYNTAX tells where a pattern is wrong --- */

/* before: the rule that it comes in front of; "" : at the end. */
SUSPENDS bool directory_add_rule(struct directory *d, const struct address_rule *rule,
                                 struct str before, struct err *e);
/* What is not given (p == NULL) stays. */
struct address_rule_change {
    struct str pattern;
    struct str domain;     /* "": all */
    bool set_destinations; /* replaces all */
    const struct str *destinations;
    size_t count;
    bool set_internal, internal;
};
SUSPENDS bool directory_set_rule(struct directory *d, struct str name,
                                 const struct address_rule_change *change, struct err *e);
SUSPENDS bool directory_move_rule(struct directory *d, struct str name, struct str before,
                                  struct err *e);
SUSPENDS bool directory_delete_rule(struct directory *d, struct str name, struct err *e);
