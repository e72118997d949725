#pragma once
/*
 * What the embedded directory says of groups that other sources have. Private to auth.
 */
#include "auth/embedded_apply.h"

struct group_settings {
    struct str address;
    struct directory_group_change change; /* what is said; never its name */
};

/* All of them in memory. Takes the list, sorted by address, and its arena. */
struct group_table *group_table_new(struct arena *a, struct group_settings *list, size_t count);
/* NULL is allowed. */
void group_table_free(struct group_table *t);
/* The group takes no mail, or it goes elsewhere than to its members. */
bool group_table_stands_alone(const struct group_table *t, struct str address);
/* What is said of the group, if something is, put into it; texts in a. */
void group_table_apply(const struct group_table *t, struct arena *a, struct directory_group *group);

bool group_settings_db_list(struct directory_db *db, struct arena *a, struct group_settings **list,
                            size_t *count, struct err *e);
enum lookup group_settings_db_find(struct directory_db *db, struct str address, struct arena *a,
                                   struct group_settings *settings, struct err *e);
/* For directory_apply; arg is a struct group_order. What is said already and not changed stays. */
bool group_settings_db_set(struct directory_db *db, void *arg, struct err *e);
bool group_settings_db_delete(struct directory_db *db, void *arg, struct err *e);
