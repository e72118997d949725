/*
 * What is asked of the database, and what is written to it. A change is one transaction that takes
 * the write lock at its start, so what it checks stays true until it commits.
 */
#include "auth/directory_db.h"

#include "auth/directory_sql.h"
#include "auth/embedded_user.h"

/* --- look-ups --- */

#define ACCOUNT_COLUMNS                                                                            \
    "users.id, login, users.name, home, disabled, "                                                \
    "quota_storage, quota_messages, quota_version, protocols_off, keep_copy"
#define ACCOUNT_COLUMN_COUNT 10

static void read_account(sqlite3_stmt *s, struct arena *a, struct account *account)
{
    account->id = sqlite3_column_int64(s, 0);
    account->login = sql_text(s, 1, a);
    account->name = sql_text(s, 2, a);
    account->home = sql_text(s, 3, a);
    bool disabled = sqlite3_column_int(s, 4) != 0;
    account->no_login = disabled ? "disabled" : NULL;
    account->mail = disabled ? ACCOUNT_MAIL_REFUSE : ACCOUNT_MAIL_ACCEPT;
    account->quota_storage = sqlite3_column_int64(s, 5);
    account->quota_messages = sqlite3_column_int64(s, 6);
    account->quota_version = sqlite3_column_int64(s, 7);
    account->protocols = ACCOUNT_ALL_PROTOCOLS & ~(unsigned)sqlite3_column_int(s, 8);
    account->keep_copy = sqlite3_column_int(s, 9) != 0;
}

enum lookup directory_db_find_account(struct directory_db *db, struct str login, struct arena *a,
                                      struct source_account *found, struct err *e)
{
    sqlite3_stmt *s = sql_prepare(db, e,
                                  "SELECT " ACCOUNT_COLUMNS
                                  ", password, scram_sha1, scram_sha256, cram_md5, password_set"
                                  " FROM users WHERE login = ?",
                                  "s", login);
    enum sql_step step = s ? sql_step(db, s, e) : SQL_FAILED;
    if (step == SQL_ROW) {
        read_account(s, a, &found->account);
        found->key = found->account.login;
        found->hash = sql_text(s, ACCOUNT_COLUMN_COUNT, a).p;
        found->scram_sha1 = sql_text(s, ACCOUNT_COLUMN_COUNT + 1, a);
        found->scram_sha256 = sql_text(s, ACCOUNT_COLUMN_COUNT + 2, a);
        found->cram_md5 = password_cram_md5_bytes(a, sql_text(s, ACCOUNT_COLUMN_COUNT + 3, a));
        found->password_set = sqlite3_column_int64(s, ACCOUNT_COLUMN_COUNT + 4);
    }
    sqlite3_finalize(s);
    if (step == SQL_ROW && !user_db_read_lists(db, a, &found->account, e))
        return LOOKUP_TEMPFAIL;
    return sql_lookup(step);
}

enum lookup directory_db_find_address(struct directory_db *db, struct str address, struct arena *a,
                                      struct directory_address *entry, struct err *e)
{
    struct sql_rows rows = {.size = sizeof(struct str)};
    enum sql_step step = SQL_FAILED;
    sqlite3_stmt *s =
        sql_prepare(db, e,
                    "SELECT destination, internal FROM addresses JOIN destinations USING (address)"
                    " WHERE address = ? ORDER BY destination",
                    "s", address);
    while (s && (step = sql_step(db, s, e)) == SQL_ROW) {
        *(struct str *)sql_rows_add(&rows, a) = sql_text(s, 0, a);
        entry->internal = sqlite3_column_int(s, 1) != 0;
    }
    sqlite3_finalize(s);
    if (step == SQL_FAILED)
        return LOOKUP_TEMPFAIL;
    entry->destinations = (struct str *)rows.p;
    entry->count = rows.count;
    return rows.count > 0 ? LOOKUP_FOUND : LOOKUP_NOT_FOUND;
}

/* --- changes --- */

bool directory_db_change(struct directory_db *db, const struct directory_change *c, struct err *e)
{
    if (!sql_run(db, "BEGIN IMMEDIATE", e))
        return false;
    if (c->apply(db, c, e) && sql_run(db, "COMMIT", e))
        return true;
    sql_run(db, "ROLLBACK", NULL); /* has happened already after some failures */
    return false;
}

bool directory_db_delete_user(struct directory_db *db, const struct directory_change *c,
                              struct err *e)
{
    int64_t changed;
    if (!sql_change(db, &changed, e, "DELETE FROM users WHERE login = ?", "s", c->text))
        return false;
    return (changed > 0 || sql_missing(e, "user", c->text)) &&
           sql_change(db, NULL, e, "DELETE FROM app_passwords WHERE login = ?", "s", c->text);
}

