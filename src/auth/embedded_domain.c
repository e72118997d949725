/*
 * Domains in the database. A domain is written as a whole: what is there is read, changed as a
 * value (directory_domain.c), and checked against the other domains in the same transaction.
 *
 * A domain that is deleted with what is in it takes along its users, their passwords for programs,
 * addresses, groups and rules, what is kept of groups of other sources in it, and delegations of
 * and to its addresses: none of them may come to life again with another domain of that name.
 */
#include "auth/embedded_domain.h"

#include "auth/directory_domain.h"
#include "auth/directory_internal.h"
#include "auth/embedded_tables.h"

/* --- look-ups --- */

#define COLUMNS                                                                                    \
    "id, name, kind, relay, verify,"                                                               \
    " coalesce((SELECT name FROM domains AS target WHERE target.id = domains.alias_of), ''),"      \
    " subdomains, catch_all, quota_storage, quota_messages, quota_version, disclaimer,"            \
    " dkim_selector, dkim_key"

static bool read_copies(struct directory_db *db, int64_t id, struct arena *a, struct domain *domain,
                        struct err *e)
{
    sqlite3_stmt *s = sql_prepare(
        db, e, "SELECT address FROM domain_copies WHERE domain = ? ORDER BY address", "i", id);
    return sql_read_texts(db, s, a, &domain->copies, &domain->copy_count, e);
}

static bool read_domain(sqlite3_stmt *s, struct directory_db *db, struct arena *a,
                        struct domain *domain, struct err *e)
{
    struct str kind = sql_text(s, 2, a);
    domain->name = sql_text(s, 1, a);
    domain->relay = sql_text(s, 3, a);
    domain->verify = sqlite3_column_int(s, 4) != 0;
    domain->alias_of = sql_text(s, 5, a);
    domain->subdomains = sqlite3_column_int(s, 6) != 0;
    domain->catch_all = sql_text(s, 7, a);
    domain->quota_storage = sqlite3_column_int64(s, 8);
    domain->quota_messages = sqlite3_column_int64(s, 9);
    domain->quota_version = sqlite3_column_int64(s, 10);
    domain->disclaimer = sql_text(s, 11, a);
    domain->dkim_selector = sql_text(s, 12, a);
    domain->dkim_key = sql_text(s, 13, a);
    if (!domain_kind_parse(kind, &domain->kind))
        return err_set(e, ERR_IO, "directory %s: the domain %.*s is of the unknown kind \"%.*s\"",
                       db->path, STR_ARG(domain->name), STR_ARG(str_head(kind, 40)));
    return read_copies(db, sqlite3_column_int64(s, 0), a, domain, e);
}

enum lookup domain_db_find(struct directory_db *db, struct str name, struct arena *a,
                           struct domain *domain, struct err *e)
{
    sqlite3_stmt *s =
        sql_prepare(db, e, "SELECT " COLUMNS " FROM domains WHERE name = ?", "s", name);
    enum sql_step step = s ? sql_step(db, s, e) : SQL_FAILED;
    if (step == SQL_ROW && !read_domain(s, db, a, domain, e))
        step = SQL_FAILED;
    sqlite3_finalize(s);
    return sql_lookup(step);
}

bool domain_db_list(struct directory_db *db, struct arena *a, struct domain **list, size_t *count,
                    struct err *e)
{
    struct sql_rows rows = {.size = sizeof(struct domain)};
    enum sql_step step = SQL_FAILED;
    sqlite3_stmt *s = sql_prepare(db, e, "SELECT " COLUMNS " FROM domains ORDER BY name", "");
    while (s && (step = sql_step(db, s, e)) == SQL_ROW)
        if (!read_domain(s, db, a, sql_rows_add(&rows, a), e)) {
            step = SQL_FAILED;
            break;
        }
    sqlite3_finalize(s);
    *list = (struct domain *)rows.p;
    *count = rows.count;
    return step == SQL_END;
}

