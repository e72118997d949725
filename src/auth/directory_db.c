/*
 * Accounts as the database has them.
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
