/*
 * Counts on disk: SQLite with a write-ahead log that is not synced at each commit (a power cut
 * loses the last seconds of counts, never the file). Opened at its first use. One worker at a time.
 */
#include "core/disk.h"
#include "core/mem.h"
#include "core/sqlite.h"
#include "smtp/tls_report_internal.h"

#include <stdlib.h>

/* "mtls" */
#define APPLICATION_ID "1836346483"
#define BUSY_MSEC      2000
#define COUNT          "SELECT count(*) FROM results"

struct tls_report_db {
    struct sqlite_file file; /* its sqlite NULL: not open */
    int64_t rows;
};

static const char schema[] =
    "PRAGMA journal_mode=WAL;"
    "PRAGMA synchronous=NORMAL;"
    "BEGIN IMMEDIATE;"
    "CREATE TABLE IF NOT EXISTS results ("
    " day INTEGER NOT NULL, domain TEXT NOT NULL, policy INTEGER NOT NULL,"
    " policy_text TEXT NOT NULL, hosts TEXT NOT NULL, result TEXT NOT NULL, host TEXT NOT NULL,"
    " address TEXT NOT NULL, source TEXT NOT NULL, reason TEXT NOT NULL, count INTEGER NOT NULL,"
    " PRIMARY KEY (day, domain, policy, policy_text, hosts, result, host, address, source, reason)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS reported ("
    " day INTEGER NOT NULL, domain TEXT NOT NULL, PRIMARY KEY (day, domain)"
    ") STRICT, WITHOUT ROWID;"
    "PRAGMA application_id=" APPLICATION_ID ";"
    "PRAGMA user_version=1;"
    "COMMIT;";

static void close_db(struct tls_report_db *db)
{
    sqlite3_close(db->file.sqlite);
    db->file.sqlite = NULL;
    db->file.damaged = false;
}

static bool open_file(struct tls_report_db *db, struct err *e)
{
    if (sqlite3_open_v2(db->file.path, &db->file.sqlite, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
                        NULL) != SQLITE_OK)
        return sqlite_failed(&db->file, e);
    sqlite3_busy_timeout(db->file.sqlite, BUSY_MSEC);
    return sqlite_run(&db->file, schema, e) && sqlite_number(&db->file, COUNT, &db->rows, e);
}

/* Statistics are not worth a question: a damaged file is put aside under another name. */
static bool open_db(struct tls_report_db *db, struct err *e)
{
    struct buf aside = BUF_EMPTY;
    if (db->file.sqlite)
        return true;
    bool ok = open_file(db, e);
    if (!ok && db->file.damaged) {
        close_db(db);
        buf_printf(&aside, "%s.damaged", db->file.path);
        ok = disk_rename(db->file.path, buf_c(&aside), e) && open_file(db, e);
        buf_free(&aside);
    }
    if (!ok)
        close_db(db);
    return ok;
}

struct tls_report_db *tls_report_db_new(const char *path)
{
    struct tls_report_db *db = MEM_NEW(struct tls_report_db);
    db->file.path = mem_dup(path, strlen(path));
    return db;
}

void tls_report_db_free(struct tls_report_db *db)
{
    close_db(db);
    free(db->file.path);
    free(db);
}

/* --- adding --- */

#define ROW_IS                                                                                     \
    "day=?1 AND domain=?2 AND policy=?3 AND policy_text=?4 AND hosts=?5 AND result=?6 AND "        \
    "host=?7 AND address=?8 AND source=?9 AND reason=?10"

static void bind_row(sqlite3_stmt *s, const struct tls_report_row *r)
{
    sqlite3_bind_int64(s, 1, r->day);
    sqlite_bind_text(s, 2, r->domain);
    sqlite3_bind_int64(s, 3, r->policy);
    sqlite_bind_text(s, 4, r->policy_text);
    sqlite_bind_text(s, 5, r->hosts);
    sqlite_bind_text(s, 6, r->result);
    sqlite_bind_text(s, 7, r->host);
    sqlite_bind_text(s, 8, r->address);
    sqlite_bind_text(s, 9, r->source);
    sqlite_bind_text(s, 10, r->reason);
    sqlite3_bind_int64(s, 11, (int64_t)r->count);
}

static bool add_rows(struct tls_report_db *db, const struct tls_report_row *rows, size_t count,
                     struct err *e)
{
    bool ok = true;
    sqlite3_stmt *more =
        sqlite_prepare(&db->file, "UPDATE results SET count=count+?11 WHERE " ROW_IS, e);
    sqlite3_stmt *new = more ? sqlite_prepare(&db->file,
                                              "INSERT INTO results VALUES "
                                              "(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11)",
                                              e)
                             : NULL;
    ok = more && new;
    for (size_t i = 0; ok && i < count; i++) {
        bind_row(more, &rows[i]);
        ok = sqlite_finish(&db->file, more, e);
        if (!ok || sqlite3_changes(db->file.sqlite) > 0 || db->rows >= TLS_REPORT_ROWS_MAX)
            continue;
        bind_row(new, &rows[i]);
        ok = sqlite_finish(&db->file, new, e);
        db->rows++;
    }
    sqlite3_finalize(more);
    sqlite3_finalize(new);
    return ok;
}

