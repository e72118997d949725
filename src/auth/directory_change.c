/*
 * Another configuration for a directory that is being asked. Prepared is a chain of sources, with
 * those in it that stay; it takes the place of the old chain in one turn of the loop, and the old
 * one ends with the questions that go along it.
 *
 * What is remembered is asked for again, since another source may have it now. It is still given
 * while a source fails - a wrong password of the service account is no reason to turn mail away -
 * as long as it is known to be of the same directory: answers of a source that is gone, or that
 * looks for something else or elsewhere, are forgotten.
 */
#include "auth/directory_internal.h"

#include "auth/directory_name.h"
#include "auth/ldap_settings.h"
#include "core/mem.h"

#include <stddef.h>
#include <stdlib.h>

struct directory_change {
    struct directory *directory;
    struct config *config;
    struct arena *arena;
    struct str default_domain;
    struct directory_chain *chain;
};

/* --- preparing --- */

/* The present source, if its settings are as they were. */
static struct directory_source *find_same(const struct directory *d,
                                          const struct ldap_settings *settings)
{
    struct directory_source *s = directory_chain_find(d->chain, settings->name);
    bool same =
        s && s->settings && config_values_equal(&ldap_settings_block, s->settings, settings, NULL);
    return same ? directory_source_ref(s) : NULL;
}

static struct directory_source *open_source(struct directory_change *c, struct loop *l,
                                            struct dns *dns, const struct ldap_settings *settings,
                                            struct err *e)
{
    struct source *source = ldap_source_open(l, dns, settings, e);
    if (!source)
        return NULL;
    directory_stand_alone(c->directory, source);
    struct directory_source *s = directory_source_new(c->directory, source);
    s->config = config_ref(c->config);
    s->settings = settings;
    return s;
}

static void append(struct directory_chain *chain, struct directory_source *s)
{
    directory_chain_insert(chain, chain->count, s);
    directory_source_unref(s);
}

static bool add_ldap(struct directory_change *c, struct loop *l, struct dns *dns,
                     const struct ldap_settings *settings, struct err *e)
{
    struct directory_source *s = find_same(c->directory, settings);
    if (!s)
        s = open_source(c, l, dns, settings, e);
    if (s)
        append(c->chain, s);
    return s != NULL;
}

static const struct ldap_settings *find_settings(const struct config *config, const char *name)
{
    for (size_t i = 0; i < config_count(config, &ldap_settings_block); i++) {
        const struct ldap_settings *s = config_at(config, &ldap_settings_block, i);
        if (strcmp(s->name, name) == 0)
            return s;
    }
    return NULL;
}

static bool add_named(struct directory_change *c, struct loop *l, struct dns *dns, const char *name,
                      struct err *e)
{
    const struct ldap_settings *settings = find_settings(c->config, name);
    if (directory_chain_find(c->chain, name)) /* named twice */
        return true;
    if (settings)
        return add_ldap(c, l, dns, settings, e);
    if (strcmp(name, EMBEDDED_NAME) != 0)
        return err_set(e, ERR_PERM, "directory: sources: there is no ldap block \"%s\"", name);
    append(c->chain, directory_source_ref(c->directory->embedded_source));
    return true;
}

static bool add_all(struct directory_change *c, struct loop *l, struct dns *dns, struct err *e)
{
    bool ok = add_named(c, l, dns, EMBEDDED_NAME, e);
    for (size_t i = 0; ok && i < config_count(c->config, &ldap_settings_block); i++)
        ok = add_ldap(c, l, dns, config_at(c->config, &ldap_settings_block, i), e);
    return ok;
}

struct directory_change *directory_change_prepare(struct directory *d, struct loop *l,
                                                  struct dns *dns, struct config *config,
                                                  struct err *e)
{
    const struct directory_settings *s = config_block(config, &directory_settings_block);
    struct arena *a = arena_new();
    struct directory_change *c = ARENA_NEW(a, struct directory_change);
    c->arena = a;
    c->directory = d;
    c->config = config_ref(config);
    c->chain = directory_chain_new(d);
    if (s->default_domain[0] == '\0' ||
        !name_domain(a, str_from_c(s->default_domain), &c->default_domain))
        c->default_domain = STR("");
    bool ok = s->sources.count > 0 || add_all(c, l, dns, e);
    for (size_t i = 0; ok && i < s->sources.count; i++)
        ok = add_named(c, l, dns, s->sources.items[i], e);
    if (ok)
        return c;
    directory_change_forget(c);
    return NULL;
}

void directory_change_forget(struct directory_change *c)
{
    directory_chain_release(c->chain);
    config_unref(c->config);
    arena_free(c->arena);
}

/* --- applying --- */

static bool is_same_chain(const struct directory_chain *a, const struct directory_chain *b)
{
    for (size_t i = 0; i < a->count && i < b->count; i++)
        if (a->list[i] != b->list[i])
            return false;
    return a->count == b->count;
}

/* Who is asked, and for what; not how. */
static bool is_of_the_directory(const struct setting *s)
{
    return s->offset >= offsetof(struct ldap_settings, mapping) ||
           s->offset == offsetof(struct ldap_settings, connection.servers) ||
           s->offset == offsetof(struct ldap_settings, connection.discover);
}

static struct directory_source *find_heir(void *arg, struct directory_source *old)
{
    const struct directory_chain *chain = arg;
    struct directory_source *s = directory_chain_find(chain, old->name);
    bool same = s && (s == old || (s->settings && old->settings &&
                                   config_values_equal(&ldap_settings_block, s->settings,
                                                       old->settings, is_of_the_directory)));
    return same ? s : NULL;
}

/* Counters only grow; what failed last belongs to the old settings. */
static void take_counters(struct directory_source *s, const struct directory_source *old)
{
    if (!old || s == old)
        return;
    s->stats = old->stats;
    s->stats.failed = s->stats.wrong_seen = 0;
    s->stats.failure = s->stats.wrong_entry = (struct err){0};
}

static void exchange_chains(struct directory *d, struct directory_chain *chain)
{
    struct directory_chain *before = d->chain;
    for (size_t i = 0; i < chain->count; i++)
        take_counters(chain->list[i], directory_chain_find(before, chain->list[i]->name));
    directory_detach_questions(d);
    cache_exchange(d->cache, find_heir, chain);
    successes_clear(d->successes);
    d->chain = chain;
    directory_chain_release(before);
}

void directory_change_apply(struct directory_change *c)
{
    struct directory *d = c->directory;
    const struct directory_settings *s = config_block(c->config, &directory_settings_block);
    struct cache_limits limits = {s->cache_lifetime, s->cache_negative_lifetime, s->cache_stale,
                                  (size_t)s->cache_size};
    cache_set_limits(d->cache, &limits);
    successes_set_lifetime(d->successes, s->cache_lifetime);
    d->passwords.store_cram_md5 = s->store_cram_md5;
    directory_set_order(d, &s->sources);
    if (embedded_set_default_domain(d->embedded, c->default_domain))
        directory_forget(d); /* names without a domain mean somebody else */
    if (!is_same_chain(d->chain, c->chain)) {
        exchange_chains(d, c->chain);
        c->chain = NULL;
    }
    directory_change_forget(c);
}
