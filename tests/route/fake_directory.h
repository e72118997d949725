#pragma once
/*
 * A directory in memory that stands for src/auth in tests of routing and of the queue: the
 * functions that they call are defined here, so the real ones are not linked.
 */
#include "auth/directory.h"

#include <stdlib.h>

#define FAKE_MAX 64

struct fake_details {
    const char *login;
    const char *forwards[6];
    bool no_copy;
    const char *addresses[4]; /* other ones of its own */
    const char *mail_host;    /* NULL: here */
    enum account_mail mail;
};

static struct {
    const char *domains[FAKE_MAX];         /* NULL ends */
    const char *accounts[FAKE_MAX];        /* a leading '-': disabled */
    const char *addresses[FAKE_MAX][8];    /* a leading '!': internal */
    struct fake_details details[FAKE_MAX]; /* of accounts; login NULL ends */
    const char *groups[FAKE_MAX][8]; /* a leading '!': internal, '=': for members, '-': disabled */
    const char *group_sources[FAKE_MAX];   /* NULL: embedded */
    const char *group_mailboxes[FAKE_MAX]; /* public ones; NULL: none */
    struct domain as[FAKE_MAX];            /* all but the names of the domains */
    const char *fails;                     /* a look-up of this answers TEMPFAIL; "*": all do */
    unsigned lookups;
} fake;

static bool fake_fails(struct str key, struct err *e)
{
    fake.lookups++;
    if (!fake.fails || (strcmp(fake.fails, "*") != 0 && !str_equal(key, str_from_c(fake.fails))))
        return false;
    err_set(e, ERR_TEMP, "the directory is down");
    return true;
}

static bool fake_domain(struct str name, struct arena *a, struct domain *domain)
{
    for (size_t i = 0; fake.domains[i]; i++)
        if (str_equal_nocase(name, str_from_c(fake.domains[i]))) {
            *domain = fake.as[i];
            domain->name = arena_str(a, str_from_c(fake.domains[i]));
            return true;
        }
    return false;
}

enum lookup directory_find_domain(struct directory *d, struct str name, struct arena *a,
                                  struct domain *domain, struct err *e)
{
    (void)d;
    if (fake_fails(name, e))
        return LOOKUP_TEMPFAIL;
    return fake_domain(name, a, domain) ? LOOKUP_FOUND : LOOKUP_NOT_FOUND;
}

enum lookup directory_find_domain_or_parent(struct directory *d, struct str name, struct arena *a,
                                            struct domain *domain, struct err *e)
{
    enum lookup status = directory_find_domain(d, name, a, domain, e);
    for (ptrdiff_t dot; status == LOOKUP_NOT_FOUND && (dot = str_find_char(name, '.')) >= 0;) {
        name = str_skip(name, (size_t)dot + 1);
        if (fake_domain(name, a, domain) && domain->subdomains)
            status = LOOKUP_FOUND;
    }
    return status;
}

const char *domain_kind_name(enum domain_kind kind)
{
    return (const char *[]){"local", "relay", "sink", "alias", "virtual"}[kind];
}

static struct str *fake_list(struct arena *a, const char *const *texts, size_t max, size_t *count)
{
    struct str *list = arena_array(a, max + 1, sizeof(*list));
    for (*count = 0; *count < max && texts[*count]; (*count)++)
        list[*count] = arena_str(a, str_from_c(texts[*count]));
    return list;
}

static const struct fake_details *fake_details_of(struct str address)
{
    for (const struct fake_details *f = fake.details; f->login; f++) {
        if (str_equal_nocase(address, str_from_c(f->login)))
            return f;
        for (size_t k = 0; k < 4 && f->addresses[k]; k++)
            if (str_equal_nocase(address, str_from_c(f->addresses[k])))
                return f;
    }
    return NULL;
}

static void fake_fill(struct account *account, const struct fake_details *f, struct arena *a)
{
    account->keep_copy = !f->no_copy;
    account->mail = f->mail;
    account->mail_host = arena_str(a, str_from_c(f->mail_host));
    account->forwards = fake_list(a, f->forwards, 6, &account->forward_count);
    account->addresses = fake_list(a, f->addresses, 4, &account->address_count);
}

enum lookup directory_find_account(struct directory *d, struct str login, struct arena *a,
                                   struct account *account, struct err *e)
{
    (void)d;
    if (fake_fails(login, e))
        return LOOKUP_TEMPFAIL;
    const struct fake_details *details = fake_details_of(login);
    if (details)
        login = str_from_c(details->login);
    if (str_starts_with(login, STR("user-"))) { /* of these there are any number */
        *account = (struct account){
            .login = arena_str(a, login), .home = arena_str(a, login), .keep_copy = true};
        return LOOKUP_FOUND;
    }
    for (size_t i = 0; fake.accounts[i]; i++) {
        struct str name = str_from_c(fake.accounts[i]);
        bool disabled = name.p[0] == '-';
        name = str_skip(name, disabled);
        if (!str_equal_nocase(login, name))
            continue;
        *account = (struct account){.id = (int64_t)i, .keep_copy = true};
        account->mail = disabled ? ACCOUNT_MAIL_REFUSE : ACCOUNT_MAIL_ACCEPT;
        account->login = arena_str(a, name);
        account->home = arena_str(a, name);
        if (details)
            fake_fill(account, details, a);
        return LOOKUP_FOUND;
    }
    return LOOKUP_NOT_FOUND;
}

bool domain_relays_by_mx(const struct domain *domain)
{
    return str_equal(domain->relay, STR("mx"));
}