bool tls_report_db_add(struct tls_report_db *db, const struct tls_report_row *rows, size_t count,
                       struct err *e)
{
    if (!open_db(db, e) || !sqlite_run(&db->file, "BEGIN IMMEDIATE", e))
        return false;
    bool ok = add_rows(db, rows, count, e) && sqlite_run(&db->file, "COMMIT", e);
    if (!ok)
        sqlite_run(&db->file, "ROLLBACK", NULL);
    return ok;
}

/* --- reading --- */

static void *grow(struct arena *a, void *list, size_t count, size_t size)
{
    if (count & (count - 1)) /* full at each power of two */
        return list;
    void *larger = arena_array(a, count ? 2 * count : 1, size);
    if (count)
        memcpy(larger, list, count * size);
    return larger;
}

static void take_row(sqlite3_stmt *s, struct arena *a, struct tls_report_row *r)
{
    *r = (struct tls_report_row){.day = sqlite3_column_int64(s, 0),
                                 .domain = sqlite_text(s, 1, a),
                                 .policy = (enum tls_report_policy)sqlite3_column_int64(s, 2),
                                 .policy_text = sqlite_text(s, 3, a),
                                 .hosts = sqlite_text(s, 4, a),
                                 .result = sqlite_text(s, 5, a),
                                 .host = sqlite_text(s, 6, a),
                                 .address = sqlite_text(s, 7, a),
                                 .source = sqlite_text(s, 8, a),
                                 .reason = sqlite_text(s, 9, a),
                                 .count = (uint64_t)sqlite3_column_int64(s, 10)};
    if (r->policy > TLS_REPORT_STS)
        r->policy = TLS_REPORT_NO_POLICY;
}

bool tls_report_db_read(struct tls_report_db *db, int64_t day, struct str domain, struct arena *a,
                        struct tls_report_row **rows, size_t *count, struct err *e)
{
    int step = SQLITE_DONE;
    *count = 0;
    *rows = NULL;
    if (!open_db(db, e))
        return false;
    sqlite3_stmt *s =
        sqlite_prepare(&db->file,
                       "SELECT * FROM results WHERE day=?1 AND (?2='' OR domain=?2) "
                       "ORDER BY domain, policy, policy_text, hosts, count DESC LIMIT 20000",
                       e);
    if (!s)
        return false;
    sqlite3_bind_int64(s, 1, day);
    sqlite_bind_text(s, 2, domain);
    while ((step = sqlite3_step(s)) == SQLITE_ROW) {
        *rows = grow(a, *rows, *count, sizeof(**rows));
        take_row(s, a, &(*rows)[(*count)++]);
    }
    bool ok = step == SQLITE_DONE || sqlite_failed(&db->file, e);
    sqlite3_finalize(s);
    return ok;
}

/* --- what was reported --- */

bool tls_report_db_due(struct tls_report_db *db, int64_t first, int64_t before, struct arena *a,
                       struct tls_report_due **list, size_t *count, struct err *e)
{
    int step = SQLITE_DONE;
    *count = 0;
    *list = NULL;
    if (!open_db(db, e))
        return false;
    sqlite3_stmt *s =
        sqlite_prepare(&db->file,
                       "SELECT DISTINCT day, domain FROM results WHERE day>=?1 AND day<?2 "
                       "EXCEPT SELECT day, domain FROM reported ORDER BY day, domain",
                       e);
    if (!s)
        return false;
    sqlite3_bind_int64(s, 1, first);
    sqlite3_bind_int64(s, 2, before);
    while ((step = sqlite3_step(s)) == SQLITE_ROW) {
        *list = grow(a, *list, *count, sizeof(**list));
        (*list)[(*count)++] =
            (struct tls_report_due){sqlite3_column_int64(s, 0), sqlite_text(s, 1, a)};
    }
    bool ok = step == SQLITE_DONE || sqlite_failed(&db->file, e);
    sqlite3_finalize(s);
    return ok;
}

bool tls_report_db_done(struct tls_report_db *db, const struct tls_report_due *due, struct err *e)
{
    if (!open_db(db, e))
        return false;
    sqlite3_stmt *s = sqlite_prepare(&db->file, "INSERT OR IGNORE INTO reported VALUES (?1,?2)", e);
    if (!s)
        return false;
    sqlite3_bind_int64(s, 1, due->day);
    sqlite_bind_text(s, 2, due->domain);
    bool ok = sqlite_finish(&db->file, s, e);
    sqlite3_finalize(s);
    return ok;
}

bool tls_report_db_prune(struct tls_report_db *db, int64_t before, struct err *e)
{
    struct buf text = BUF_EMPTY;
    if (!open_db(db, e))
        return false;
    buf_printf(&text, "DELETE FROM results WHERE day<%lld; DELETE FROM reported WHERE day<%lld",
               (long long)before, (long long)before);
    bool ok =
        sqlite_run(&db->file, buf_c(&text), e) && sqlite_number(&db->file, COUNT, &db->rows, e);
    buf_free(&text);
    return ok;
}
