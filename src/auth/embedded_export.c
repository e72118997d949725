/*
 * Export: domains first, since the others need them; then users, a slice at a time by their logins,
 * groups, and addresses. Password hashes and verifiers are part of it.
 */
#include "auth/directory_record.h"

#include "auth/directory_internal.h"
#include "auth/embedded_group.h"
#include "auth/embedded_user.h"
#include "auth/password.h"

static const char *const kind_names[RECORD_KINDS] = {"domain", "user", "group", "address"};

const char *record_kind_name(enum record_kind kind)
{
    return kind_names[kind];
}

static struct str yes_no(bool yes)
{
    return yes ? STR("yes") : STR("no");
}

struct slice {
    struct str domain, after;
    struct arena *arena;
    struct source_account *users;
    size_t user_count;
    struct directory_group *groups;
    struct directory_address *addresses;
    struct domain *domains;
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
    return directory_db_list_addresses(db, s->domain, s->arena, &s->addresses, &s->count, e);
}

static bool read_domains(struct directory_db *db, void *arg, struct err *e)
{
    struct slice *s = arg;
    return directory_db_list_domains(db, s->arena, &s->domains, &s->count, e);
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

static struct str quota_text(struct arena *a, int64_t quota)
{
    return quota == QUOTA_DEFAULT ? STR("default") : arena_printf(a, "%lld", (long long)quota);
}

static struct directory_record user_record(struct arena *a, const struct source_account *u)
{
    const struct account *account = &u->account;
    struct buf password = BUF_EMPTY, cram = BUF_EMPTY;
    password_to_scheme(str_from_c(u->hash), &password);
    buf_add_hex(&cram, u->cram_md5);
    struct directory_record r = {
        .kind = RECORD_USER,
        .address = account->login,
        .name = account->name,
        .disabled = yes_no(account->no_login != NULL),
        .keep_copy = yes_no(account->keep_copy),
        .password = arena_str(a, buf_str(&password)),
        .scram_sha1 = u->scram_sha1,
        .scram_sha256 = u->scram_sha256,
        .cram_md5 = arena_str(a, buf_str(&cram)),
        .protocols = account->protocols == ACCOUNT_ALL_PROTOCOLS
                         ? STR("all")
                         : account_protocols_text(a, account->protocols),
        .quota_storage = quota_text(a, account->quota_storage),
        .quota_messages = quota_text(a, account->quota_messages),
        .forwards = account->forwards,
        .forward_count = account->forward_count,
    };
    buf_free(&password);
    buf_free(&cram);
    return r;
}

struct exporting {
    struct directory *d;
    struct str domain;
    bool (*fn)(void *arg, const struct directory_record *record);
    void *arg;
};

static SUSPENDS bool export_users(const struct exporting *x, struct err *e)
{
    struct slice s = {.domain = x->domain, .after = STR(""), .arena = arena_new()};
    struct arena *kept = arena_new();
    bool ok = true;
    do {
        arena_reset(s.arena);
        ok = directory_read(x->d, read_users, &s, e);
        for (size_t i = 0; ok && i < s.user_count; i++) {
            struct directory_record r = user_record(s.arena, &s.users[i]);
            ok = x->fn(x->arg, &r);
        }
        arena_reset(kept);
        if (s.user_count > 0)
            s.after = arena_str(kept, s.users[s.user_count - 1].account.login);
    } while (ok && s.user_count == EXPORT_SLICE);
    arena_free(s.arena);
    arena_free(kept);
    return ok;
}

static SUSPENDS bool export_domains(const struct exporting *x, struct err *e)
{
    struct slice s = {.arena = arena_new()};
    bool ok = directory_read(x->d, read_domains, &s, e);
    for (size_t i = 0; ok && i < s.count; i++) {
        const struct domain *d = &s.domains[i];
        struct directory_record r = {.kind = RECORD_DOMAIN,
                                     .address = d->name,
                                     .domain_kind = str_from_c(domain_kind_name(d->kind)),
                                     .relay = d->relay,
                                     .verify = yes_no(d->verify)};
        if (x->domain.n == 0 || str_equal(x->domain, d->name))
            ok = x->fn(x->arg, &r);
    }
    arena_free(s.arena);
    return ok;
}

static SUSPENDS bool export_groups(const struct exporting *x, struct err *e)
{
    struct slice s = {.domain = x->domain, .arena = arena_new()};
    bool ok = directory_read(x->d, read_groups, &s, e);
    for (size_t i = 0; ok && i < s.count; i++) {
        const struct directory_group *g = &s.groups[i];
        struct directory_record r = {.kind = RECORD_GROUP,
                                     .address = g->address,
                                     .name = g->name,
                                     .disabled = yes_no(g->disabled),
                                     .internal = yes_no(g->internal),
                                     .members_only = yes_no(g->members_only),
                                     .members = g->members,
                                     .member_count = g->member_count};
        ok = x->fn(x->arg, &r);
    }
    arena_free(s.arena);
    return ok;
}

static SUSPENDS bool export_addresses(const struct exporting *x, struct err *e)
{
    struct slice s = {.domain = x->domain, .arena = arena_new()};
    bool ok = directory_read(x->d, read_addresses, &s, e);
    for (size_t i = 0; ok && i < s.count; i++) {
        const struct directory_address *address = &s.addresses[i];
        struct directory_record r = {.kind = RECORD_ADDRESS,
                                     .address = address->address,
                                     .internal = yes_no(address->internal),
                                     .members = address->destinations,
                                     .member_count = address->count};
        ok = x->fn(x->arg, &r);
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
              export_users(&x, e) && export_groups(&x, e) && export_addresses(&x, e);
    arena_free(a);
    return ok;
}
