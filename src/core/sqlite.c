/*
 * Texts are bound where they are, not copied. Who holds the database for a moment is waited for by
 * SQLite itself (sqlite3_busy_timeout); longer is a temporary error.
 */
#include "core/sqlite.h"

static enum err_kind kind_of(int code)
{
    switch (code & 0xff) {
    case SQLITE_FULL:
        return ERR_NO_SPACE;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return ERR_TEMP;
    default:
        return ERR_IO;
    }
}

bool sqlite_failed(struct sqlite_file *f, struct err *e)
{
    int code = sqlite3_extended_errcode(f->sqlite);
    f->damaged |= (code & 0xff) == SQLITE_CORRUPT || (code & 0xff) == SQLITE_NOTADB;
    return err_set(e, kind_of(code), "%s: %s", f->path, sqlite3_errmsg(f->sqlite));
}

bool sqlite_run(struct sqlite_file *f, const char *text, struct err *e)
{
    return sqlite3_exec(f->sqlite, text, NULL, NULL, NULL) == SQLITE_OK || sqlite_failed(f, e);
}

sqlite3_stmt *sqlite_prepare(struct sqlite_file *f, const char *text, struct err *e)
{
    sqlite3_stmt *s = NULL;
    if (sqlite3_prepare_v2(f->sqlite, text, -1, &s, NULL) == SQLITE_OK)
        return s;
    sqlite_failed(f, e);
    return NULL;
}

void sqlite_bind_text(sqlite3_stmt *s, int at, struct str text)
{
    sqlite3_bind_text64(s, at, text.p ? text.p : "", text.n, SQLITE_STATIC, SQLITE_UTF8);
}

bool sqlite_finish(struct sqlite_file *f, sqlite3_stmt *s, struct err *e)
{
    bool ok = sqlite3_step(s) == SQLITE_DONE || sqlite_failed(f, e);
    sqlite3_reset(s);
    return ok;
}

struct str sqlite_text(sqlite3_stmt *s, int column, struct arena *a)
{
    const unsigned char *text = sqlite3_column_text(s, column);
    int n = sqlite3_column_bytes(s, column);
    return arena_str(a, str_from(text ? (const char *)text : "", text ? (size_t)n : 0));
}

bool sqlite_number(struct sqlite_file *f, const char *text, int64_t *value, struct err *e)
{
    sqlite3_stmt *s = sqlite_prepare(f, text, e);
    bool ok = s && (sqlite3_step(s) == SQLITE_ROW || sqlite_failed(f, e));
    *value = ok ? sqlite3_column_int64(s, 0) : 0;
    sqlite3_finalize(s);
    return ok;
}
