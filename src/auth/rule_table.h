#pragma once
/*
 * The rules for addresses in memory, compiled. A table is never changed: another takes its place,
 * and goes when who looks into it has finished. Private to auth.
 */
#include "auth/directory.h"

struct rule_table;

/* Copies the rules; for a worker. One that does not compile (the library has changed) stays in its
 * place: who comes to it is told to try later. */
struct rule_table *rule_table_new(const struct address_rule *list, size_t count);
/* On the loop. NULL is allowed. */
void rule_table_ref(struct rule_table *t);
void rule_table_unref(struct rule_table *t);
size_t rule_table_count(const struct rule_table *t);

/* What is looked for, and how far that went. */
struct rule_search {
    struct str domain, address;
    bool is_local;
    size_t at;     /* the next rule to try */
    usec deadline; /* DEADLINE_NONE: however long it takes */
    struct arena *arena;
    /* FOUND: */
    struct directory_address *found;
    struct str *name;
    struct err error; /* TEMPFAIL */
};
/* As directory_match_rule; may run on any thread. *more: the deadline came first, and it is not
 * known yet. */
enum lookup rule_table_match(const struct rule_table *t, struct rule_search *s, bool *more);
