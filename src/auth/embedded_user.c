/*
 * Users: what an operator says of them. Where mail goes instead is a list of full addresses; a user
 * cannot be on the own list, since what stays here is said by keep_copy.
 */
#include "auth/embedded_user.h"

#include "auth/directory_internal.h"
#include "auth/embedded_domain.h"
#include "auth/embedded_group.h"
#include "auth/embedded_send_as.h"

/* --- look-ups --- */

static bool read_forwards(struct directory_db *db, struct arena *a, struct account *account,
                          struct err *e)
{
    sqlite3_stmt *s = sql_prepare(
        db, e, "SELECT address FROM forwards WHERE user = ? ORDER BY address", "i", account->id);
    return sql_read_texts(db, s, a, &account->forwards, &account->forward_count, e);
}

/* Those that lead to it and nowhere else. */
static bool read_addresses(struct directory_db *db, struct arena *a, struct account *account,
                           struct err *e)
{
    sqlite3_stmt *s = sql_prepare(
        db, e,
        "SELECT address FROM destinations AS own WHERE destination = ? COLLATE NOCASE AND"
        " (SELECT count(*) FROM destinations WHERE address = own.address) = 1"
        " AND address NOT LIKE '%@*' ORDER BY address",
        "s", account->login);
    return sql_read_texts(db, s, a, &account->addresses, &account->address_count, e);
}

bool user_db_read_lists(struct directory_db *db, struct arena *a, struct account *account,
                        struct err *e)
{
    return read_forwards(db, a, account, e) && read_addresses(db, a, account, e) &&
           group_db_memberships(db, account->login, a, &account->groups, &account->group_count, e);
}

/* --- changes --- */

bool user_order_fill(struct user_order *o, struct arena *a,
                     const struct directory_user_change *change, struct err *e)
{
    o->change = *change;
    if (!embedded_display_name(change->name, e))
        return false;
    if (change->set_quota &&
        (change->quota_storage < QUOTA_KEEP || change->quota_messages < QUOTA_KEEP))
        return err_set(e, ERR_SYNTAX, "a quota is not negative");
    if (!change->set_forwards)
        return true;
    if (!embedded_addresses(a, change->forwards, change->forward_count, &o->forwards,
                            &o->forward_count, e))
        return false;
    if (o->forward_count > FORWARDS_MAX)
        return err_set(e, ERR_LIMIT, "more than %d addresses to forward to", FORWARDS_MAX);
    for (size_t i = 0; i < o->forward_count; i++)
        if (str_equal(o->forwards[i].key, o->login))
            return err_set(e, ERR_SYNTAX,
                           "%.*s cannot be forwarded to itself: what stays here is a kept copy",
                           STR_ARG(o->login));
    return true;
}

static bool set_forwards(struct directory_db *db, const struct user_order *o, struct err *e)
{
    bool ok = sql_change(db, NULL, e,
                         "DELETE FROM forwards WHERE user = (SELECT id FROM users WHERE login = ?)",
                         "s", o->login);
    for (size_t i = 0; ok && i < o->forward_count; i++)
        ok = sql_change(db, NULL, e,
                        "INSERT INTO forwards (user, address) SELECT id, ? FROM users WHERE login ="
                        " ?",
                        "ss", o->forwards[i].text, o->login);
    return ok;
}

static bool set_quota(struct directory_db *db, const struct user_order *o, struct err *e)
{
    return sql_change(db, NULL, e,
                      "UPDATE users SET quota_version = quota_version + 1,"
                      " quota_storage = iif(?1 = -2, quota_storage, ?1),"
                      " quota_messages = iif(?2 = -2, quota_messages, ?2) WHERE login = ?3",
                      "iis", o->change.quota_storage, o->change.quota_messages, o->login);
}

