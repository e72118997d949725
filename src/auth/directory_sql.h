#pragma once
/*
 * Statements of the directory's database, with errors as the project has them. Private to auth.
 */
#include "auth/directory.h"

#include <sqlite3.h>

/* What a transaction touches of what is held in memory (auth/embedded_tables.h). */
struct tables_touched {
    bool addresses, domains, rules, delegations, groups; /* as a whole */
    struct arena *arena;
    struct str *list; /* single addresses */
    size_t count;
};

struct directory_db {
    sqlite3 *sqlite;
    const char *path; /* owned */
    struct tables_touched touched;
    bool uncertain; /* a commit failed: what is in the file is not known until all is read again */
};

/* *e from the last call on the connection: "directory PATH: no space: ...". Returns false. */
bool sql_failed(struct directory_db *db, const char *what, struct err *e);
/* One or more statements without parameters or results. */
bool sql_run(struct directory_db *db, const char *text, struct err *e);

/* A statement with its parameters: 's' a struct str, 'i' an int64_t. NULL with *e on failure. */
sqlite3_stmt *sql_prepare(struct directory_db *db, struct err *e, const char *text,
                          const char *types, ...);

enum sql_step { SQL_ROW, SQL_END, SQL_FAILED };
enum sql_step sql_step(struct directory_db *db, sqlite3_stmt *s, struct err *e);
/* FOUND with a row, NOT_FOUND at the end. */
enum lookup sql_lookup(enum sql_step step);
/* Column of the present row, copied to a; NULL gives "". */
struct str sql_text(sqlite3_stmt *s, int column, struct arena *a);

/* Prepares, runs to the end and finalizes; *changed (may be NULL) rows. */
bool sql_change(struct directory_db *db, int64_t *changed, struct err *e, const char *text,
                const char *types, ...);
/* The first column of the first row; *value is 0 when there is none. */
bool sql_number(struct directory_db *db, int64_t *value, struct err *e, const char *text,
                const char *types, ...);

/* A list that grows while rows come: zeroed but for the size of an element. */
struct sql_rows {
    char *p;
    size_t count, capacity, size;
};
void *sql_rows_add(struct sql_rows *r, struct arena *a);

/* The first column of all rows; takes s, which may be NULL after a failure. */
bool sql_read_texts(struct directory_db *db, sqlite3_stmt *s, struct arena *a, struct str **list,
                    size_t *count, struct err *e);

/* "there is no user alice", "the user alice exists already"; false. */
bool sql_missing(struct err *e, const char *what, struct str name);
bool sql_exists(struct err *e, const char *what, struct str name);
