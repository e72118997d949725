/*
 * What is asked of the database, and what is written to it. A change is one transaction that takes
 * the write lock at its start, so what it checks stays true until it commits.
 */
#include "auth/directory_db.h"

#include "auth/directory_sql.h"

/* --- look-ups --- */

static enum lookup lookup_of(enum sql_step step)
{
    return step == SQL_ROW ? LOOKUP_FOUND : step == SQL_END ? LOOKUP_NOT_FOUND : LOOKUP_TEMPFAIL;
}

enum lookup directory_db_find_domain(struct directory_db *db, struct str name, struct err *e)
{
    sqlite3_stmt *s = sql_prepare(db, e, "SELECT 1 FROM domains WHERE name = ?", "s", name);
    enum sql_step step = s ? sql_step(db, s, e) : SQL_FAILED;
    sqlite3_finalize(s);
    return lookup_of(step);
}

enum lookup directory_db_only_domain(struct directory_db *db, struct arena *a, struct str *name,
                                     struct err *e)
{
    sqlite3_stmt *s =
        sql_prepare(db, e, "SELECT name FROM domains WHERE (SELECT count(*) FROM domains) = 1", "");
    enum sql_step step = s ? sql_step(db, s, e) : SQL_FAILED;
    if (step == SQL_ROW)
        *name = sql_text(s, 0, a);
    sqlite3_finalize(s);
    return lookup_of(step);
}

#define ACCOUNT_COLUMNS                                                                            \
    "users.id, login, users.name, home, disabled, "                                                \
    "quota_storage, quota_messages, quota_version"

static void read_account(sqlite3_stmt *s, struct arena *a, struct account *account)
{
    account->id = sqlite3_column_int64(s, 0);
    account->login = sql_text(s, 1, a);
    account->name = sql_text(s, 2, a);
    account->home = sql_text(s, 3, a);
    account->disabled = sqlite3_column_int(s, 4) != 0;
    account->quota_storage = sqlite3_column_int64(s, 5);
    account->quota_messages = sqlite3_column_int64(s, 6);
    account->quota_version = sqlite3_column_int64(s, 7);
}

enum lookup directory_db_find_account(struct directory_db *db, struct str login, struct arena *a,
                                      struct account *account, struct directory_secrets *secrets,
                                      struct err *e)
{
    sqlite3_stmt *s = sql_prepare(
        db, e, "SELECT " ACCOUNT_COLUMNS ", password, scram_sha256 FROM users WHERE login = ?", "s",
        login);
    enum sql_step step = s ? sql_step(db, s, e) : SQL_FAILED;
    if (step == SQL_ROW) {
        read_account(s, a, account);
        secrets->hash = sql_text(s, 8, a).p;
        secrets->verifier = sql_text(s, 9, a);
    }
    sqlite3_finalize(s);
    return lookup_of(step);
}

/* A list that grows while rows come. */
struct rows {
    char *p;
    size_t count, capacity, size;
};

static void *rows_add(struct rows *r, struct arena *a)
{
    if (r->count == r->capacity) {
        r->capacity = r->capacity ? r->capacity * 2 : 8;
        char *larger = arena_array(a, r->capacity, r->size);
        if (r->count > 0)
            memcpy(larger, r->p, r->count * r->size);
        r->p = larger;
    }
    return r->p + r->count++ * r->size;
}

