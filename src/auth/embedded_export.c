/*
 * Export: domains first, since the others need them; then users, a slice at a time by their logins,
 * groups, addresses, rules, delegations, and what is kept of groups of other sources. Password
 * hashes, verifiers and private keys are part of it.
 */
#include "auth/directory_record.h"

#include "auth/directory_internal.h"
#include "auth/embedded_address.h"
#include "auth/embedded_domain.h"
#include "auth/embedded_group.h"
#include "auth/embedded_record.h"
#include "auth/embedded_rule.h"
#include "auth/embedded_send_as.h"
#include "auth/embedded_user.h"

struct slice {
    struct str domain, after;
    struct arena *arena;
    struct source_account *users;
    size_t user_count;
    struct directory_group *groups;
    struct directory_address *addresses;
    struct domain *domains;
    struct address_rule *rules;
    struct delegation *delegations;
    struct group_settings *settings;
    size_t count;
};

static bool read_groups(struct directory_db *db, void *arg, struct err *e)
{
    struct slice *s = arg;
    return group_db_list(db, s->domain, s->arena, &s->groups, &s->count, e);
}

static bool read_addresses(struct directory_db *db, void *arg, struct err *e)
{
    struct slice *s = arg;
    return address_db_list(db, s->domain, s->arena, &s->addresses, &s->count, e);
}

static bool read_domains(struct directory_db *db, void *arg, struct err *e)
{
    struct slice *s = arg;
    return domain_db_list(db, s->arena, &s->domains, &s->count, e);
}

static bool read_rules(struct directory_db *db, void *arg, struct err *e)
{
    struct slice *s = arg;
    return rule_db_list(db, s->arena, &s->rules, &s->count, e);
}

static bool read_delegations(struct directory_db *db, void *arg, struct err *e)
{
    struct slice *s = arg;
    return send_as_db_list(db, STR(""), s->arena, &s->delegations, &s->count, e);
}

static bool read_settings(struct directory_db *db, void *arg, struct err *e)
{
    struct slice *s = arg;
    return group_settings_db_list(db, s->arena, &s->settings, &s->count, e);
}

static bool read_users(struct directory_db *db, void *arg, struct err *e)
{
    struct slice *s = arg;
    struct sql_rows logins = {.size = sizeof(struct str)};
    enum sql_step step = SQL_FAILED;
    sqlite3_stmt *q =
        sql_prepare(db, e,
                    "SELECT login FROM users JOIN domains ON domains.id = domain"
                    " WHERE (?1 = '' OR domains.name = ?1) AND login > ?2 ORDER BY login LIMIT ?3",
                    "ssi", s->domain, s->after, (int64_t)EXPORT_SLICE);
    while (q && (step = sql_step(db, q, e)) == SQL_ROW)
        *(struct str *)sql_rows_add(&logins, s->arena) = sql_text(q, 0, s->arena);
    sqlite3_finalize(q);
    s->user_count = 0;
    s->users = arena_array(s->arena, logins.count, sizeof(*s->users));
    for (size_t i = 0; step == SQL_END && i < logins.count; i++) {
        struct str login = ((struct str *)logins.p)[i];
        enum lookup found =
            directory_db_find_account(db, login, s->arena, &s->users[s->user_count], e);
        if (found == LOOKUP_TEMPFAIL)
            return false;
        s->user_count += found == LOOKUP_FOUND;
    }
    return step == SQL_END;
}

struct exporting {
    struct directory *d;
    struct str domain;
    bool (*fn)(void *arg, const struct directory_record *record);
    void *arg;
};

/* Names as people write them: quoted where they need to be. */
static SUSPENDS bool give(const struct exporting *x, struct arena *a, struct directory_record *r)
{
    if (r->kind != RECORD_DOMAIN && r->kind != RECORD_RULE)
        r->address = name_written(a, r->address);
    for (size_t i = 0; r->kind == RECORD_SEND_AS && i < r->member_count; i++)
        r->members[i] = name_written(a, r->members[i]);
    return x->fn(x->arg, r);
}

