#pragma once
/*
 * The database of the embedded directory. Every function here blocks and belongs on a worker; one
 * connection is used by one worker at a time. Names are given as directory_name.h makes them.
 * Private to auth.
 */
#include "auth/directory.h"
#include "auth/directory_name.h"
#include "auth/source.h"

struct directory_db;

/* Creates the file (mode 0600) when it is missing and brings its schema up to date. */
bool directory_db_prepare(const char *path, struct err *e);
struct directory_db *directory_db_open(const char *path, struct err *e);
void directory_db_close(struct directory_db *db);

/* --- look-ups: *e on LOOKUP_TEMPFAIL --- */

enum lookup directory_db_find_account(struct directory_db *db, struct str login, struct arena *a,
                                      struct source_account *found, struct err *e);

/* --- lists; domain empty: all --- */

/* Rows of the users, by domain and login. */
bool directory_db_list_user_ids(struct directory_db *db, struct str domain, struct arena *a,
                                int64_t **ids, size_t *count, struct err *e);
enum lookup directory_db_get_user(struct directory_db *db, int64_t id, struct arena *a,
                                  struct account *account, struct err *e);
