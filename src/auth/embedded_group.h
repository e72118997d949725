#pragma once
/*
 * Groups of the embedded directory in its database. Private to auth.
 */
#include "auth/embedded_apply.h"

/* With the members of groups inside, each once; those of disabled ones are left out. A loop ends
 * where it began. TEMPFAIL with ERR_LIMIT: more than GROUP_MEMBERS_MAX. */
enum lookup group_db_find(struct directory_db *db, struct str address, struct arena *a,
                          struct directory_group *group, struct err *e);
/* Groups that this login or an address of its own is in, those around them included; sorted. */
bool group_db_memberships(struct directory_db *db, struct str login, struct arena *a,
                          struct str **groups, size_t *count, struct err *e);
/* With its own members only. */
enum lookup group_db_get(struct directory_db *db, struct str address, struct arena *a,
                         struct directory_group *group, struct err *e);
/* With their own members only. domain empty: all. */
bool group_db_list(struct directory_db *db, struct str domain, struct arena *a,
                   struct directory_group **list, size_t *count, struct err *e);

/* What is to be true of a group; names are in their one spelling. */
struct group_order {
    struct name name;
    struct str address;
    struct directory_group_change change;
    struct embedded_address *members;
    size_t member_count;
};
/* Everything but the name and address; in a. ERR_SYNTAX. */
bool group_order_fill(struct group_order *o, struct arena *a,
                      const struct directory_group_change *change, const struct str *members,
                      size_t count, struct err *e);
/* For directory_apply; arg is a struct group_order. */
bool group_db_add(struct directory_db *db, void *arg, struct err *e);
bool group_db_set(struct directory_db *db, void *arg, struct err *e);
bool group_db_delete(struct directory_db *db, void *arg, struct err *e);
/* ERR_EXISTS, ERR_NOT_FOUND name the member. */
bool group_db_add_members(struct directory_db *db, void *arg, struct err *e);
bool group_db_delete_members(struct directory_db *db, void *arg, struct err *e);
/* All members anew. */
bool group_db_replace_members(struct directory_db *db, void *arg, struct err *e);
