/*
 * The directory's file: created with mode 0600 before SQLite sees it (it holds password hashes;
 * SQLite gives its -wal and -shm files the same mode), then brought to the present schema. Each
 * entry of `schema` leads from one version (PRAGMA user_version) to the next, all of them in one
 * transaction; entries are never changed, only added. A file of a newer version, or one that is
 * another program's, is refused untouched.
 *
 * Write-ahead log, so that look-ups do not wait for changes; synchronous=FULL, so that a change is
 * on disk when it returns.
 */
#include "auth/directory_db.h"
#include "auth/directory_sql.h"
#include "auth/limits.h"
#include "core/disk.h"
#include "core/mem.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

/* "mld1" */
#define APPLICATION_ID 0x6d6c6431

static const char *const schema[] = {
    "CREATE TABLE domains ("
    " id INTEGER PRIMARY KEY,"
    " name TEXT NOT NULL UNIQUE) STRICT;"
    "CREATE TABLE users ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " domain INTEGER NOT NULL REFERENCES domains (id),"
    " login TEXT NOT NULL UNIQUE,"
    " home TEXT NOT NULL UNIQUE,"
    " name TEXT NOT NULL,"
    " disabled INTEGER NOT NULL DEFAULT 0,"
    " quota INTEGER NOT NULL DEFAULT 0,"
    " password TEXT NOT NULL,"
    " scram_sha256 TEXT NOT NULL) STRICT;"
    "CREATE INDEX users_domain ON users (domain);"
    "CREATE TABLE addresses ("
    " address TEXT NOT NULL,"
    " destination TEXT NOT NULL,"
    " domain INTEGER NOT NULL REFERENCES domains (id),"
    " PRIMARY KEY (address, destination)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX addresses_domain ON addresses (domain);",
    /* -1: the default of the settings. The column of the first version was never set. */
    "ALTER TABLE users DROP COLUMN quota;"
    "ALTER TABLE users ADD COLUMN quota_storage INTEGER NOT NULL DEFAULT -1;"
    "ALTER TABLE users ADD COLUMN quota_messages INTEGER NOT NULL DEFAULT -1;"
    "ALTER TABLE users ADD COLUMN quota_version INTEGER NOT NULL DEFAULT 0;",
    /* Kinds of domains; what is said of an address as a whole has a row of its own. */
    "ALTER TABLE domains ADD COLUMN kind TEXT NOT NULL DEFAULT 'local';"
    "ALTER TABLE domains ADD COLUMN relay TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE domains ADD COLUMN verify INTEGER NOT NULL DEFAULT 0;"
    "DROP INDEX addresses_domain;"
    "ALTER TABLE addresses RENAME TO old_addresses;"
    "CREATE TABLE addresses ("
    " address TEXT NOT NULL PRIMARY KEY,"
    " domain INTEGER NOT NULL REFERENCES domains (id),"
    " internal INTEGER NOT NULL DEFAULT 0) STRICT, WITHOUT ROWID;"
    "CREATE INDEX addresses_domain ON addresses (domain);"
    "CREATE TABLE destinations ("
    " address TEXT NOT NULL REFERENCES addresses (address) ON DELETE CASCADE,"
    " destination TEXT NOT NULL,"
    " PRIMARY KEY (address, destination)) STRICT, WITHOUT ROWID;"
    "INSERT INTO addresses (address, domain) SELECT DISTINCT address, domain FROM old_addresses;"
    "INSERT INTO destinations (address, destination)"
    " SELECT address, destination FROM old_addresses;"
    "DROP TABLE old_addresses;",
    /* More about users, groups, passwords of programs. What a user may not use is kept, so that
     * who may use everything may use what comes. */
    "ALTER TABLE users ADD COLUMN scram_sha1 TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE users ADD COLUMN cram_md5 TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE users ADD COLUMN protocols_off INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE users ADD COLUMN keep_copy INTEGER NOT NULL DEFAULT 1;"
    "ALTER TABLE users ADD COLUMN password_set INTEGER NOT NULL DEFAULT 0;"
    "UPDATE users SET password_set = unixepoch();"
    "CREATE TABLE forwards ("
    " user INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,"
    " address TEXT NOT NULL,"
    " PRIMARY KEY (user, address)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE old_passwords ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " user INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,"
    " hash TEXT NOT NULL) STRICT;"
    "CREATE INDEX old_passwords_user ON old_passwords (user);"
    "CREATE TABLE mail_groups ("
    " address TEXT NOT NULL PRIMARY KEY,"
    " domain INTEGER NOT NULL REFERENCES domains (id),"
    " name TEXT NOT NULL,"
    " disabled INTEGER NOT NULL DEFAULT 0,"
    " internal INTEGER NOT NULL DEFAULT 0,"
    " members_only INTEGER NOT NULL DEFAULT 0) STRICT, WITHOUT ROWID;"
    "CREATE INDEX mail_groups_domain ON mail_groups (domain);"
    "CREATE TABLE members ("
    " address TEXT NOT NULL REFERENCES mail_groups (address) ON DELETE CASCADE,"
    " key TEXT NOT NULL,"    /* by which addresses compare */
    " member TEXT NOT NULL," /* as it was given */
    " PRIMARY KEY (address, key)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX members_key ON members (key);"
    "CREATE INDEX destinations_destination ON destinations (destination COLLATE NOCASE);"
    "CREATE TABLE app_passwords ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " login TEXT NOT NULL," /* of any source */
    " label TEXT NOT NULL,"
    " secret TEXT NOT NULL,"
    " protocols_off INTEGER NOT NULL,"
    " networks TEXT NOT NULL,"
    " created INTEGER NOT NULL,"
    " expires INTEGER NOT NULL,"
    " last_used INTEGER NOT NULL DEFAULT 0,"
    " UNIQUE (login, label), UNIQUE (login, secret)) STRICT;",
    /* Where mail for an address goes: more of domains, addresses of all domains (no domain), rules,
     * more of groups and of those of other sources, delegations. */
    "ALTER TABLE domains ADD COLUMN alias_of INTEGER REFERENCES domains (id);"
    "ALTER TABLE domains ADD COLUMN subdomains INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE domains ADD COLUMN catch_all TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE domains ADD COLUMN quota_storage INTEGER NOT NULL DEFAULT -1;"
    "ALTER TABLE domains ADD COLUMN quota_messages INTEGER NOT NULL DEFAULT -1;"
    "ALTER TABLE domains ADD COLUMN quota_version INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE domains ADD COLUMN disclaimer TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE domains ADD COLUMN dkim_selector TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE domains ADD COLUMN dkim_key TEXT NOT NULL DEFAULT '';"
    "CREATE INDEX domains_alias_of ON domains (alias_of);"
    "CREATE TABLE domain_copies ("
    " domain INTEGER NOT NULL REFERENCES domains (id) ON DELETE CASCADE,"
    " address TEXT NOT NULL,"
    " PRIMARY KEY (domain, address)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE new_addresses ("
    " address TEXT NOT NULL PRIMARY KEY,"
    " domain INTEGER REFERENCES domains (id),"
    " internal INTEGER NOT NULL DEFAULT 0) STRICT, WITHOUT ROWID;"
    "INSERT INTO new_addresses (address, domain, internal)"
    " SELECT address, domain, internal FROM addresses;"
    "DROP TABLE addresses;"
    "ALTER TABLE new_addresses RENAME TO addresses;"
    "CREATE INDEX addresses_domain ON addresses (domain);"
    "CREATE TABLE rules ("
    " id INTEGER PRIMARY KEY,"
    " position INTEGER NOT NULL,"
    " name TEXT NOT NULL UNIQUE,"
    " pattern TEXT NOT NULL,"
    " domain INTEGER REFERENCES domains (id)," /* NULL: all local ones */
    " internal INTEGER NOT NULL DEFAULT 0) STRICT;"
    "CREATE INDEX rules_position ON rules (position);"
    "CREATE INDEX rules_domain ON rules (domain);"
    "CREATE TABLE rule_destinations ("
    " rule INTEGER NOT NULL REFERENCES rules (id) ON DELETE CASCADE,"
    " destination TEXT NOT NULL,"
    " PRIMARY KEY (rule, destination)) STRICT, WITHOUT ROWID;"
    "ALTER TABLE mail_groups ADD COLUMN send_as INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE mail_groups ADD COLUMN public_mailbox TEXT NOT NULL DEFAULT '';"
    "CREATE TABLE group_settings (" /* NULL: as its source says */
    " address TEXT NOT NULL PRIMARY KEY,"
    " disabled INTEGER,"
    " internal INTEGER,"
    " members_only INTEGER,"
    " send_as INTEGER,"
    " public_mailbox TEXT) STRICT, WITHOUT ROWID;"
    "CREATE TABLE send_as ("
    " address TEXT NOT NULL," /* "local@domain", "@domain" */
    " grantee TEXT NOT NULL," /* of any source */
    " domain INTEGER NOT NULL REFERENCES domains (id),"
    " PRIMARY KEY (address, grantee)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX send_as_grantee ON send_as (grantee);"
    "CREATE INDEX send_as_domain ON send_as (domain);",
};
#define SCHEMA_VERSION ((int64_t)(sizeof(schema) / sizeof(*schema)))

