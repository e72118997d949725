#pragma once
/*
 * Users of the embedded directory in its database. Private to auth.
 */
#include "auth/embedded_apply.h"
#include "auth/embedded_password.h"

/* What of a user is not in its row: forwards, addresses of its own, groups. */
bool user_db_read_lists(struct directory_db *db, struct arena *a, struct account *account,
                        struct err *e);

/* Names are in their one spelling. */
struct user_order {
    struct name name;
    struct str login;
    struct directory_user_change change;
    struct embedded_address *forwards;
    size_t forward_count;
    struct embedded_password password; /* of a new one */
};
/* Everything but the password; a is for the strings. ERR_SYNTAX. */
bool user_order_fill(struct user_order *o, struct arena *a,
                     const struct directory_user_change *change, struct err *e);

/* For directory_apply; arg is a struct user_order. */
bool user_db_add(struct directory_db *db, void *arg, struct err *e);
bool user_db_set(struct directory_db *db, void *arg, struct err *e);
bool user_db_delete(struct directory_db *db, void *arg, struct err *e);
