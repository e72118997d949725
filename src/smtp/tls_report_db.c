/*
 * Counts on disk: SQLite with a write-ahead log that is not synced at each commit (a power cut
 * loses the last seconds of counts, never the file). Opened at its first use. One worker at a time.
 */
#include "core/disk.h"
#include "core/mem.h"
#include "smtp/tls_report_internal.h"

#include <sqlite3.h>
#include <stdlib.h>

/* "mtls" */
#define APPLICATION_ID "1836346483"
#define BUSY_MSEC      2000

struct tls_report_db {
    sqlite3 *sqlite; /* NULL: not open */
    char *path;
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

static bool failed(struct tls_report_db *db, struct err *e)
{
    int code = sqlite3_errcode(db->sqlite) & 0xff;
    return err_set(e, code == SQLITE_FULL ? ERR_NO_SPACE : ERR_IO, "%s: %s", db->path,
                   sqlite3_errmsg(db->sqlite));
}

static bool run(struct tls_report_db *db, const char *text, struct err *e)
{
    return sqlite3_exec(db->sqlite, text, NULL, NULL, NULL) == SQLITE_OK || failed(db, e);
}

static sqlite3_stmt *prepare(struct tls_report_db *db, const char *text, struct err *e)
{
    sqlite3_stmt *s = NULL;
    if (sqlite3_prepare_v2(db->sqlite, text, -1, &s, NULL) != SQLITE_OK)
        failed(db, e);
    return s;
}

static void bind_text(sqlite3_stmt *s, int at, struct str text)
{
    sqlite3_bind_text64(s, at, text.p ? text.p : "", text.n, SQLITE_STATIC, SQLITE_UTF8);
}

static struct str column(sqlite3_stmt *s, int at, struct arena *a)
{
    const unsigned char *text = sqlite3_column_text(s, at);
    int n = sqlite3_column_bytes(s, at);
    return arena_str(a, str_from(text ? (const char *)text : "", text ? (size_t)n : 0));
}

/* One that gives no rows; ready for the next values. */
static bool finish(struct tls_report_db *db, sqlite3_stmt *s, struct err *e)
{
    bool ok = sqlite3_step(s) == SQLITE_DONE || failed(db, e);
    sqlite3_reset(s);
    return ok;
}

static bool count_rows(struct tls_report_db *db, struct err *e)
{
    sqlite3_stmt *s = prepare(db, "SELECT count(*) FROM results", e);
    bool ok = s && (sqlite3_step(s) == SQLITE_ROW || failed(db, e));
    db->rows = ok ? sqlite3_column_int64(s, 0) : 0;
    sqlite3_finalize(s);
    return ok;
}

static void close_db(struct tls_report_db *db)
{
    sqlite3_close(db->sqlite);
    db->sqlite = NULL;
}

static bool open_file(struct tls_report_db *db, struct err *e)
{
    if (sqlite3_open_v2(db->path, &db->sqlite, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL) !=
        SQLITE_OK)
        return failed(db, e);
    sqlite3_busy_timeout(db->sqlite, BUSY_MSEC);
    return run(db, schema, e) && count_rows(db, e);
}

static bool is_damaged(struct tls_report_db *db)
{
    int code = db->sqlite ? sqlite3_errcode(db->sqlite) & 0xff : 0;
    return code == SQLITE_CORRUPT || code == SQLITE_NOTADB;
}

/* Statistics are not worth a question: a damaged file is put aside under another name. */
static bool open_db(struct tls_report_db *db, struct err *e)
{
    struct buf aside = BUF_EMPTY;
    if (db->sqlite)
        return true;
    bool ok = open_file(db, e);
    if (!ok && is_damaged(db)) {
        close_db(db);
        buf_printf(&aside, "%s.damaged", db->path);
        ok = disk_rename(db->path, buf_c(&aside), e) && open_file(db, e);
        buf_free(&aside);
    }
    if (!ok)
        close_db(db);
    return ok;
}

struct tls_report_db *tls_report_db_new(const char *path)
{
    struct tls_report_db *db = MEM_NEW(struct tls_report_db);
    db->path = mem_dup(path, strlen(path));
    return db;
}

void tls_report_db_free(struct tls_report_db *db)
{
    close_db(db);
    free(db->path);
    free(db);
}

/* --- adding --- */

#define ROW_IS                                                                                     \
    "day=?1 AND domain=?2 AND policy=?3 AND policy_text=?4 AND hosts=?5 AND result=?6 AND "        \
    "host=?7 AND address=?8 AND source=?9 AND reason=?10"

static void bind_row(sqlite3_stmt *s, const struct tls_report_row *r)
{
    sqlite3_bind_int64(s, 1, r->day);
    bind_text(s, 2, r->domain);
    sqlite3_bind_int64(s, 3, r->policy);
    bind_text(s, 4, r->policy_text);
    bind_text(s, 5, r->hosts);
    bind_text(s, 6, r->result);
    bind_text(s, 7, r->host);
    bind_text(s, 8, r->address);
    bind_text(s, 9, r->source);
    bind_text(s, 10, r->reason);
    sqlite3_bind_int64(s, 11, (int64_t)r->count);
}

static bool add_rows(struct tls_report_db *db, const struct tls_report_row *rows, size_t count,
                     struct err *e)
{
    bool ok = true;
    sqlite3_stmt *more = prepare(db, "UPDATE results SET count=count+?11 WHERE " ROW_IS, e);
    sqlite3_stmt *new = more ? prepare(db,
                                       "INSERT INTO results VALUES "
                                       "(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11)",
                                       e)
                             : NULL;
    ok = more && new;
    for (size_t i = 0; ok && i < count; i++) {
        bind_row(more, &rows[i]);
        ok = finish(db, more, e);
        if (!ok || sqlite3_changes(db->sqlite) > 0 || db->rows >= TLS_REPORT_ROWS_MAX)
            continue;
        bind_row(new, &rows[i]);
        ok = finish(db, new, e);
        db->rows++;
    }
    sqlite3_finalize(more);
    sqlite3_finalize(new);
    return ok;
}

bool tls_report_db_add(struct tls_report_db *db, const struct tls_report_row *rows, size_t count,
                       struct err *e)
{
    if (!open_db(db, e) || !run(db, "BEGIN IMMEDIATE", e))
        return false;
    bool ok = add_rows(db, rows, count, e) && run(db, "COMMIT", e);
    if (!ok)
        run(db, "ROLLBACK", NULL);
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
                                 .domain = column(s, 1, a),
                                 .policy = (enum tls_report_policy)sqlite3_column_int64(s, 2),
                                 .policy_text = column(s, 3, a),
                                 .hosts = column(s, 4, a),
                                 .result = column(s, 5, a),
                                 .host = column(s, 6, a),
                                 .address = column(s, 7, a),
                                 .source = column(s, 8, a),
                                 .reason = column(s, 9, a),
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
    sqlite3_stmt *s = prepare(db,
                              "SELECT * FROM results WHERE day=?1 AND (?2='' OR domain=?2) "
                              "ORDER BY domain, policy, policy_text, hosts, count DESC LIMIT 20000",
                              e);
    if (!s)
        return false;
    sqlite3_bind_int64(s, 1, day);
    bind_text(s, 2, domain);
    while ((step = sqlite3_step(s)) == SQLITE_ROW) {
        *rows = grow(a, *rows, *count, sizeof(**rows));
        take_row(s, a, &(*rows)[(*count)++]);
    }
    bool ok = step == SQLITE_DONE || failed(db, e);
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
    sqlite3_stmt *s = prepare(db,
                              "SELECT DISTINCT day, domain FROM results WHERE day>=?1 AND day<?2 "
                              "EXCEPT SELECT day, domain FROM reported ORDER BY day, domain",
                              e);
    if (!s)
        return false;
    sqlite3_bind_int64(s, 1, first);
    sqlite3_bind_int64(s, 2, before);
    while ((step = sqlite3_step(s)) == SQLITE_ROW) {
        *list = grow(a, *list, *count, sizeof(**list));
        (*list)[(*count)++] = (struct tls_report_due){sqlite3_column_int64(s, 0), column(s, 1, a)};
    }
    bool ok = step == SQLITE_DONE || failed(db, e);
    sqlite3_finalize(s);
    return ok;
}

bool tls_report_db_done(struct tls_report_db *db, const struct tls_report_due *due, struct err *e)
{
    if (!open_db(db, e))
        return false;
    sqlite3_stmt *s = prepare(db, "INSERT OR IGNORE INTO reported VALUES (?1,?2)", e);
    if (!s)
        return false;
    sqlite3_bind_int64(s, 1, due->day);
    bind_text(s, 2, due->domain);
    bool ok = finish(db, s, e);
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
    bool ok = run(db, buf_c(&text), e) && count_rows(db, e);
    buf_free(&text);
    return ok;
}
