/*
 * The policies in memory: a tree by domain, and a list in the order of their use, whose head goes
 * when there are too many. An entry that a fiber waits for stays.
 */
#include "core/mem.h"
#include "net/dns_decode.h"
#include "smtp/mta_sts_internal.h"

#include <search.h>
#include <stdlib.h>

static int compare(const void *a, const void *b)
{
    return str_compare(((const struct mta_sts_entry *)a)->domain,
                       ((const struct mta_sts_entry *)b)->domain);
}

const char *mta_sts_name(struct str domain, struct arena *a)
{
    const char *query;
    if (!dns_query_name(domain, a, &query) || !dns_is_host_name(str_from_c(query)))
        return NULL;
    char *name = arena_c(a, str_from_c(query));
    for (char *p = name; *p; p++)
        *p = char_lower(*p);
    return name;
}

struct mta_sts_entry *mta_sts_entry_find(const struct mta_sts *m, const char *name)
{
    struct mta_sts_entry key = {.domain = str_from_c(name)};
    struct mta_sts_entry **found = tfind(&key, &m->by_domain, compare);
    return found ? *found : NULL;
}

static bool make_room(struct mta_sts *m)
{
    struct mta_sts_entry *e;
    if (m->count < MTA_STS_DOMAINS_MAX)
        return true;
    TAILQ_FOREACH(e, &m->list, link)
    if (e->holds == 0) {
        mta_sts_entry_remove(m, e);
        return true;
    }
    return false;
}

struct mta_sts_entry *mta_sts_entry_get(struct mta_sts *m, const char *name)
{
    struct mta_sts_entry *e = mta_sts_entry_find(m, name);
    if (e || !make_room(m))
        return e;
    e = MEM_NEW(struct mta_sts_entry);
    e->domain = str_from(mem_dup(name, strlen(name)), strlen(name));
    if (!tsearch(e, &m->by_domain, compare))
        abort();
    TAILQ_INSERT_TAIL(&m->list, e, link);
    m->count++;
    return e;
}

void mta_sts_entry_remove(struct mta_sts *m, struct mta_sts_entry *e)
{
    tdelete(e, &m->by_domain, compare);
    TAILQ_REMOVE(&m->list, e, link);
    m->count--;
    arena_free(e->arena);
    free((char *)e->domain.p);
    free(e);
}

void mta_sts_entry_set(struct mta_sts_entry *e, struct arena *a,
                       const struct mta_sts_policy *policy, struct str id, usec fetched)
{
    struct str copy = arena_str(a, id);
    arena_free(e->arena);
    e->arena = a;
    e->policy = *policy;
    e->id = copy;
    e->fetched = fetched;
}

usec mta_sts_entry_expires(const struct mta_sts_entry *e)
{
    return e->fetched + (usec)e->policy.max_age * USEC_SEC;
}

/* A clock that was set back must not make a policy hold for ever. */
bool mta_sts_entry_holds(const struct mta_sts_entry *e)
{
    usec now = clock_wall();
    return e->arena && now < mta_sts_entry_expires(e) && e->fetched < now + 3600 * USEC_SEC;
}
