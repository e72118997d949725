/*
 * The greylist on disk: SQLite with a write-ahead log that is not synced at each commit. A power
 * cut may lose the last seconds, which costs a few senders another wait, but never the file.
 *
 * Rows are found by the first bytes of a SHA-256 of what they are about, and are deleted in the
 * order of their end: what has not come back ends soon and what has in weeks, so a flood of new
 * ones pushes out only itself. Nothing here is needed to take mail: whatever fails is told to the
 * caller, who goes on without.
 */
#include "policy/greylist_db.h"

#include "core/disk.h"
#include "core/mem.h"
#include "core/sqlite.h"
#include "policy/state_limits.h"

#include <fcntl.h>
#include <stdlib.h>

/* "mpol" */
#define APPLICATION_ID "1836085100"
#define BUSY_MSEC      2000

struct greylist_db {
    struct sqlite_file file;
    sqlite3_stmt *find_triplet, *find_client; /* asked for each unknown sender; NULL: not yet */
    int64_t rows_most;               /* triplets, at most: counted anew when that is too many */
    int64_t surplus, client_surplus; /* still to be deleted */
};

static const char schema[] =
    "BEGIN IMMEDIATE;"
    "CREATE TABLE IF NOT EXISTS triplets ("
    " id BLOB PRIMARY KEY, network TEXT NOT NULL, sender TEXT NOT NULL, recipient TEXT NOT NULL,"
    " first INTEGER NOT NULL, last INTEGER NOT NULL, passed INTEGER NOT NULL,"
    " expires INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE INDEX IF NOT EXISTS triplets_expires ON triplets (expires);"
    "CREATE TABLE IF NOT EXISTS clients ("
    " network TEXT PRIMARY KEY, good INTEGER NOT NULL, counted INTEGER NOT NULL,"
    " last INTEGER NOT NULL, expires INTEGER NOT NULL, by_hand INTEGER NOT NULL)"
    " STRICT, WITHOUT ROWID;"
    "CREATE INDEX IF NOT EXISTS clients_expires ON clients (expires);"
    "PRAGMA application_id=" APPLICATION_ID ";"
    "PRAGMA user_version=1;"
    "COMMIT;";

/* --- statements --- */

static void bind_key(sqlite3_stmt *s, int at, const unsigned char *key)
{
    sqlite3_bind_blob(s, at, key, GREYLIST_KEY, SQLITE_STATIC);
}

/* --- opening --- */

void greylist_db_close(struct greylist_db *db)
{
    if (!db)
        return;
    sqlite3_finalize(db->find_triplet);
    sqlite3_finalize(db->find_client);
    sqlite3_close(db->file.sqlite);
    free(db->file.path);
    free(db);
}

bool greylist_db_is_damaged(const struct greylist_db *db)
{
    return db->file.damaged;
}

static bool is_ours(struct greylist_db *db, struct err *e)
{
    int64_t application, version, tables;
    if (!sqlite_number(&db->file, "PRAGMA application_id", &application, e) ||
        !sqlite_number(&db->file, "PRAGMA user_version", &version, e) ||
        !sqlite_number(&db->file, "SELECT count(*) FROM sqlite_schema", &tables, e))
        return false;
    if ((application != atoll(APPLICATION_ID) && tables != 0) || version > 1)
        return err_set(e, ERR_PERM,
                       "%s: this is the database of another program or of a newer version",
                       db->file.path);
    return true;
}

/* The file is made with mode 0600 before SQLite sees it. */
static bool create_file(const char *path, struct err *e)
{
    int fd;
    if (!disk_open(path, O_RDWR | O_CREAT, 0600, &fd, e))
        return false;
    disk_close(fd);
    return true;
}