enum lookup directory_db_find_address(struct directory_db *db, struct str address, struct arena *a,
                                      struct str **destinations, size_t *count, struct err *e)
{
    struct rows rows = {.size = sizeof(struct str)};
    enum sql_step step = SQL_FAILED;
    sqlite3_stmt *s = sql_prepare(
        db, e, "SELECT destination FROM addresses WHERE address = ? ORDER BY destination", "s",
        address);
    while (s && (step = sql_step(db, s, e)) == SQL_ROW)
        *(struct str *)rows_add(&rows, a) = sql_text(s, 0, a);
    sqlite3_finalize(s);
    if (step == SQL_FAILED)
        return LOOKUP_TEMPFAIL;
    *destinations = (struct str *)rows.p;
    *count = rows.count;
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

static bool missing(struct err *e, const char *what, struct str name)
{
    return err_set(e, ERR_NOT_FOUND, "there is no %s %.*s", what, STR_ARG(name));
}

static bool exists(struct err *e, const char *what, struct str name)
{
    return err_set(e, ERR_EXISTS, "the %s %.*s exists already", what, STR_ARG(name));
}

/* The domain's row, ERR_NOT_FOUND without one. */
static bool domain_id(struct directory_db *db, struct str name, int64_t *id, struct err *e)
{
    if (!sql_number(db, id, e, "SELECT id FROM domains WHERE name = ?", "s", name))
        return false;
    return *id != 0 || missing(e, "domain", name);
}

/* A login and an address of the same name would hide each other. */
static bool name_is_free(struct directory_db *db, struct str text, bool user, struct err *e)
{
    int64_t users, addresses;
    if (!sql_number(db, &users, e, "SELECT count(*) FROM users WHERE login = ?", "s", text) ||
        !sql_number(db, &addresses, e, "SELECT count(*) FROM addresses WHERE address = ?", "s",
                    text))
        return false;
    if (users > 0)
        return exists(e, "user", text);
    return !user || addresses == 0 || exists(e, "address", text);
}

bool directory_db_add_domain(struct directory_db *db, const struct directory_change *c,
                             struct err *e)
{
    int64_t found;
    if (!sql_number(db, &found, e, "SELECT count(*) FROM domains WHERE name = ?", "s",
                    c->name.domain))
        return false;
    if (found > 0)
        return exists(e, "domain", c->name.domain);
    return sql_change(db, NULL, e, "INSERT INTO domains (name) VALUES (?)", "s", c->name.domain);
}

bool directory_db_delete_domain(struct directory_db *db, const struct directory_change *c,
                                struct err *e)
{
    int64_t id, users, addresses;
    if (!domain_id(db, c->name.domain, &id, e) ||
        !sql_number(db, &users, e, "SELECT count(*) FROM users WHERE domain = ?", "i", id) ||
        !sql_number(db, &addresses, e,
                    "SELECT count(DISTINCT address) FROM addresses WHERE domain = ?", "i", id))
        return false;
    if (users > 0 || addresses > 0)
        return err_set(e, ERR_EXISTS,
                       "the domain %.*s still has users (%lld) or addresses (%lld): delete them "
                       "first",
                       STR_ARG(c->name.domain), (long long)users, (long long)addresses);
    return sql_change(db, NULL, e, "DELETE FROM domains WHERE id = ?", "i", id);
}

bool directory_db_add_user(struct directory_db *db, const struct directory_change *c, struct err *e)
{
    int64_t domain;
    return domain_id(db, c->name.domain, &domain, e) && name_is_free(db, c->text, true, e) &&
           sql_change(db, NULL, e,
                      "INSERT INTO users (domain, login, home, name, password, scram_sha256)"
                      " VALUES (?, ?, ?, ?, ?, ?)",
                      "isssss", domain, c->text, c->home, c->display_name, c->hash, c->verifier);
}

bool directory_db_delete_user(struct directory_db *db, const struct directory_change *c,
                              struct err *e)
{
    int64_t changed;
    if (!sql_change(db, &changed, e, "DELETE FROM users WHERE login = ?", "s", c->text))
        return false;
    return changed > 0 || missing(e, "user", c->text);
}

bool directory_db_set_password(struct directory_db *db, const struct directory_change *c,
                               struct err *e)
{
    int64_t changed;
    if (!sql_change(db, &changed, e,
                    "UPDATE users SET password = ?, scram_sha256 = ? WHERE login = ?", "sss",
                    c->hash, c->verifier, c->text))
        return false;
    return changed > 0 || missing(e, "user", c->text);
}

bool directory_db_set_disabled(struct directory_db *db, const struct directory_change *c,
                               struct err *e)
{
    int64_t changed;
    if (!sql_change(db, &changed, e, "UPDATE users SET disabled = ? WHERE login = ?", "is",
                    (int64_t)c->disabled, c->text))
        return false;
    return changed > 0 || missing(e, "user", c->text);
}

bool directory_db_set_quota(struct directory_db *db, const struct directory_change *c,
                            struct err *e)
{
    int64_t changed;
    if (!sql_change(db, &changed, e,
                    "UPDATE users SET quota_version = quota_version + 1,"
                    " quota_storage = iif(?1 = -2, quota_storage, ?1),"
                    " quota_messages = iif(?2 = -2, quota_messages, ?2) WHERE login = ?3",
                    "iis", c->quota_storage, c->quota_messages, c->text))
        return false;
    return changed > 0 || missing(e, "user", c->text);
}

bool directory_db_add_address(struct directory_db *db, const struct directory_change *c,
                              struct err *e)
{
    int64_t domain, found;
    if (!domain_id(db, c->name.domain, &domain, e) || !name_is_free(db, c->text, false, e) ||
        !sql_number(db, &found, e,
                    "SELECT count(*) FROM addresses WHERE address = ?"
                    " AND destination = ? COLLATE NOCASE",
                    "ss", c->text, c->destination))
        return false;
    if (found > 0)
        return err_set(e, ERR_EXISTS, "the address %.*s has the destination %.*s already",
                       STR_ARG(c->text), STR_ARG(c->destination));
    return sql_change(db, NULL, e,
                      "INSERT INTO addresses (address, destination, domain) VALUES (?, ?, ?)",
                      "ssi", c->text, c->destination, domain);
}

bool directory_db_delete_address(struct directory_db *db, const struct directory_change *c,
                                 struct err *e)
{
    int64_t changed;
    if (!sql_change(db, &changed, e,
                    "DELETE FROM addresses WHERE address = ?1"
                    " AND (?2 = '' OR destination = ?2 COLLATE NOCASE)",
                    "ss", c->text, c->destination))
        return false;
    if (changed > 0)
        return true;
    if (c->destination.n == 0)
        return missing(e, "address", c->text);
    return err_set(e, ERR_NOT_FOUND, "the address %.*s has no destination %.*s", STR_ARG(c->text),
                   STR_ARG(c->destination));
}

/* --- lists --- */

bool directory_db_list_domains(struct directory_db *db, struct arena *a, struct domain **list,
                               size_t *count, struct err *e)
{
    struct rows rows = {.size = sizeof(struct domain)};
    enum sql_step step = SQL_FAILED;
    sqlite3_stmt *s = sql_prepare(db, e, "SELECT name FROM domains ORDER BY name", "");
    while (s && (step = sql_step(db, s, e)) == SQL_ROW)
        ((struct domain *)rows_add(&rows, a))->name = sql_text(s, 0, a);
    sqlite3_finalize(s);
    *list = (struct domain *)rows.p;
    *count = rows.count;
    return step == SQL_END;
}

bool directory_db_list_users(struct directory_db *db, struct str domain, struct arena *a,
                             struct account **list, size_t *count, struct err *e)
{
    struct rows rows = {.size = sizeof(struct account)};
    enum sql_step step = SQL_FAILED;
    sqlite3_stmt *s =
        sql_prepare(db, e,
                    "SELECT " ACCOUNT_COLUMNS " FROM users JOIN domains ON domains.id = domain"
                    " WHERE ?1 = '' OR domains.name = ?1 ORDER BY domains.name, login",
                    "s", domain);
    while (s && (step = sql_step(db, s, e)) == SQL_ROW)
        read_account(s, a, rows_add(&rows, a));
    sqlite3_finalize(s);
    *list = (struct account *)rows.p;
    *count = rows.count;
    return step == SQL_END;
}

bool directory_db_list_addresses(struct directory_db *db, struct str domain, struct arena *a,
                                 struct directory_address **list, size_t *count, struct err *e)
{
    struct rows addresses = {.size = sizeof(struct directory_address)},
                destinations = {.size = sizeof(struct str)};
    struct directory_address *present = NULL;
    enum sql_step step = SQL_FAILED;
    sqlite3_stmt *s = sql_prepare(
        db, e,
        "SELECT address, destination FROM addresses JOIN domains ON domains.id = domain"
        " WHERE ?1 = '' OR domains.name = ?1 ORDER BY domains.name, address, destination",
        "s", domain);
    while (s && (step = sql_step(db, s, e)) == SQL_ROW) {
        struct str address = sql_text(s, 0, a);
        if (!present || !str_equal(present->address, address)) {
            present = rows_add(&addresses, a);
            present->address = address;
            destinations = (struct rows){.size = sizeof(struct str)};
        }
        *(struct str *)rows_add(&destinations, a) = sql_text(s, 1, a);
        present->destinations = (struct str *)destinations.p;
        present->count = destinations.count;
    }
    sqlite3_finalize(s);
    *list = (struct directory_address *)addresses.p;
    *count = addresses.count;
    return step == SQL_END;
}