static struct directory_db *open_file(const char *path, struct err *e)
{
    struct directory_db *db = MEM_NEW(struct directory_db);
    db->path = mem_dup(path, strlen(path));
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;
    if (sqlite3_open_v2(path, &db->sqlite, flags, NULL) != SQLITE_OK) {
        sql_failed(db, "cannot be opened", e);
        directory_db_close(db);
        return NULL;
    }
    sqlite3_busy_timeout(db->sqlite, DATABASE_BUSY_MSEC);
    sqlite3_db_config(db->sqlite, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    return db;
}

struct directory_db *directory_db_open(const char *path, struct err *e)
{
    struct directory_db *db = open_file(path, e);
    if (db && sql_run(db,
                      "PRAGMA journal_mode=WAL;"
                      "PRAGMA synchronous=FULL;"
                      "PRAGMA foreign_keys=ON;",
                      e))
        return db;
    directory_db_close(db);
    return NULL;
}

void directory_db_close(struct directory_db *db)
{
    if (!db)
        return;
    sqlite3_close(db->sqlite);
    arena_free(db->touched.arena);
    free((char *)db->path);
    free(db);
}

/* The file and its name in the directory are on disk before anything is written to it. */
static bool create_file(const char *path, struct err *e)
{
    struct err why;
    int fd;
    if (!disk_open(path, O_RDWR | O_CREAT | O_EXCL, 0600, &fd, &why)) {
        if (why.kind == ERR_EXISTS)
            return true;
        *e = why;
        return err_prefix(e, "directory");
    }
    disk_close(fd);
    const char *slash = strrchr(path, '/');
    char *parent = slash ? mem_dup(path, slash == path ? 1 : (size_t)(slash - path)) : NULL;
    bool ok = disk_sync_dir(parent ? parent : ".", e);
    free(parent);
    return ok;
}

static bool migrate(struct directory_db *db, int64_t from, struct err *e)
{
    char versions[80];
    for (int64_t version = from; version < SCHEMA_VERSION; version++)
        if (!sql_run(db, schema[version], e))
            return false;
    snprintf(versions, sizeof(versions), "PRAGMA application_id=%d; PRAGMA user_version=%d;",
             APPLICATION_ID, (int)SCHEMA_VERSION);
    return from == SCHEMA_VERSION || sql_run(db, versions, e);
}

static bool check_and_migrate(struct directory_db *db, struct err *e)
{
    int64_t application, version, tables;
    if (!sql_number(db, &application, e, "PRAGMA application_id", "") ||
        !sql_number(db, &version, e, "PRAGMA user_version", "") ||
        !sql_number(db, &tables, e, "SELECT count(*) FROM sqlite_schema", ""))
        return false;
    if (application != APPLICATION_ID && (application != 0 || version != 0 || tables != 0))
        return err_set(e, ERR_PERM, "directory %s: this is the database of another program",
                       db->path);
    if (version > SCHEMA_VERSION)
        return err_set(e, ERR_PERM,
                       "directory %s: made by a newer version of maild (schema %lld, this one "
                       "knows %lld)",
                       db->path, (long long)version, (long long)SCHEMA_VERSION);
    return migrate(db, version, e);
}

static bool prepare(struct directory_db *db, struct err *e)
{
    if (!sql_run(db, "BEGIN IMMEDIATE", e))
        return false;
    if (check_and_migrate(db, e) && sql_run(db, "COMMIT", e))
        return true;
    sql_run(db, "ROLLBACK", NULL);
    return false;
}

bool directory_db_prepare(const char *path, struct err *e)
{
    struct directory_db *db = NULL;
    bool ok = create_file(path, e) && (db = open_file(path, e)) != NULL && prepare(db, e);
    directory_db_close(db);
    return ok;
}
