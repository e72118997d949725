/*
 * Users, domains and the rest as records, and what two records of the same differ in: so an import
 * can tell what it changed by looking before and after.
 */
#include "auth/embedded_record.h"

#include "auth/embedded_address.h"
#include "auth/embedded_domain.h"
#include "auth/embedded_group.h"
#include "auth/embedded_rule.h"
#include "auth/embedded_send_as.h"
#include "auth/embedded_user.h"
#include "auth/password.h"
#include "auth/record_column.h"

#include <stdlib.h>

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

static struct str given(bool set, bool value)
{
    return set ? yes_no(value) : STR("");
}

static struct str quota_text(struct arena *a, int64_t quota)
{
    return quota == QUOTA_DEFAULT ? STR("default") : arena_printf(a, "%lld", (long long)quota);
}

struct directory_record record_of_user(struct arena *a, const struct source_account *u)
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

struct directory_record record_of_domain(struct arena *a, const struct domain *d)
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

struct directory_record record_of_group(const struct directory_group *g)
{
    return (struct directory_record){.kind = RECORD_GROUP,
                                     .address = g->address,
                                     .name = g->name,
                                     .disabled = yes_no(g->disabled),
                                     .internal = yes_no(g->internal),
                                     .members_only = yes_no(g->members_only),
                                     .send_as = yes_no(g->send_as),
                                     .public_mailbox = g->public_mailbox,
                                     .members = g->members,
                                     .member_count = g->member_count};
}

struct directory_record record_of_address(const struct directory_address *address)
{
    return (struct directory_record){.kind = RECORD_ADDRESS,
                                     .address = address->address,
                                     .internal = yes_no(address->internal),
                                     .members = address->destinations,
                                     .member_count = address->count};
}

struct directory_record record_of_rule(const struct address_rule *rule)
{
    return (struct directory_record){.kind = RECORD_RULE,
                                     .address = rule->name,
                                     .pattern = rule->pattern,
                                     .domain = rule->domain.n > 0 ? rule->domain : STR("*"),
                                     .internal = yes_no(rule->internal),
                                     .members = rule->destinations,
                                     .member_count = rule->count};
}

struct directory_record record_of_delegations(struct arena *a, const struct delegation *list,
                                              size_t count)
{
    struct directory_record r = {.kind = RECORD_SEND_AS};
    if (count > 0)
        r.address = list[0].address;
    while (r.member_count < count && str_equal(list[r.member_count].address, r.address))
        r.member_count++;
    r.members = arena_array(a, r.member_count, sizeof(*r.members));
    for (size_t i = 0; i < r.member_count; i++)
        r.members[i] = list[i].grantee;
    return r;
}

struct directory_record record_of_settings(const struct group_settings *s)
{
    const struct directory_group_change *c = &s->change;
    bool none = c->public_mailbox.p && c->public_mailbox.n == 0;
    return (struct directory_record){.kind = RECORD_GROUP_SETTINGS,
                                     .address = s->address,
                                     .disabled = given(c->set_disabled, c->disabled),
                                     .internal = given(c->set_internal, c->internal),
                                     .members_only = given(c->set_members_only, c->members_only),
                                     .send_as = given(c->set_send_as, c->send_as),
                                     .public_mailbox = none ? STR("-") : c->public_mailbox};
}

/* --- what is there --- */

static bool read_delegations(struct directory_db *db, struct str address, struct arena *a,
                             struct directory_record *r, struct err *e)
{
    struct delegation *list;
    size_t count;
    if (!send_as_db_list(db, address, a, &list, &count, e))
        return false;
    *r = record_of_delegations(a, list, count);
    return true;
}

bool record_read(struct directory_db *db, enum record_kind kind, struct str address,
                 struct arena *a, struct directory_record *r, struct err *e)
{
    struct domain domain;
    struct source_account user = {.hash = ""};
    struct directory_group group;
    struct directory_address entry;
    struct address_rule rule;
    struct group_settings settings;
    enum lookup found = LOOKUP_NOT_FOUND;
    *r = (struct directory_record){.kind = kind, .address = address};
    switch (kind) {
    case RECORD_DOMAIN:
        if ((found = domain_db_find(db, address, a, &domain, e)) == LOOKUP_FOUND)
            *r = record_of_domain(a, &domain);
        break;
    case RECORD_USER:
        if ((found = directory_db_find_account(db, address, a, &user, e)) == LOOKUP_FOUND)
            *r = record_of_user(a, &user);
        break;
    case RECORD_GROUP:
        if ((found = group_db_get(db, address, a, &group, e)) == LOOKUP_FOUND)
            *r = record_of_group(&group);
        break;
    case RECORD_ADDRESS:
        if ((found = address_db_find(db, address, a, &entry, e)) == LOOKUP_FOUND)
            *r = record_of_address(&entry);
        break;
    case RECORD_RULE:
        if ((found = rule_db_find(db, address, a, &rule, e)) == LOOKUP_FOUND)
            *r = record_of_rule(&rule);
        break;
    case RECORD_SEND_AS:
        return read_delegations(db, address, a, r, e);
    case RECORD_GROUP_SETTINGS:
        if ((found = group_settings_db_find(db, address, a, &settings, e)) == LOOKUP_FOUND)
            *r = record_of_settings(&settings);
        break;
    case RECORD_KINDS:
        break;
    }
    return found != LOOKUP_TEMPFAIL;
}

/* --- differences --- */

static int compare_texts(const void *left, const void *right)
{
    return str_compare(*(const struct str *)left, *(const struct str *)right);
}

static struct str *sorted(struct arena *a, const struct str *texts, size_t count)
{
    struct str *list = arena_array(a, count, sizeof(*list));
    for (size_t i = 0; i < count; i++)
        list[i] = texts[i];
    if (count > 1)
        qsort(list, count, sizeof(*list), compare_texts);
    return list;
}

static bool same_texts(const struct record_difference *d)
{
    bool same = d->before_count == d->after_count, in_order = same;
    for (size_t i = 0; in_order && i < d->before_count; i++)
        in_order = str_equal(d->before[i], d->after[i]);
    if (in_order || !same)
        return same;
    struct arena *a = arena_new();
    struct str *before = sorted(a, d->before, d->before_count);
    struct str *after = sorted(a, d->after, d->after_count);
    for (size_t i = 0; same && i < d->before_count; i++)
        same = str_equal(before[i], after[i]);
    arena_free(a);
    return same;
}

/* The record itself may go. */
static const struct str *kept_texts(struct arena *a, const struct str *texts, size_t count)
{
    struct str *kept = arena_array(a, count, sizeof(*kept));
    for (size_t i = 0; i < count; i++)
        kept[i] = texts[i];
    return kept;
}

void record_compare(const struct directory_record *before, const struct directory_record *after,
                    struct arena *a, struct record_result *result)
{
    struct record_difference found[RECORD_COLUMNS_MAX];
    size_t count = 0;
    for (const struct record_column *c = record_columns + 1; c->name; c++) {
        struct record_difference d = {.column = c};
        d.before = record_column_get(before, c, &d.before_count);
        d.after = record_column_get(after, c, &d.after_count);
        if (!same_texts(&d))
            found[count++] = d;
    }
    result->difference_count = count;
    result->differences = arena_array(a, count, sizeof(*found));
    for (size_t i = 0; i < count; i++) {
        struct record_difference *d = &result->differences[i];
        *d = found[i];
        d->before = kept_texts(a, d->before, d->before_count);
        d->after = kept_texts(a, d->after, d->after_count);
    }
}
