/*
 * Domains: their kinds, the rules of what fits together, and their rows in the database.
 *
 * The relay of a domain is kept as text in one spelling; who sends to it reads it at that moment,
 * so that a change holds for mail that waits already.
 */
#include "auth/directory_domain.h"

#include "auth/directory_db.h"
#include "auth/directory_sql.h"
#include "mime/address.h"
#include "net/host_port.h"

static const char *const kind_names[] = {"local", "relay", "sink"};
#define KINDS (sizeof(kind_names) / sizeof(*kind_names))

const char *domain_kind_name(enum domain_kind kind)
{
    return kind_names[kind];
}

bool domain_kind_parse(struct str name, enum domain_kind *kind)
{
    for (size_t i = 0; i < KINDS; i++) {
        if (!str_equal(name, str_from_c(kind_names[i])))
            continue;
        *kind = (enum domain_kind)i;
        return true;
    }
    return false;
}

bool domain_relays_by_mx(const struct domain *domain)
{
    return str_equal(domain->relay, STR("mx"));
}

bool domain_relay_normal(struct arena *a, struct str text, struct str *relay, struct err *e)
{
    struct str host, name = {0};
    uint16_t port = 0;
    *relay = STR("mx");
    if (str_equal_nocase(text, *relay))
        return true;
    bool ok = host_port_parse(text, &host, &port);
    bool numeric = ok && host_is_numeric(host);
    if (!ok || !(numeric || name_domain(a, host, &name)))
        return err_set(e, ERR_SYNTAX,
                       "relay \"%.*s\": expected \"host:port\", \"[address]:port\" or \"mx\"",
                       STR_ARG(str_head(text, 80)));
    *relay = numeric ? arena_printf(a, "[%.*s]", STR_ARG(host)) : name;
    if (port != 0)
        *relay = arena_printf(a, "%.*s:%u", STR_ARG(*relay), port);
    return true;
}

bool domain_apply(struct domain *domain, const struct domain_change *change, struct err *e)
{
    if (change->relay.p)
        domain->relay = change->relay;
    if (change->set_kind)
        domain->kind = change->kind;
    else if (change->relay.p)
        domain->kind = DOMAIN_RELAY;
    if (change->set_verify)
        domain->verify = change->verify;
    if (domain->kind == DOMAIN_RELAY)
        return domain->relay.n > 0 ||
               err_set(e, ERR_SYNTAX, "a relay domain needs the server that takes its mail");
    if (change->relay.p || (change->set_verify && change->verify))
        return err_set(e, ERR_SYNTAX, "only a relay domain has a server that could be asked");
    domain->relay = STR("");
    domain->verify = false;
    return true;
}

/* --- the database --- */

#define COLUMNS "name, kind, relay, verify"

static bool read_domain(sqlite3_stmt *s, struct directory_db *db, struct arena *a,
                        struct domain *domain, struct err *e)
{
    struct str kind = sql_text(s, 1, a);
    domain->name = sql_text(s, 0, a);
    domain->relay = sql_text(s, 2, a);
    domain->verify = sqlite3_column_int(s, 3) != 0;
    return domain_kind_parse(kind, &domain->kind) ||
           err_set(e, ERR_IO, "directory %s: the domain %.*s is of the unknown kind \"%.*s\"",
                   db->path, STR_ARG(domain->name), STR_ARG(str_head(kind, 40)));
}

enum lookup directory_db_find_domain(struct directory_db *db, struct str name, struct arena *a,
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

enum lookup directory_db_only_domain(struct directory_db *db, struct arena *a, struct str *name,
                                     struct err *e)
{
    sqlite3_stmt *s =
        sql_prepare(db, e, "SELECT name FROM domains WHERE (SELECT count(*) FROM domains) = 1", "");
    enum sql_step step = s ? sql_step(db, s, e) : SQL_FAILED;
    if (step == SQL_ROW)
        *name = sql_text(s, 0, a);
    sqlite3_finalize(s);
    return sql_lookup(step);
}

bool directory_db_domain_id(struct directory_db *db, struct str name, int64_t *id, struct err *e)
{
    if (!sql_number(db, id, e, "SELECT id FROM domains WHERE name = ?", "s", name))
        return false;
    return *id != 0 || sql_missing(e, "domain", name);
}

bool directory_db_add_domain(struct directory_db *db, const struct directory_change *c,
                             struct err *e)
{
    int64_t found;
    struct domain domain = {.relay = STR("")};
    if (!sql_number(db, &found, e, "SELECT count(*) FROM domains WHERE name = ?", "s",
                    c->name.domain))
        return false;
    if (found > 0)
        return sql_exists(e, "domain", c->name.domain);
    return domain_apply(&domain, &c->domain, e) &&
           sql_change(db, NULL, e,
                      "INSERT INTO domains (name, kind, relay, verify) VALUES (?, ?, ?, ?)", "sssi",
                      c->name.domain, str_from_c(domain_kind_name(domain.kind)), domain.relay,
                      (int64_t)domain.verify);
}

bool directory_db_set_domain(struct directory_db *db, const struct directory_change *c,
                             struct err *e)
{
    struct arena *a = arena_new();
    struct domain domain;
    bool ok = false;
    switch (directory_db_find_domain(db, c->name.domain, a, &domain, e)) {
    case LOOKUP_TEMPFAIL:
        break;
    case LOOKUP_NOT_FOUND:
        sql_missing(e, "domain", c->name.domain);
        break;
    case LOOKUP_FOUND:
        ok = domain_apply(&domain, &c->domain, e) &&
             sql_change(db, NULL, e,
                        "UPDATE domains SET kind = ?, relay = ?, verify = ? WHERE name = ?", "ssis",
                        str_from_c(domain_kind_name(domain.kind)), domain.relay,
                        (int64_t)domain.verify, domain.name);
        break;
    }
    arena_free(a);
    return ok;
}

bool directory_db_delete_domain(struct directory_db *db, const struct directory_change *c,
                                struct err *e)
{
    int64_t id, users, addresses, groups;
    if (!directory_db_domain_id(db, c->name.domain, &id, e) ||
        !sql_number(db, &users, e, "SELECT count(*) FROM users WHERE domain = ?", "i", id) ||
        !sql_number(db, &addresses, e, "SELECT count(*) FROM addresses WHERE domain = ?", "i",
                    id) ||
        !sql_number(db, &groups, e, "SELECT count(*) FROM mail_groups WHERE domain = ?", "i", id))
        return false;
    if (users > 0 || addresses > 0 || groups > 0)
        return err_set(e, ERR_EXISTS,
                       "the domain %.*s still has users (%lld), addresses (%lld) or groups (%lld): "
                       "delete them first",
                       STR_ARG(c->name.domain), (long long)users, (long long)addresses,
                       (long long)groups);
    return sql_change(db, NULL, e, "DELETE FROM domains WHERE id = ?", "i", id);
}

bool directory_db_list_domains(struct directory_db *db, struct arena *a, struct domain **list,
                               size_t *count, struct err *e)
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
