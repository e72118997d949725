#pragma once
/*
 * A directory in memory that stands for src/auth in tests of the queue: the functions that the
 * queue calls are defined here, so the real ones are not linked.
 */
#include "auth/directory.h"

#include <stdlib.h>

#define FAKE_MAX 64

static struct {
    const char *domains[FAKE_MAX];      /* NULL ends */
    const char *accounts[FAKE_MAX];     /* a leading '-': disabled */
    const char *addresses[FAKE_MAX][8]; /* a leading '!': internal */
    struct domain as[FAKE_MAX];         /* kind, relay and verify of the domains */
    const char *fails;                  /* a look-up of this answers TEMPFAIL; "*": all do */
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

enum lookup directory_find_domain(struct directory *d, struct str name, struct arena *a,
                                  struct domain *domain, struct err *e)
{
    (void)d;
    if (fake_fails(name, e))
        return LOOKUP_TEMPFAIL;
    for (size_t i = 0; fake.domains[i]; i++)
        if (str_equal_nocase(name, str_from_c(fake.domains[i]))) {
            *domain = fake.as[i];
            domain->name = arena_str(a, str_from_c(fake.domains[i]));
            return LOOKUP_FOUND;
        }
    return LOOKUP_NOT_FOUND;
}

enum lookup directory_find_account(struct directory *d, struct str login, struct arena *a,
                                   struct account *account, struct err *e)
{
    (void)d;
    if (fake_fails(login, e))
        return LOOKUP_TEMPFAIL;
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