struct greylist_db *greylist_db_open(const char *path, bool *damaged, struct err *e)
{
    *damaged = false;
    if (!create_file(path, e))
        return NULL;
    struct greylist_db *db = MEM_NEW(struct greylist_db);
    db->file.path = mem_dup(path, strlen(path));
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;
    bool ok = sqlite3_open_v2(path, &db->file.sqlite, flags, NULL) == SQLITE_OK ||
              sqlite_failed(&db->file, e);
    if (ok) {
        sqlite3_busy_timeout(db->file.sqlite, BUSY_MSEC);
        sqlite3_db_config(db->file.sqlite, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
        ok = is_ours(db, e) &&
             sqlite_run(&db->file,
                        "PRAGMA auto_vacuum=INCREMENTAL; PRAGMA journal_mode=WAL;"
                        "PRAGMA synchronous=NORMAL; PRAGMA wal_autocheckpoint=4000; PRAGMA "
                        "cache_size=-8192;"
                        "PRAGMA journal_size_limit=33554432;",
                        e) &&
             sqlite_run(&db->file, schema, e) &&
             sqlite_number(&db->file, "SELECT count(*) FROM triplets", &db->rows_most, e);
    }
    if (ok)
        return db;
    *damaged = db->file.damaged;
    greylist_db_close(db);
    return NULL;
}

bool greylist_db_set_aside(const char *path, struct err *e)
{
    struct arena *a = arena_new();
    const char *aside = arena_printf(a, "%s.damaged", path).p;
    bool ok = disk_rename(path, aside, e) && disk_unlink(arena_printf(a, "%s-wal", path).p, e) &&
              disk_unlink(arena_printf(a, "%s-shm", path).p, e);
    arena_free(a);
    return ok;
}

/* --- looking --- */

/* The statement, prepared at its first use. */
static sqlite3_stmt *prepared(struct greylist_db *db, sqlite3_stmt **s, const char *text,
                              struct err *e)
{
    if (!*s)
        *s = sqlite_prepare(&db->file, text, e);
    return *s;
}

static bool find_triplet(struct greylist_db *db, const unsigned char *key,
                         struct greylist_triplet *t, bool *found, struct err *e)
{
    sqlite3_stmt *s = prepared(db, &db->find_triplet,
                               "SELECT first, last, passed, expires FROM triplets WHERE id = ?", e);
    if (!s)
        return false;
    bind_key(s, 1, key);
    int step = sqlite3_step(s);
    *found = step == SQLITE_ROW;
    if (*found) {
        t->first = sqlite3_column_int64(s, 0);
        t->last = sqlite3_column_int64(s, 1);
        t->passed = sqlite3_column_int64(s, 2);
        t->expires = sqlite3_column_int64(s, 3);
    }
    bool ok = step == SQLITE_ROW || step == SQLITE_DONE || sqlite_failed(&db->file, e);
    sqlite3_reset(s);
    return ok;
}

static void read_client(sqlite3_stmt *s, struct greylist_client *c)
{
    c->good = sqlite3_column_int64(s, 1);
    c->counted = sqlite3_column_int64(s, 2);
    c->last = sqlite3_column_int64(s, 3);
    c->expires = sqlite3_column_int64(s, 4);
    c->by_hand = sqlite3_column_int(s, 5) != 0;
}

#define CLIENT_COLUMNS "network, good, counted, last, expires, by_hand"

static bool find_client(struct greylist_db *db, struct str address, struct str network,
                        struct greylist_client *c, bool *found, struct err *e)
{
    sqlite3_stmt *s = prepared(db, &db->find_client,
                               "SELECT " CLIENT_COLUMNS " FROM clients WHERE network = ?2 OR"
                               " (network = ?1 AND by_hand) ORDER BY by_hand DESC LIMIT 1",
                               e);
    if (!s)
        return false;
    sqlite_bind_text(s, 1, address);
    sqlite_bind_text(s, 2, network);
    int step = sqlite3_step(s);
    *found = step == SQLITE_ROW;
    if (*found) {
        read_client(s, c);
        const char *key = (const char *)sqlite3_column_text(s, 0);
        c->network = key && str_equal(str_from_c(key), address) ? address : network;
    }
    bool ok = step == SQLITE_ROW || step == SQLITE_DONE || sqlite_failed(&db->file, e);
    sqlite3_reset(s);
    return ok;
}

bool greylist_db_find(struct greylist_db *db, const unsigned char *key, struct str address,
                      struct str network, struct greylist_triplet *triplet, bool *found,
                      struct greylist_client *client, bool *client_found, struct err *e)
{
    return find_triplet(db, key, triplet, found, e) &&
           find_client(db, address, network, client, client_found, e);
}

/* --- writing --- */

/* A row that is known stays so, should it have been begun anew while it could not be looked up. */
static const char upsert_triplet[] =
    "INSERT INTO triplets VALUES (?,?,?,?,?,?,?,?) ON CONFLICT (id) DO UPDATE SET"
    " first = excluded.first, last = excluded.last,"
    " passed = iif(expires > excluded.last, max(passed, excluded.passed), excluded.passed),"
    " expires = iif(expires > excluded.last AND passed > excluded.passed,"
    " max(expires, excluded.expires), excluded.expires)";

static bool write_triplets(struct greylist_db *db, const struct greylist_triplet *list,
                           size_t count, struct err *e)
{
    sqlite3_stmt *s = sqlite_prepare(&db->file, upsert_triplet, e);
    bool ok = s != NULL;
    for (size_t i = 0; i < count && ok; i++) {
        bind_key(s, 1, list[i].key);
        sqlite_bind_text(s, 2, list[i].network);
        sqlite_bind_text(s, 3, list[i].sender);
        sqlite_bind_text(s, 4, list[i].recipient);
        sqlite3_bind_int64(s, 5, list[i].first);
        sqlite3_bind_int64(s, 6, list[i].last);
        sqlite3_bind_int64(s, 7, list[i].passed);
        sqlite3_bind_int64(s, 8, list[i].expires);
        ok = sqlite_finish(&db->file, s, e);
    }
    sqlite3_finalize(s);
    return ok;
}

static bool write_clients(struct greylist_db *db, const struct greylist_client *list, size_t count,
                          struct err *e)
{
    sqlite3_stmt *s =
        sqlite_prepare(&db->file,
                       "INSERT INTO clients VALUES (?,?,?,?,?,?) ON CONFLICT (network) DO"
                       " UPDATE SET good = excluded.good, counted = excluded.counted,"
                       " last = excluded.last, expires = excluded.expires,"
                       " by_hand = max(by_hand, excluded.by_hand)",
                       e);
    bool ok = s != NULL;
    for (size_t i = 0; i < count && ok; i++) {
        sqlite_bind_text(s, 1, list[i].network);
        sqlite3_bind_int64(s, 2, list[i].good);
        sqlite3_bind_int64(s, 3, list[i].counted);
        sqlite3_bind_int64(s, 4, list[i].last);
        sqlite3_bind_int64(s, 5, list[i].expires);
        sqlite3_bind_int64(s, 6, list[i].by_hand);
        ok = sqlite_finish(&db->file, s, e);
    }
    sqlite3_finalize(s);
    return ok;
}

static bool commit(struct greylist_db *db, bool ok, struct err *e)
{
    if (ok && sqlite_run(&db->file, "COMMIT", e))
        return true;
    sqlite_run(&db->file, "ROLLBACK", NULL); /* has happened already after some failures */
    return false;
}

bool greylist_db_write(struct greylist_db *db, const struct greylist_triplet *triplets,
                       size_t triplet_count, const struct greylist_client *clients,
                       size_t client_count, struct err *e)
{
    if (!sqlite_run(&db->file, "BEGIN IMMEDIATE", e))
        return false;
    bool ok = write_triplets(db, triplets, triplet_count, e) &&
              write_clients(db, clients, client_count, e);
    if (!commit(db, ok, e))
        return false;
    db->rows_most += (int64_t)triplet_count;
    return true;
}

/* --- cleaning --- */

static bool delete_some(struct greylist_db *db, const char *text, int64_t value, int64_t *deleted,
                        struct err *e)
{
    sqlite3_stmt *s = sqlite_prepare(&db->file, text, e);
    if (!s)
        return false;
    sqlite3_bind_int64(s, 1, value);
    bool ok = sqlite_finish(&db->file, s, e);
    *deleted = ok ? sqlite3_changes(db->file.sqlite) : 0;
    sqlite3_finalize(s);
    return ok;
}

#define SOME_OF(table, key, condition)                                                             \
    "DELETE FROM " table " WHERE " key " IN (SELECT " key " FROM " table " " condition

bool greylist_db_count(struct greylist_db *db, int64_t *triplets, int64_t *clients, struct err *e)
{
    if (!sqlite_number(&db->file, "SELECT count(*) FROM triplets", triplets, e) ||
        !sqlite_number(&db->file, "SELECT count(*) FROM clients", clients, e))
        return false;
    db->rows_most = *triplets;
    return true;
}

static bool delete_expired(struct greylist_db *db, int64_t now, bool *more, struct err *e)
{
    int64_t triplets, clients;
    if (!delete_some(db,
                     SOME_OF("triplets", "id", "WHERE expires < ?1 ORDER BY expires LIMIT 500)"),
                     now, &triplets, e) ||
        !delete_some(db,
                     SOME_OF("clients", "network",
                             "WHERE expires < ?1 AND NOT by_hand ORDER BY expires LIMIT 500)"),
                     now, &clients, e))
        return false;
    db->rows_most -= triplets;
    *more = triplets == GREYLIST_SLICE || clients == GREYLIST_SLICE;
    return true;
}

/* A twentieth more than is too much goes, so that counting them all is rare. */
static bool find_surplus(struct greylist_db *db, int64_t rows_max, struct err *e)
{
    int64_t triplets, clients;
    if (db->surplus > 0 || db->rows_most <= rows_max)
        return true;
    if (!greylist_db_count(db, &triplets, &clients, e))
        return false;
    db->surplus = triplets > rows_max ? triplets - rows_max + rows_max / 20 : 0;
    db->client_surplus = clients > GREYLIST_CLIENTS_MAX ? clients - GREYLIST_CLIENTS_MAX : 0;
    return true;
}

/* Those that end first go. */
static bool delete_first(struct greylist_db *db, const char *text, int64_t *surplus, struct err *e)
{
    int64_t deleted, some = *surplus < 4 * GREYLIST_SLICE ? *surplus : 4 * GREYLIST_SLICE;
    if (*surplus == 0)
        return true;
    if (!delete_some(db, text, some, &deleted, e))
        return false;
    *surplus = deleted < some ? 0 : *surplus - deleted;
    return true;
}

static bool delete_surplus(struct greylist_db *db, int64_t rows_max, bool *more, struct err *e)
{
    int64_t before;
    if (!find_surplus(db, rows_max, e))
        return false;
    before = db->surplus;
    if (!delete_first(db, SOME_OF("triplets", "id", "ORDER BY expires LIMIT ?1)"), &db->surplus,
                      e) ||
        !delete_first(db,
                      SOME_OF("clients", "network", "WHERE NOT by_hand ORDER BY expires LIMIT ?1)"),
                      &db->client_surplus, e))
        return false;
    db->rows_most -= before - db->surplus;
    *more |= db->surplus > 0 || db->client_surplus > 0;
    return true;
}

bool greylist_db_clean(struct greylist_db *db, int64_t now, int64_t rows_max, bool *more,
                       struct err *e)
{
    *more = false;
    if (!sqlite_run(&db->file, "BEGIN IMMEDIATE", e))
        return false;
    bool ok = delete_expired(db, now, more, e) && delete_surplus(db, rows_max, more, e);
    return commit(db, ok, e) && sqlite_run(&db->file, "PRAGMA incremental_vacuum(200)", e);
}

/* --- for operators --- */

bool greylist_db_list(struct greylist_db *db, const struct greylist_triplet *after, struct str text,
                      size_t max, struct arena *a, struct greylist_triplet *list, size_t *count,
                      struct err *e)
{
    int step = SQLITE_ERROR;
    sqlite3_stmt *s = sqlite_prepare(
        &db->file,
        "SELECT id, network, sender, recipient, first, last, passed, expires FROM triplets"
        " WHERE (expires, id) > (?1, ?2) AND (?3 = '' OR instr(network, ?3) OR instr(sender, ?3)"
        " OR instr(recipient, ?3)) ORDER BY expires, id LIMIT ?4",
        e);
    *count = 0;
    if (!s)
        return false;
    sqlite3_bind_int64(s, 1, after->expires);
    bind_key(s, 2, after->key);
    sqlite_bind_text(s, 3, text);
    sqlite3_bind_int64(s, 4, (int64_t)max);
    while (*count < max && (step = sqlite3_step(s)) == SQLITE_ROW) {
        struct greylist_triplet *t = &list[(*count)++];
        *t = (struct greylist_triplet){.network = sqlite_text(s, 1, a),
                                       .sender = sqlite_text(s, 2, a),
                                       .recipient = sqlite_text(s, 3, a),
                                       .first = sqlite3_column_int64(s, 4),
                                       .last = sqlite3_column_int64(s, 5),
                                       .passed = sqlite3_column_int64(s, 6),
                                       .expires = sqlite3_column_int64(s, 7)};
        if (sqlite3_column_bytes(s, 0) == GREYLIST_KEY)
            memcpy(t->key, sqlite3_column_blob(s, 0), GREYLIST_KEY);
    }
    bool ok = step == SQLITE_ROW || step == SQLITE_DONE || sqlite_failed(&db->file, e);
    sqlite3_finalize(s);
    return ok;
}

bool greylist_db_list_clients(struct greylist_db *db, struct str after, struct str text, size_t max,
                              struct arena *a, struct greylist_client *list, size_t *count,
                              struct err *e)
{
    int step = SQLITE_ERROR;
    sqlite3_stmt *s = sqlite_prepare(&db->file,
                                     "SELECT " CLIENT_COLUMNS " FROM clients WHERE network > ?1 AND"
                                     " (?2 = '' OR instr(network, ?2)) ORDER BY network LIMIT ?3",
                                     e);
    *count = 0;
    if (!s)
        return false;
    sqlite_bind_text(s, 1, after);
    sqlite_bind_text(s, 2, text);
    sqlite3_bind_int64(s, 3, (int64_t)max);
    while (*count < max && (step = sqlite3_step(s)) == SQLITE_ROW) {
        struct greylist_client *c = &list[(*count)++];
        *c = (struct greylist_client){.network = sqlite_text(s, 0, a)};
        read_client(s, c);
    }
    bool ok = step == SQLITE_ROW || step == SQLITE_DONE || sqlite_failed(&db->file, e);
    sqlite3_finalize(s);
    return ok;
}

static bool delete_where(struct greylist_db *db, const char *statement, struct str text,
                         int64_t *deleted, struct err *e)
{
    sqlite3_stmt *s = sqlite_prepare(&db->file, statement, e);
    if (!s)
        return false;
    sqlite_bind_text(s, 1, text);
    bool ok = sqlite_finish(&db->file, s, e);
    *deleted += ok ? sqlite3_changes(db->file.sqlite) : 0;
    sqlite3_finalize(s);
    return ok;
}

bool greylist_db_delete(struct greylist_db *db, struct str text, int64_t *deleted, struct err *e)
{
    *deleted = 0;
    if (str_find_char(text, '@') >= 0)
        return delete_where(db, "DELETE FROM triplets WHERE sender = ?1 OR recipient = ?1", text,
                            deleted, e);
    return delete_where(db, "DELETE FROM clients WHERE network = ?1", text, deleted, e) &&
           delete_where(db, "DELETE FROM triplets WHERE network = ?1", text, deleted, e);
}