bool domain_db_id(struct directory_db *db, struct str name, int64_t *id, struct err *e)
{
    if (!sql_number(db, id, e, "SELECT id FROM domains WHERE name = ?", "s", name))
        return false;
    return *id != 0 || sql_missing(e, "domain", name);
}

bool domain_db_id_or_parent(struct directory_db *db, struct str name, int64_t *id, struct err *e)
{
    bool ok = sql_number(db, id, e, "SELECT id FROM domains WHERE name = ?", "s", name);
    struct str parent = name;
    for (ptrdiff_t dot; ok && *id == 0 && (dot = str_find_char(parent, '.')) >= 0;) {
        parent = str_skip(parent, (size_t)dot + 1);
        ok = sql_number(db, id, e, "SELECT id FROM domains WHERE name = ? AND subdomains", "s",
                        parent);
    }
    return ok && (*id != 0 || sql_missing(e, "domain", name));
}

/* --- changes --- */

/* ERR_EXISTS while others are aliases of it. */
static bool has_no_aliases(struct directory_db *db, struct str name, const char *what,
                           struct err *e)
{
    struct arena *a = arena_new();
    sqlite3_stmt *s = sql_prepare(db, e,
                                  "SELECT alias.name FROM domains JOIN domains AS alias"
                                  " ON alias.alias_of = domains.id WHERE domains.name = ?"
                                  " ORDER BY alias.name LIMIT 1",
                                  "s", name);
    enum sql_step step = s ? sql_step(db, s, e) : SQL_FAILED;
    if (step == SQL_ROW)
        err_set(e, ERR_EXISTS, "the domain %.*s cannot be %s: %.*s is an alias of it",
                STR_ARG(name), what, STR_ARG(sql_text(s, 0, a)));
    sqlite3_finalize(s);
    arena_free(a);
    return step == SQL_END;
}

static bool check_target(struct directory_db *db, const struct domain *domain, struct err *e)
{
    int64_t id, alias;
    if (str_equal(domain->name, domain->alias_of))
        return err_set(e, ERR_SYNTAX, "the domain %.*s cannot be an alias of itself",
                       STR_ARG(domain->name));
    if (!domain_db_id(db, domain->alias_of, &id, e) ||
        !sql_number(db, &alias, e, "SELECT kind = 'alias' FROM domains WHERE id = ?", "i", id))
        return false;
    if (alias)
        return err_set(e, ERR_SYNTAX, "the domain %.*s is an alias itself",
                       STR_ARG(domain->alias_of));
    return has_no_aliases(db, domain->name, "an alias", e);
}

static bool write_copies(struct directory_db *db, const struct domain *domain, struct err *e)
{
    int64_t id;
    bool ok = domain_db_id(db, domain->name, &id, e) &&
              sql_change(db, NULL, e, "DELETE FROM domain_copies WHERE domain = ?", "i", id);
    for (size_t i = 0; ok && i < domain->copy_count; i++)
        ok = sql_change(db, NULL, e, "INSERT INTO domain_copies (domain, address) VALUES (?, ?)",
                        "is", id, domain->copies[i]);
    return ok;
}

static bool write_domain(struct directory_db *db, const struct domain *domain, struct err *e)
{
    tables_touch_domains(db);
    return (domain->kind != DOMAIN_ALIAS || check_target(db, domain, e)) &&
           sql_change(db, NULL, e,
                      "UPDATE domains SET kind = ?, relay = ?, verify = ?,"
                      " alias_of = (SELECT id FROM domains AS target WHERE target.name = ?),"
                      " subdomains = ?, catch_all = ?, quota_storage = ?, quota_messages = ?,"
                      " quota_version = ?, disclaimer = ?, dkim_selector = ?, dkim_key = ?"
                      " WHERE name = ?",
                      "ssisisiiissss", str_from_c(domain_kind_name(domain->kind)), domain->relay,
                      (int64_t)domain->verify, domain->alias_of, (int64_t)domain->subdomains,
                      domain->catch_all, domain->quota_storage, domain->quota_messages,
                      domain->quota_version, domain->disclaimer, domain->dkim_selector,
                      domain->dkim_key, domain->name) &&
           write_copies(db, domain, e);
}

