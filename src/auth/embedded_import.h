#pragma once
/*
 * One record of an import. Private to auth.
 */
#include "auth/directory_record.h"
#include "auth/embedded_password.h"
#include "auth/embedded_record.h"

struct importing {
    const struct directory_record *records;
    struct embedded_password *passwords; /* one for each record */
    size_t count, wrong;
    bool dry_run;
    struct arena *arena;
    struct record_result *results;
    struct directory_record before; /* of the record in work, when it is to be changed */
};

/* --- texts --- */

/* "" is not given. ERR_SYNTAX. */
bool import_flag(struct str text, const char *what, bool *set, bool *value, struct err *e);
/* Not given: QUOTA_KEEP. */
bool import_quota(struct str text, bool *set, int64_t *quota, struct err *e);
/* p == NULL: not given; "-" empties. */
struct str import_text(struct str text);
/* How many count; "-" alone empties. */
size_t import_list(const struct str *list, size_t count, bool *set);
/* In full. */
bool import_address_name(struct arena *a, struct str text, struct name *name, struct str *address,
                         struct err *e);
/* The same texts in any order. */
bool import_same_list(const struct str *left, size_t left_count,
                      const struct embedded_address *right, size_t right_count);

/* --- a record: i is its place. What it changes, or would, is noted. On a worker --- */

/* It will be changed, from this on. */
void import_changes(struct importing *x, size_t i, struct directory_record before);

bool import_domain(struct directory_db *db, struct importing *x, size_t i, struct err *e);
bool import_address(struct directory_db *db, struct importing *x, size_t i, struct err *e);
bool import_rule(struct directory_db *db, struct importing *x, size_t i, struct err *e);
bool import_send_as(struct directory_db *db, struct importing *x, size_t i, struct err *e);
bool import_group_settings(struct directory_db *db, struct importing *x, size_t i, struct err *e);
