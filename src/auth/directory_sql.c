/*
 * A thin layer over SQLite's calls: parameters from struct str, results into arenas, result codes
 * into kinds of errors. What a later try may not meet (another process holds the database, the
 * disk fails) is never mistaken for an answer.
 */
#include "auth/directory_sql.h"

#include <stdarg.h>

static enum err_kind kind_of(int code)
{
    switch (code & 0xff) {
    case SQLITE_CONSTRAINT:
        return ERR_EXISTS;
    case SQLITE_FULL:
        return ERR_NO_SPACE;
    case SQLITE_IOERR:
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
        return ERR_IO;
    default:
        return ERR_TEMP;
    }
}

bool sql_failed(struct directory_db *db, const char *what, struct err *e)
{
    return err_set(e, kind_of(sqlite3_extended_errcode(db->sqlite)), "directory %s: %s: %s",
                   db->path, what, sqlite3_errmsg(db->sqlite));
}

bool sql_run(struct directory_db *db, const char *text, struct err *e)
{
    if (sqlite3_exec(db->sqlite, text, NULL, NULL, NULL) == SQLITE_OK)
        return true;
    return sql_failed(db, "cannot be written", e);
}

static sqlite3_stmt *prepare(struct directory_db *db, struct err *e, const char *text,
                             const char *types, va_list args)
{
    sqlite3_stmt *s = NULL;
    int result = sqlite3_prepare_v2(db->sqlite, text, -1, &s, NULL);
    for (int i = 0; types[i] && result == SQLITE_OK; i++) {
        if (types[i] == 's') {
            struct str value = va_arg(args, struct str);
            result = sqlite3_bind_text64(s, i + 1, value.p ? value.p : "", value.n,
                                         SQLITE_TRANSIENT, SQLITE_UTF8);
        } else {
            result = sqlite3_bind_int64(s, i + 1, va_arg(args, int64_t));
        }
    }
    if (result == SQLITE_OK)
        return s;
    sql_failed(db, "cannot be asked", e);
    sqlite3_finalize(s);
    return NULL;
}

sqlite3_stmt *sql_prepare(struct directory_db *db, struct err *e, const char *text,
                          const char *types, ...)
{
    va_list args;
    va_start(args, types);
    sqlite3_stmt *s = prepare(db, e, text, types, args);
    va_end(args);
    return s;
}

enum sql_step sql_step(struct directory_db *db, sqlite3_stmt *s, struct err *e)
{
    int result = sqlite3_step(s);
    if (result == SQLITE_ROW)
        return SQL_ROW;
    if (result == SQLITE_DONE)
        return SQL_END;
    sql_failed(db, sqlite3_stmt_readonly(s) ? "cannot be read" : "cannot be written", e);
    return SQL_FAILED;
}

struct str sql_text(sqlite3_stmt *s, int column, struct arena *a)
{
    const unsigned char *text = sqlite3_column_text(s, column);
    int n = sqlite3_column_bytes(s, column);
    return arena_str(a, str_from(text ? (const char *)text : "", text ? (size_t)n : 0));
}

bool sql_change(struct directory_db *db, int64_t *changed, struct err *e, const char *text,
                const char *types, ...)
{
    va_list args;
    va_start(args, types);
    sqlite3_stmt *s = prepare(db, e, text, types, args);
    va_end(args);
    bool ok = s && sql_step(db, s, e) == SQL_END;
    sqlite3_finalize(s);
    if (ok && changed)
        *changed = sqlite3_changes(db->sqlite);
    return ok;
}

bool sql_number(struct directory_db *db, int64_t *value, struct err *e, const char *text,
                const char *types, ...)
{
    va_list args;
    va_start(args, types);
    sqlite3_stmt *s = prepare(db, e, text, types, args);
    va_end(args);
    enum sql_step step = s ? sql_step(db, s, e) : SQL_FAILED;
    *value = step == SQL_ROW ? sqlite3_column_int64(s, 0) : 0;
    sqlite3_finalize(s);
    return step != SQL_FAILED;
}

enum lookup sql_lookup(enum sql_step step)
{
    return step == SQL_ROW ? LOOKUP_FOUND : step == SQL_END ? LOOKUP_NOT_FOUND : LOOKUP_TEMPFAIL;
}

void *sql_rows_add(struct sql_rows *r, struct arena *a)
{
    r->p = arena_grow(a, r->p, r->count, &r->capacity, r->size, 8);
    return r->p + r->count++ * r->size;
}

bool sql_read_texts(struct directory_db *db, sqlite3_stmt *s, struct arena *a, struct str **list,
                    size_t *count, struct err *e)
{
    struct sql_rows rows = {.size = sizeof(struct str)};
    enum sql_step step = SQL_FAILED;
    while (s && (step = sql_step(db, s, e)) == SQL_ROW)
        *(struct str *)sql_rows_add(&rows, a) = sql_text(s, 0, a);
    sqlite3_finalize(s);
    *list = (struct str *)rows.p;
    *count = rows.count;
    return step == SQL_END;
}

bool sql_missing(struct err *e, const char *what, struct str name)
{
    return err_set(e, ERR_NOT_FOUND, "there is no %s %.*s", what, STR_ARG(name));
}

bool sql_exists(struct err *e, const char *what, struct str name)
{
    return err_set(e, ERR_EXISTS, "the %s %.*s exists already", what, STR_ARG(name));
}
