/*
 * Lists over all sources. An account that two sources know is listed by the first: what has been
 * listed is remembered by name while there is more than one source.
 */
#include "auth/directory_internal.h"

#define LISTED_MAX ((size_t)64 * 1024 * 1024)

struct listing {
    struct directory *directory;
    const char *source; /* whose are coming */
    struct lru *listed; /* names; NULL: there is only one source */
    bool (*account)(void *arg, const struct account *account);
    bool (*group)(void *arg, const struct directory_group *group);
    void *arg;
};

static bool is_listed(struct listing *l, struct str name)
{
    if (!l->listed)
        return false;
    size_t before = lru_count(l->listed);
    lru_add(l->listed, name);
    return lru_count(l->listed) == before;
}

static bool list_account(void *arg, const struct account *account)
{
    struct listing *l = arg;
    struct account named = *account;
    named.source = l->source;
    return is_listed(l, account->login) || l->account(l->arg, &named);
}

static bool list_group(void *arg, const struct directory_group *group)
{
    struct listing *l = arg;
    struct directory_group overlaid = *group;
    struct arena *a = arena_new();
    overlaid.source = l->source;
    directory_overlay_group(l->directory, a, &overlaid);
    bool more = is_listed(l, group->address) || l->group(l->arg, &overlaid);
    arena_free(a);
    return more;
}

bool directory_known_domain(struct directory *d, struct str domain, struct arena *a,
                            struct str *known, struct err *e)
{
    struct domain found;
    *known = STR("");
    if (domain.n == 0)
        return true;
    switch (directory_find_domain(d, domain, a, &found, e)) {
    case LOOKUP_TEMPFAIL:
        return false;
    case LOOKUP_NOT_FOUND:
        return err_set(e, ERR_NOT_FOUND, "there is no domain %.*s", STR_ARG(str_head(domain, 80)));
    case LOOKUP_FOUND:
        *known = found.name;
    }
    return true;
}

static bool list(struct listing *l, struct str domain, struct err *e)
{
    struct directory *d = l->directory;
    struct arena *a = arena_new();
    struct directory_chain *chain = directory_chain_hold(d);
    bool ok = directory_known_domain(d, domain, a, &domain, e);
    l->listed = chain->count > 1 ? lru_new(1, LISTED_MAX) : NULL;
    for (size_t i = 0; ok && i < chain->count; i++) {
        struct source *s = chain->list[i]->source;
        l->source = s->name;
        ok = l->account ? s->functions->list_accounts(s, domain, list_account, l, e)
                        : s->functions->list_groups(s, domain, list_group, l, e);
    }
    directory_chain_release(chain);
    lru_free(l->listed);
    arena_free(a);
    return ok;
}

bool directory_list_users(struct directory *d, struct str domain,
                          bool (*fn)(void *arg, const struct account *account), void *arg,
                          struct err *e)
{
    return list(&(struct listing){.directory = d, .account = fn, .arg = arg}, domain, e);
}

bool directory_list_groups(struct directory *d, struct str domain,
                           bool (*fn)(void *arg, const struct directory_group *group), void *arg,
                           struct err *e)
{
    return list(&(struct listing){.directory = d, .group = fn, .arg = arg}, domain, e);
}
