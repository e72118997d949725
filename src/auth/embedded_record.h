#pragma once
/*
 * What the embedded directory holds, as records. Private to auth.
 */
#include "auth/directory_record.h"
#include "auth/embedded_group_settings.h"
#include "auth/source.h"

/* Strings are borrowed, or in a. */
struct directory_record record_of_user(struct arena *a, const struct source_account *u);
struct directory_record record_of_domain(struct arena *a, const struct domain *d);
struct directory_record record_of_group(const struct directory_group *g);
struct directory_record record_of_address(const struct directory_address *address);
struct directory_record record_of_rule(const struct address_rule *rule);
struct directory_record record_of_settings(const struct group_settings *s);
/* Of all grantees of an address, which are the first `count` of the list or fewer. */
struct directory_record record_of_delegations(struct arena *a, const struct delegation *list,
                                              size_t count);

/* What is there now under the name of a record; its address is as the database has it. Without a
 * column but the address: nothing (any more). */
bool record_read(struct directory_db *db, enum record_kind kind, struct str address,
                 struct arena *a, struct directory_record *r, struct err *e);
/* The columns in which they differ; lists count by what is in them, not by its order. */
void record_compare(const struct directory_record *before, const struct directory_record *after,
                    struct arena *a, struct record_result *result);
