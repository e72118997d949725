#pragma once
/*
 * Delegations in the database of the embedded directory. Private to auth.
 */
#include "auth/embedded_apply.h"

/* name: an address, "@domain" or a grantee; empty: all. Sorted by address and grantee. */
bool send_as_db_list(struct directory_db *db, struct str name, struct arena *a,
                     struct delegation **list, size_t *count, struct err *e);

/* All of them: by address, or "@domain", the grantees. */
struct address_table;
bool send_as_db_load(struct directory_db *db, struct address_table **table, struct err *e);

/* What is to be true of an address; texts are in their one spelling. */
struct send_as_order {
    struct str address, domain;
    struct str *grantees; /* delete: none: everybody */
    size_t count;
};
/* "local@domain" or "@domain" with its domain. ERR_SYNTAX. */
bool send_as_order_address(struct send_as_order *o, struct arena *a, struct str text,
                           struct err *e);
/* For directory_apply; arg is a struct send_as_order. ERR_EXISTS, ERR_NOT_FOUND name the grantee.
 */
bool send_as_db_add(struct directory_db *db, void *arg, struct err *e);
bool send_as_db_delete(struct directory_db *db, void *arg, struct err *e);
/* Of a name that is deleted: what it was given, and what others were given of it. */
bool send_as_db_forget(struct directory_db *db, struct str name, struct err *e);
