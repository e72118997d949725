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
#include "auth/embedded_group_settings.h"
#include "auth/embedded_rule.h"
#include "auth/embedded_send_as.h"
#include "auth/embedded_user.h"
#include "auth/password.h"

static const char *const kind_names[RECORD_KINDS] = {
    "domain", "user", "group", "address", "rule", "send_as", "group_settings"};

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

static struct directory_record domain_record(struct arena *a, const struct domain *d)
{
    return (struct directory_record){.kind = RECORD_DOMAIN,
                                     .address = d->name,
                                     .domain_kind = str_from_c(domain_kind_name(d->kind)),
                                     .relay = d->relay,
                                     .verify = yes_no(d->verify),
                                     .alias_of = d->alias_of,
                                     .subdomains = yes_no(d->subdomains),
                                     .catch_all = d->catch_all,
                                     .copies = d->copies,
                                     .copy_count = d->copy_count,
                                     .quota_storage = quota_text(a, d->quota_storage),
                                     .quota_messages = quota_text(a, d->quota_messages),
                                     .disclaimer = d->disclaimer,
                                     .dkim_selector = d->dkim_selector,
                                     .dkim_key = d->dkim_key};
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
        struct directory_record r = domain_record(s.arena, &s.domains[i]);
        if (is_asked_for(x, r.address))
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
                                     .send_as = yes_no(g->send_as),
                                     .public_mailbox = g->public_mailbox,
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

static SUSPENDS bool export_rules(const struct exporting *x, struct err *e)
{
    struct slice s = {.arena = arena_new()};
    bool ok = directory_read(x->d, read_rules, &s, e);
    for (size_t i = 0; ok && i < s.count; i++) {
        const struct address_rule *rule = &s.rules[i];
        struct directory_record r = {.kind = RECORD_RULE,
                                     .address = rule->name,
                                     .pattern = rule->pattern,
                                     .domain = rule->domain.n > 0 ? rule->domain : STR("*"),
                                     .internal = yes_no(rule->internal),
                                     .members = rule->destinations,
                                     .member_count = rule->count};
        if (x->domain.n == 0 || str_equal(x->domain, rule->domain))
            ok = x->fn(x->arg, &r);
    }
    arena_free(s.arena);
    return ok;
}

/* One record for all grantees of an address. */
static SUSPENDS bool export_delegations(const struct exporting *x, struct err *e)
{
    struct slice s = {.arena = arena_new()};
    bool ok = directory_read(x->d, read_delegations, &s, e);
    struct str *grantees = arena_array(s.arena, s.count, sizeof(*grantees));
    for (size_t i = 0, end; ok && i < s.count; i = end) {
        struct directory_record r = {
            .kind = RECORD_SEND_AS, .address = s.delegations[i].address, .members = grantees};
        for (end = i; end < s.count && str_equal(s.delegations[end].address, r.address); end++)
            grantees[r.member_count++] = s.delegations[end].grantee;
        if (is_asked_for(x, r.address))
            ok = x->fn(x->arg, &r);
    }
    arena_free(s.arena);
    return ok;
}

static struct str given(bool set, bool value)
{
    return set ? yes_no(value) : STR("");
}

static SUSPENDS bool export_settings(const struct exporting *x, struct err *e)
{
    struct slice s = {.arena = arena_new()};
    bool ok = directory_read(x->d, read_settings, &s, e);
    for (size_t i = 0; ok && i < s.count; i++) {
        const struct directory_group_change *c = &s.settings[i].change;
        bool none = c->public_mailbox.p && c->public_mailbox.n == 0;
        struct directory_record r = {.kind = RECORD_GROUP_SETTINGS,
                                     .address = s.settings[i].address,
                                     .disabled = given(c->set_disabled, c->disabled),
                                     .internal = given(c->set_internal, c->internal),
                                     .members_only = given(c->set_members_only, c->members_only),
                                     .send_as = given(c->set_send_as, c->send_as),
                                     .public_mailbox = none ? STR("-") : c->public_mailbox};
        if (is_asked_for(x, r.address))
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
              export_users(&x, e) && export_groups(&x, e) && export_addresses(&x, e) &&
              export_rules(&x, e) && export_delegations(&x, e) && export_settings(&x, e);
    arena_free(a);
    return ok;
}
