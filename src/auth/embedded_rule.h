#pragma once
/*
 * Rules of the embedded directory in its database. Private to auth.
 */
#include "auth/embedded_apply.h"

/* In their order. */
bool rule_db_list(struct directory_db *db, struct arena *a, struct address_rule **list,
                  size_t *count, struct err *e);

enum lookup rule_db_find(struct directory_db *db, struct str name, struct arena *a,
                         struct address_rule *rule, struct err *e);

/* What is to be true of a rule. */
struct rule_order {
    struct str name, before;
    struct address_rule_change change; /* normal */
};
/* Texts in their one spelling, in a. ERR_SYNTAX, ERR_LIMIT. */
bool rule_order_fill(struct rule_order *o, struct arena *a, struct str name,
                     const struct address_rule_change *change, struct err *e);
/* For directory_apply; arg is a struct rule_order. */
bool rule_db_add(struct directory_db *db, void *arg, struct err *e);
bool rule_db_set(struct directory_db *db, void *arg, struct err *e);
bool rule_db_move(struct directory_db *db, void *arg, struct err *e);
bool rule_db_delete(struct directory_db *db, void *arg, struct err *e);