bool domain_db_add(struct directory_db *db, void *arg, struct err *e)
{
    const struct domain_order *o = arg;
    int64_t found;
    struct domain domain = domain_default();
    domain.name = o->name;
    if (!sql_number(db, &found, e, "SELECT count(*) FROM domains WHERE name = ?", "s", o->name))
        return false;
    if (found > 0)
        return sql_exists(e, "domain", o->name);
    return domain_apply(&domain, &o->change, e) &&
           sql_change(db, NULL, e, "INSERT INTO domains (name) VALUES (?)", "s", o->name) &&
           write_domain(db, &domain, e);
}

bool domain_db_set(struct directory_db *db, void *arg, struct err *e)
{
    const struct domain_order *o = arg;
    struct arena *a = arena_new();
    struct domain domain;
    bool ok = false;
    switch (domain_db_find(db, o->name, a, &domain, e)) {
    case LOOKUP_TEMPFAIL:
        break;
    case LOOKUP_NOT_FOUND:
        sql_missing(e, "domain", o->name);
        break;
    case LOOKUP_FOUND:
        domain.quota_version += o->change.set_quota;
        ok = domain_apply(&domain, &o->change, e) && write_domain(db, &domain, e);
        break;
    }
    arena_free(a);
    return ok;
}

static bool count_contents(struct directory_db *db, int64_t id, struct domain_contents *c,
                           struct err *e)
{
    return sql_number(db, &c->users, e, "SELECT count(*) FROM users WHERE domain = ?", "i", id) &&
           sql_number(db, &c->addresses, e, "SELECT count(*) FROM addresses WHERE domain = ?", "i",
                      id) &&
           sql_number(db, &c->groups, e, "SELECT count(*) FROM mail_groups WHERE domain = ?", "i",
                      id) &&
           sql_number(db, &c->rules, e, "SELECT count(*) FROM rules WHERE domain = ?", "i", id);
}

static bool is_empty(struct str name, const struct domain_contents *c, struct err *e)
{
    if (c->users == 0 && c->addresses == 0 && c->groups == 0 && c->rules == 0)
        return true;
    return err_set(e, ERR_EXISTS,
                   "the domain %.*s still has users (%lld), addresses (%lld), groups (%lld) or "
                   "rules (%lld): delete them first, or with it",
                   STR_ARG(name), (long long)c->users, (long long)c->addresses,
                   (long long)c->groups, (long long)c->rules);
}

static bool delete_contents(struct directory_db *db, int64_t id, struct str name, struct err *e)
{
    static const char *const of_row[] = {
        "DELETE FROM app_passwords WHERE login IN (SELECT login FROM users WHERE domain = ?)",
        "DELETE FROM users WHERE domain = ?",
        "DELETE FROM addresses WHERE domain = ?",
        "DELETE FROM mail_groups WHERE domain = ?",
        "DELETE FROM rules WHERE domain = ?",
        "DELETE FROM send_as WHERE domain = ?",
    };
    static const char *const of_name[] = {
        "DELETE FROM group_settings WHERE substr(address, -length(?1) - 1) = '@' || ?1",
        "DELETE FROM send_as WHERE substr(grantee, -length(?1) - 1) = '@' || ?1",
    };
    bool ok = true;
    for (size_t i = 0; ok && i < sizeof(of_row) / sizeof(*of_row); i++)
        ok = sql_change(db, NULL, e, of_row[i], "i", id);
    for (size_t i = 0; ok && i < sizeof(of_name) / sizeof(*of_name); i++)
        ok = sql_change(db, NULL, e, of_name[i], "s", name);
    return ok;
}