bool directory_db_add_address(struct directory_db *db, const struct directory_change *c,
                              struct err *e)
{
    int64_t domain, found;
    if (!directory_db_domain_id(db, c->name.domain, &domain, e) ||
        !embedded_name_is_free(db, c->text, "address", e) ||
        !sql_number(db, &found, e,
                    "SELECT count(*) FROM destinations WHERE address = ?"
                    " AND destination = ? COLLATE NOCASE",
                    "ss", c->text, c->destination))
        return false;
    if (found > 0)
        return err_set(e, ERR_EXISTS, "the address %.*s has the destination %.*s already",
                       STR_ARG(c->text), STR_ARG(c->destination));
    return sql_change(db, NULL, e,
                      "INSERT INTO addresses (address, domain, internal) VALUES (?1, ?2, ?3)"
                      " ON CONFLICT (address) DO UPDATE SET internal = max(internal, ?3)",
                      "sii", c->text, domain, (int64_t)c->internal) &&
           sql_change(db, NULL, e, "INSERT INTO destinations (address, destination) VALUES (?, ?)",
                      "ss", c->text, c->destination);
}

bool directory_db_set_internal(struct directory_db *db, const struct directory_change *c,
                               struct err *e)
{
    int64_t changed;
    if (!sql_change(db, &changed, e, "UPDATE addresses SET internal = ? WHERE address = ?", "is",
                    (int64_t)c->internal, c->text))
        return false;
    return changed > 0 || sql_missing(e, "address", c->text);
}

/* An address without destinations is none. */
bool directory_db_delete_address(struct directory_db *db, const struct directory_change *c,
                                 struct err *e)
{
    int64_t changed;
    if (!sql_change(db, &changed, e,
                    "DELETE FROM destinations WHERE address = ?1"
                    " AND (?2 = '' OR destination = ?2 COLLATE NOCASE)",
                    "ss", c->text, c->destination))
        return false;
    if (changed > 0)
        return sql_change(db, NULL, e,
                          "DELETE FROM addresses WHERE address = ?1 AND NOT EXISTS"
                          " (SELECT 1 FROM destinations WHERE address = ?1)",
                          "s", c->text);
    if (c->destination.n == 0)
        return sql_missing(e, "address", c->text);
    return err_set(e, ERR_NOT_FOUND, "the address %.*s has no destination %.*s", STR_ARG(c->text),
                   STR_ARG(c->destination));
}

/* --- lists --- */

bool directory_db_list_user_ids(struct directory_db *db, struct str domain, struct arena *a,
                                int64_t **ids, size_t *count, struct err *e)
{
    struct sql_rows rows = {.size = sizeof(int64_t)};
    enum sql_step step = SQL_FAILED;
    sqlite3_stmt *s =
        sql_prepare(db, e,
                    "SELECT users.id FROM users JOIN domains ON domains.id = domain"
                    " WHERE ?1 = '' OR domains.name = ?1 ORDER BY domains.name, login",
                    "s", domain);
    while (s && (step = sql_step(db, s, e)) == SQL_ROW)
        *(int64_t *)sql_rows_add(&rows, a) = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    *ids = (int64_t *)rows.p;
    *count = rows.count;
    return step == SQL_END;
}

enum lookup directory_db_get_user(struct directory_db *db, int64_t id, struct arena *a,
                                  struct account *account, struct err *e)
{
    sqlite3_stmt *s =
        sql_prepare(db, e, "SELECT " ACCOUNT_COLUMNS " FROM users WHERE id = ?", "i", id);
    enum sql_step step = s ? sql_step(db, s, e) : SQL_FAILED;
    if (step == SQL_ROW)
        read_account(s, a, account);
    sqlite3_finalize(s);
    if (step == SQL_ROW && !user_db_read_lists(db, a, account, e))
        return LOOKUP_TEMPFAIL;
    return sql_lookup(step);
}

bool directory_db_list_addresses(struct directory_db *db, struct str domain, struct arena *a,
                                 struct directory_address **list, size_t *count, struct err *e)
{
    struct sql_rows addresses = {.size = sizeof(struct directory_address)},
                    destinations = {.size = sizeof(struct str)};
    struct directory_address *present = NULL;
    enum sql_step step = SQL_FAILED;
    sqlite3_stmt *s = sql_prepare(
        db, e,
        "SELECT address, destination, internal FROM addresses JOIN destinations USING (address)"
        " JOIN domains ON domains.id = domain WHERE ?1 = '' OR domains.name = ?1 ORDER BY "
        "domains.name, address, destination",
        "s", domain);
    while (s && (step = sql_step(db, s, e)) == SQL_ROW) {
        struct str address = sql_text(s, 0, a);
        if (!present || !str_equal(present->address, address)) {
            present = sql_rows_add(&addresses, a);
            present->address = address;
            present->internal = sqlite3_column_int(s, 2) != 0;
            destinations = (struct sql_rows){.size = sizeof(struct str)};
        }
        *(struct str *)sql_rows_add(&destinations, a) = sql_text(s, 1, a);
        present->destinations = (struct str *)destinations.p;
        present->count = destinations.count;
    }
    sqlite3_finalize(s);
    *list = (struct directory_address *)addresses.p;
    *count = addresses.count;
    return step == SQL_END;
}