bool user_db_set(struct directory_db *db, void *arg, struct err *e)
{
    const struct user_order *o = arg;
    const struct directory_user_change *c = &o->change;
    int64_t changed, protocols_off = ACCOUNT_ALL_PROTOCOLS & ~c->protocols;
    if (!sql_change(db, &changed, e,
                    "UPDATE users SET name = iif(?1, ?2, name), disabled = iif(?3, ?4, disabled),"
                    " protocols_off = iif(?5, ?6, protocols_off),"
                    " keep_copy = iif(?7, ?8, keep_copy) WHERE login = ?9",
                    "isiiiiiis", (int64_t)(c->name.p != NULL), c->name, (int64_t)c->set_disabled,
                    (int64_t)c->disabled, (int64_t)c->set_protocols, protocols_off,
                    (int64_t)c->set_keep_copy, (int64_t)c->keep_copy, o->login))
        return false;
    return (changed > 0 || sql_missing(e, "user", o->login)) &&
           (!c->set_forwards || set_forwards(db, o, e)) && (!c->set_quota || set_quota(db, o, e));
}

bool user_db_add(struct directory_db *db, void *arg, struct err *e)
{
    const struct user_order *o = arg;
    struct arena *a = arena_new();
    int64_t domain;
    bool ok = domain_db_id(db, o->name.domain, &domain, e) &&
              embedded_name_is_free(db, o->login, "", e) &&
              sql_change(db, NULL, e,
                         "INSERT INTO users (domain, login, home, name, password, scram_sha256,"
                         " scram_sha1, cram_md5, password_set) VALUES (?, ?, ?, '', ?, ?, ?, ?, ?)",
                         "issssssi", domain, o->login, name_home(a, &o->name), o->password.hash,
                         o->password.scram_sha256, o->password.scram_sha1, o->password.cram_md5,
                         clock_wall() / USEC_SEC) &&
              user_db_set(db, arg, e);
    arena_free(a);
    return ok;
}

bool user_db_delete(struct directory_db *db, void *arg, struct err *e)
{
    const struct user_order *o = arg;
    int64_t gone;
    return sql_change(db, &gone, e, "DELETE FROM users WHERE login = ?", "s", o->login) &&
           (gone > 0 || sql_missing(e, "user", o->login)) &&
           sql_change(db, NULL, e, "DELETE FROM app_passwords WHERE login = ?", "s", o->login) &&
           send_as_db_forget(db, o->login, e);
}

bool directory_add_user_as(struct directory *d, struct str login, struct str password,
                           const struct directory_user_change *change, struct err *e)
{
    struct arena *a = arena_new();
    struct user_order o = {.login = STR("")};
    bool ok = directory_own_name(d, login, a, &o.name, &o.login, e) &&
              user_order_fill(&o, a, change, e) &&
              embedded_password_make(a, password, d->passwords.store_cram_md5, &o.password, e) &&
              directory_apply(d, user_db_add, &o, e);
    arena_free(a);
    return ok;
}

bool directory_change_user(struct directory *d, struct str login,
                           const struct directory_user_change *change, struct err *e)
{
    struct arena *a = arena_new();
    struct user_order o = {.login = STR("")};
    bool ok = directory_own_name(d, login, a, &o.name, &o.login, e) &&
              user_order_fill(&o, a, change, e) && directory_apply(d, user_db_set, &o, e);
    arena_free(a);
    return ok;
}

bool directory_add_user(struct directory *d, struct str login, struct str password, struct str name,
                        struct err *e)
{
    return directory_add_user_as(d, login, password, &(struct directory_user_change){.name = name},
                                 e);
}

bool directory_delete_user(struct directory *d, struct str login, struct err *e)
{
    struct arena *a = arena_new();
    struct user_order o = {.login = STR("")};
    bool ok = directory_own_name(d, login, a, &o.name, &o.login, e) &&
              directory_apply(d, user_db_delete, &o, e);
    arena_free(a);
    return ok;
}

bool directory_set_disabled(struct directory *d, struct str login, bool disabled, struct err *e)
{
    return directory_change_user(
        d, login, &(struct directory_user_change){.set_disabled = true, .disabled = disabled}, e);
}

bool directory_set_quota(struct directory *d, struct str login, int64_t storage, int64_t messages,
                         struct err *e)
{
    return directory_change_user(d, login,
                                 &(struct directory_user_change){.set_quota = true,
                                                                 .quota_storage = storage,
                                                                 .quota_messages = messages},
                                 e);
}
