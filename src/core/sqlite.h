#pragma once
/*
 * What the databases that parts keep beside the mail have in common: statements of SQLite with
 * errors as the project has them. All of it blocks and belongs on a worker.
 */
#include "core/arena.h"
#include "core/err.h"

#include <sqlite3.h>

struct sqlite_file {
    sqlite3 *sqlite;
    char *path;
    bool damaged; /* a failure said so */
};

/* *e from the last call on the connection: ERR_NO_SPACE, ERR_TEMP (others hold it), ERR_IO. Returns
 * false. */
bool sqlite_failed(struct sqlite_file *f, struct err *e);
/* One or more statements without parameters or results. */
bool sqlite_run(struct sqlite_file *f, const char *text, struct err *e);
/* NULL: *e. */
sqlite3_stmt *sqlite_prepare(struct sqlite_file *f, const char *text, struct err *e);
/* The text has to stay until the statement is reset. */
void sqlite_bind_text(sqlite3_stmt *s, int at, struct str text);
/* Runs one that gives no rows; ready to be used again. */
bool sqlite_finish(struct sqlite_file *f, sqlite3_stmt *s, struct err *e);
/* Of the present row, copied to a; NULL gives "". */
struct str sqlite_text(sqlite3_stmt *s, int column, struct arena *a);
/* The first column of the first row. */
bool sqlite_number(struct sqlite_file *f, const char *text, int64_t *value, struct err *e);