enum lookup directory_find_entry(struct directory *d, struct str address, struct arena *a,
                                 struct directory_address *entry, struct err *e)
{
    (void)d;
    if (fake_fails(address, e))
        return LOOKUP_TEMPFAIL;
    *entry = (struct directory_address){.address = address};
    for (size_t i = 0; fake.addresses[i][0]; i++) {
        struct str name = str_from_c(fake.addresses[i][0]);
        bool internal = name.p[0] == '!';
        if (!str_equal_nocase(address, str_skip(name, internal)))
            continue;
        entry->internal = internal;
        entry->destinations = arena_array(a, 8, sizeof(struct str));
        for (size_t k = 1; k < 8 && fake.addresses[i][k]; k++)
            entry->destinations[entry->count++] = arena_str(a, str_from_c(fake.addresses[i][k]));
        return LOOKUP_FOUND;
    }
    entry->source = EMBEDDED_NAME;
    /* "list-N@...": N addresses elsewhere. */
    if (str_starts_with(address, STR("list-"))) {
        size_t n = strtoul(arena_c(a, str_skip(address, 5)), NULL, 10);
        entry->destinations = arena_array(a, n, sizeof(struct str));
        for (; entry->count < n; entry->count++)
            entry->destinations[entry->count] = arena_printf(a, "member%zu@far.test", entry->count);
        return LOOKUP_FOUND;
    }
    return LOOKUP_NOT_FOUND;
}

enum lookup directory_find_group(struct directory *d, struct str address, struct arena *a,
                                 struct directory_group *group, struct err *e)
{
    (void)d;
    if (fake_fails(address, e))
        return LOOKUP_TEMPFAIL;
    *group = (struct directory_group){.address = address};
    for (size_t i = 0; fake.groups[i][0]; i++) {
        struct str name = str_from_c(fake.groups[i][0]);
        size_t flag = strspn(name.p, "!=-");
        if (!str_equal_nocase(address, str_skip(name, flag)))
            continue;
        group->internal = memchr(name.p, '!', flag);
        group->members_only = memchr(name.p, '=', flag);
        group->disabled = memchr(name.p, '-', flag);
        group->members = fake_list(a, fake.groups[i] + 1, 7, &group->member_count);
        group->source = fake.group_sources[i] ? fake.group_sources[i] : EMBEDDED_NAME;
        group->public_mailbox = arena_str(a, str_from_c(fake.group_mailboxes[i]));
        return LOOKUP_FOUND;
    }
    /* "team-N@...": N users here. */
    if (str_starts_with(address, STR("team-"))) {
        size_t n = strtoul(arena_c(a, str_skip(address, 5)), NULL, 10);
        group->members = arena_array(a, n + 1, sizeof(struct str));
        for (; group->member_count < n; group->member_count++)
            group->members[group->member_count] =
                arena_printf(a, "user-%zu@example.test", group->member_count);
        return LOOKUP_FOUND;
    }
    return LOOKUP_NOT_FOUND;
}

bool directory_list_domains(struct directory *d, struct arena *a, struct domain **list,
                            size_t *count, struct err *e)
{
    (void)d;
    if (fake_fails(STR(""), e))
        return false;
    *count = 0;
    *list = arena_array(a, FAKE_MAX, sizeof(**list));
    for (; fake.domains[*count]; (*count)++)
        (*list)[*count].name = str_from_c(fake.domains[*count]);
    return true;
}

/* --- rules, delegations --- */

static struct {
    const char *rules[FAKE_MAX][4];   /* domain or "", how the address begins, destinations */
    const char *rule_gives_up;        /* its limit is used up for this address */
    const char *send_as[FAKE_MAX][2]; /* address or "@domain", grantee */
} fake_more;

enum lookup directory_match_rule(struct directory *d, struct str domain, bool is_local,
                                 struct str address, struct arena *a,
                                 struct directory_address *found, struct str *name, struct err *e)
{
    (void)d;
    if (fake_more.rule_gives_up && str_equal(address, str_from_c(fake_more.rule_gives_up))) {
        err_set(e, ERR_LIMIT, "rule \"fake\": the pattern takes too many steps");
        return LOOKUP_TEMPFAIL;
    }
    for (size_t i = 0; fake_more.rules[i][0]; i++) {
        struct str of = str_from_c(fake_more.rules[i][0]);
        struct str begin = str_from_c(fake_more.rules[i][1]);
        bool internal = str_starts_with(begin, STR("!"));
        if ((of.n > 0 ? !str_equal(of, domain) : !is_local) ||
            !str_starts_with(address, str_skip(begin, internal)))
            continue;
        *found = (struct directory_address){
            .address = address, .internal = internal, .source = EMBEDDED_NAME};
        found->destinations = fake_list(a, fake_more.rules[i] + 2, 2, &found->count);
        *name = arena_printf(a, "rule-%zu", i);
        return LOOKUP_FOUND;
    }
    return LOOKUP_NOT_FOUND;
}

enum lookup directory_find_send_as(struct directory *d, struct str address, struct arena *a,
                                   struct str **grantees, size_t *count, struct err *e)
{
    (void)d;
    if (fake_fails(address, e))
        return LOOKUP_TEMPFAIL;
    ptrdiff_t at = str_find_last_char(address, '@');
    *grantees = arena_array(a, FAKE_MAX, sizeof(**grantees));
    *count = 0;
    for (size_t i = 0; at >= 0 && fake_more.send_as[i][0]; i++) {
        struct str of = str_from_c(fake_more.send_as[i][0]);
        if (str_equal(of, address) || str_equal(of, str_skip(address, (size_t)at)))
            (*grantees)[(*count)++] = arena_str(a, str_from_c(fake_more.send_as[i][1]));
    }
    return *count > 0 ? LOOKUP_FOUND : LOOKUP_NOT_FOUND;
}