/* Changes nothing. */
static bool may_be_deleted(struct directory_db *db, struct domain_order *o, int64_t *id,
                           struct err *e)
{
    return domain_db_id(db, o->name, id, e) && has_no_aliases(db, o->name, "deleted", e) &&
           count_contents(db, *id, &o->contents, e) &&
           (o->force || is_empty(o->name, &o->contents, e));
}

static bool look_before_deletion(struct directory_db *db, void *arg, struct err *e)
{
    int64_t id;
    return may_be_deleted(db, arg, &id, e);
}

bool domain_db_delete(struct directory_db *db, void *arg, struct err *e)
{
    struct domain_order *o = arg;
    int64_t id;
    if (!may_be_deleted(db, o, &id, e))
        return false;
    tables_touch_domains(db);
    tables_touch_rules(db);
    tables_touch_delegations(db);
    tables_touch_groups(db);
    if (o->contents.addresses > 0)
        tables_touch_addresses(db);
    return delete_contents(db, id, o->name, e) &&
           sql_change(db, NULL, e, "DELETE FROM domains WHERE id = ?", "i", id);
}

/* --- as the rest of the server asks for them --- */

static SUSPENDS bool run_order(struct directory *d, struct str name,
                               const struct domain_change *change, struct domain_order *o,
                               bool (*apply)(struct directory_db *db, void *arg, struct err *e),
                               struct err *e)
{
    static const struct domain_change none;
    struct arena *a = arena_new();
    bool ok = name_domain(a, name, &o->name) ||
              err_set(e, ERR_SYNTAX, "\"%.*s\" is no domain name", STR_ARG(str_head(name, 80)));
    ok = ok && domain_change_normal(a, change ? change : &none, &o->change, e) &&
         directory_apply(d, apply, o, e);
    arena_free(a);
    return ok;
}

bool directory_add_domain_as(struct directory *d, struct str name,
                             const struct domain_change *change, struct err *e)
{
    struct domain_order o = {.force = false};
    return run_order(d, name, change, &o, domain_db_add, e);
}

bool directory_add_domain(struct directory *d, struct str name, struct err *e)
{
    return directory_add_domain_as(d, name, &(struct domain_change){.set_kind = false}, e);
}

bool directory_set_domain(struct directory *d, struct str name, const struct domain_change *change,
                          struct err *e)
{
    struct domain_order o = {.force = false};
    return run_order(d, name, change, &o, domain_db_set, e);
}

bool directory_delete_domain(struct directory *d, struct str name, struct err *e)
{
    return directory_delete_domain_as(d, name, false, NULL, e);
}

bool directory_delete_domain_as(struct directory *d, struct str name, bool force,
                                struct domain_contents *contents, struct err *e)
{
    struct domain_order o = {.force = force};
    bool ok = run_order(d, name, NULL, &o, domain_db_delete, e);
    if (contents)
        *contents = o.contents;
    return ok;
}

bool directory_may_delete_domain(struct directory *d, struct str name, bool force,
                                 struct domain_contents *contents, struct err *e)
{
    struct domain_order o = {.force = force};
    bool ok = run_order(d, name, NULL, &o, look_before_deletion, e);
    *contents = o.contents;
    return ok;
}

struct domain_listing {
    struct arena *arena;
    struct domain *list;
    size_t count;
};

static bool list_domains(struct directory_db *db, void *arg, struct err *e)
{
    struct domain_listing *l = arg;
    return domain_db_list(db, l->arena, &l->list, &l->count, e);
}

bool directory_list_domains(struct directory *d, struct arena *a, struct domain **list,
                            size_t *count, struct err *e)
{
    struct domain_listing l = {.arena = a};
    bool ok = directory_read(d, list_domains, &l, e);
    *list = l.list;
    *count = l.count;
    return ok;
}