static SUSPENDS bool export_users(const struct exporting *x, struct err *e)
{
    struct slice s = {.domain = x->domain, .after = STR(""), .arena = arena_new()};
    struct arena *kept = arena_new();
    bool ok = true;
    do {
        arena_reset(s.arena);
        ok = directory_read(x->d, read_users, &s, e);
        for (size_t i = 0; ok && i < s.user_count; i++) {
            struct directory_record r = record_of_user(s.arena, &s.users[i]);
            ok = give(x, s.arena, &r);
        }
        arena_reset(kept);
        if (s.user_count > 0)
            s.after = arena_str(kept, s.users[s.user_count - 1].account.login);
    } while (ok && s.user_count == EXPORT_SLICE);
    arena_free(s.arena);
    arena_free(kept);
    return ok;
}

/* An address, "@domain" or domain of what is exported. */
static bool is_asked_for(const struct exporting *x, struct str name)
{
    ptrdiff_t at = str_find_last_char(name, '@');
    return x->domain.n == 0 || str_equal(x->domain, at < 0 ? name : str_skip(name, (size_t)at + 1));
}

static SUSPENDS bool export_domains(const struct exporting *x, struct err *e)
{
    struct slice s = {.arena = arena_new()};
    bool ok = directory_read(x->d, read_domains, &s, e);
    for (size_t i = 0; ok && i < s.count; i++) {
        struct directory_record r = record_of_domain(s.arena, &s.domains[i]);
        if (is_asked_for(x, r.address))
            ok = give(x, s.arena, &r);
    }
    arena_free(s.arena);
    return ok;
}

static SUSPENDS bool export_groups(const struct exporting *x, struct err *e)
{
    struct slice s = {.domain = x->domain, .arena = arena_new()};
    bool ok = directory_read(x->d, read_groups, &s, e);
    for (size_t i = 0; ok && i < s.count; i++) {
        struct directory_record r = record_of_group(&s.groups[i]);
        ok = give(x, s.arena, &r);
    }
    arena_free(s.arena);
    return ok;
}

static SUSPENDS bool export_addresses(const struct exporting *x, struct err *e)
{
    struct slice s = {.domain = x->domain, .arena = arena_new()};
    bool ok = directory_read(x->d, read_addresses, &s, e);
    for (size_t i = 0; ok && i < s.count; i++) {
        struct directory_record r = record_of_address(&s.addresses[i]);
        ok = give(x, s.arena, &r);
    }
    arena_free(s.arena);
    return ok;
}

static SUSPENDS bool export_rules(const struct exporting *x, struct err *e)
{
    struct slice s = {.arena = arena_new()};
    bool ok = directory_read(x->d, read_rules, &s, e);
    for (size_t i = 0; ok && i < s.count; i++) {
        struct directory_record r = record_of_rule(&s.rules[i]);
        if (x->domain.n == 0 || str_equal(x->domain, r.domain))
            ok = give(x, s.arena, &r);
    }
    arena_free(s.arena);
    return ok;
}

/* One record for all grantees of an address. */
static SUSPENDS bool export_delegations(const struct exporting *x, struct err *e)
{
    struct slice s = {.arena = arena_new()};
    bool ok = directory_read(x->d, read_delegations, &s, e);
    for (size_t i = 0; ok && i < s.count;) {
        struct directory_record r = record_of_delegations(s.arena, s.delegations + i, s.count - i);
        i += r.member_count;
        if (is_asked_for(x, r.address))
            ok = give(x, s.arena, &r);
    }
    arena_free(s.arena);
    return ok;
}

static SUSPENDS bool export_settings(const struct exporting *x, struct err *e)
{
    struct slice s = {.arena = arena_new()};
    bool ok = directory_read(x->d, read_settings, &s, e);
    for (size_t i = 0; ok && i < s.count; i++) {
        struct directory_record r = record_of_settings(&s.settings[i]);
        if (is_asked_for(x, r.address))
            ok = give(x, s.arena, &r);
    }
    arena_free(s.arena);
    return ok;
}

bool directory_export(struct directory *d, struct str domain,
                      bool (*fn)(void *arg, const struct directory_record *record), void *arg,
                      struct err *e)
{
    struct exporting x = {.d = d, .domain = STR(""), .fn = fn, .arg = arg};
    struct arena *a = arena_new();
    bool ok = directory_known_domain(d, domain, a, &x.domain, e) && export_domains(&x, e) &&
              export_users(&x, e) && export_groups(&x, e) && export_addresses(&x, e) &&
              export_rules(&x, e) && export_delegations(&x, e) && export_settings(&x, e);
    arena_free(a);
    return ok;
}
