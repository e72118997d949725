/*
 * Two tables that push out what was used longest ago (core/lru.h): answers, bounded by their bytes,
 * and names that do not exist, bounded by their number. They are apart so that whoever tries many
 * addresses pushes out other wrong ones, and never the answers that mail needs while a directory
 * is down.
 *
 * An answer that is too old stays until it is stale: it is given again when a source fails.
 * Failures are never kept.
 */
#include "auth/directory_cache.h"

#include "auth/limits.h"
#include "core/lru.h"
#include "core/mem.h"

#include <assert.h>
#include <stdlib.h>

struct kept {
    struct cache *cache;
    struct answer *answer;
    usec made, expires;
};
struct missing {
    usec made, expires;
};

struct cache {
    struct cache_limits limits;
    struct lru *answers; /* struct kept */
    struct lru *missing; /* struct missing */
    size_t bytes;
};

/* --- answers --- */

struct answer *answer_new(enum answer_kind kind)
{
    struct arena *arena = arena_new_sized(1024);
    struct answer *a = ARENA_NEW(arena, struct answer);
    a->arena = arena;
    a->kind = kind;
    a->references = 1;
    return a;
}

/* Secrets do not stay in memory that is used again for something else; it is the answer's own. */
static void wipe(struct str secret)
{
    if (secret.n > 0)
        explicit_bzero((char *)(uintptr_t)secret.p, secret.n);
}

static void answer_free(struct answer *a)
{
    directory_source_unref(a->source);
    if (a->kind == ANSWER_LOGIN || a->kind == ANSWER_ACCOUNT) {
        wipe(str_from_c(a->found.hash));
        wipe(a->found.scram_sha1);
        wipe(a->found.scram_sha256);
        wipe(a->found.cram_md5);
    }
    arena_free(a->arena);
}

void answer_unref(struct answer *a)
{
    if (!a)
        return;
    assert(a->references > 0);
    if (--a->references == 0)
        answer_free(a);
}

void answer_set_source(struct answer *a, struct directory_source *s)
{
    directory_source_unref(a->source);
    a->source = directory_source_ref(s);
}

static void unref(void *a)
{
    answer_unref(a);
}

void answer_give(struct answer *a, struct arena *to)
{
    arena_on_free(to, unref, a);
}

/* --- the tables --- */

static size_t cost(const struct answer *a)
{
    return arena_size(a->arena) + CACHE_ENTRY_COST;
}

static void drop_kept(void *value)
{
    struct kept *k = value;
    if (!k->answer)
        return;
    k->cache->bytes -= cost(k->answer);
    answer_unref(k->answer);
}

struct cache *cache_new(const struct cache_limits *limits)
{
    struct cache *c = MEM_NEW(struct cache);
    c->limits = *limits;
    c->answers = lru_new(sizeof(struct kept), SIZE_MAX);
    c->missing = lru_new(sizeof(struct missing), CACHE_MISSING_MAX);
    lru_set_owner(c->answers, NULL, drop_kept);
    return c;
}

void cache_free(struct cache *c)
{
    if (!c)
        return;
    lru_free(c->answers);
    lru_free(c->missing);
    free(c);
}

enum lookup cache_find(struct cache *c, struct str key, struct answer **found)
{
    struct kept *kept = lru_find(c->answers, key);
    usec now = clock_monotonic();
    if (kept && kept->expires > now) {
        *found = kept->answer;
        return LOOKUP_FOUND;
    }
    struct missing *missing = lru_find(c->missing, key);
    return missing && missing->expires > now ? LOOKUP_NOT_FOUND : LOOKUP_TEMPFAIL;
}

struct answer *cache_find_stale(struct cache *c, struct str key)
{
    struct kept *kept = lru_find(c->answers, key);
    return kept && clock_monotonic() - kept->made < c->limits.stale ? kept->answer : NULL;
}

static void remove_key(struct lru *table, struct str key)
{
    void *value = lru_peek(table, key);
    if (value)
        lru_remove(table, value);
}

static void keep_size(struct cache *c)
{
    while (c->bytes > c->limits.size)
        lru_remove(c->answers, lru_oldest(c->answers));
}

void cache_put(struct cache *c, struct str key, struct answer *a)
{
    usec now = clock_monotonic();
    remove_key(c->answers, key);
    remove_key(c->missing, key);
    if (c->limits.lifetime == 0 && c->limits.stale == 0)
        return;
    struct kept *kept = lru_add(c->answers, key);
    a->references++;
    *kept = (struct kept){c, a, now, now + c->limits.lifetime};
    c->bytes += cost(a);
    keep_size(c);
}

void cache_put_missing(struct cache *c, struct str key)
{
    usec now = clock_monotonic();
    remove_key(c->answers, key);
    if (c->limits.negative_lifetime == 0)
        return;
    struct missing *missing = lru_add(c->missing, key);
    *missing = (struct missing){now, now + c->limits.negative_lifetime};
}

/* --- changes --- */

struct change {
    struct cache *cache;
    const struct directory_source *source;
};

static bool change_answer(void *arg, void *value)
{
    const struct change *x = arg;
    struct kept *kept = value;
    if (kept->answer->source == x->source)
        lru_remove(x->cache->answers, kept);
    else
        kept->expires = 0;
    return true;
}

static bool remove_value(void *arg, void *value)
{
    lru_remove(arg, value);
    return true;
}

void cache_change(struct cache *c, const struct directory_source *source)
{
    lru_each(c->answers, change_answer, &(struct change){c, source});
    lru_each(c->missing, remove_value, c->missing);
}

struct exchange {
    struct cache *cache;
    struct directory_source *(*heir)(void *arg, struct directory_source *source);
    void *arg;
};

static bool exchange_answer(void *arg, void *value)
{
    const struct exchange *x = arg;
    struct kept *kept = value;
    struct directory_source *heir = x->heir(x->arg, kept->answer->source);
    kept->expires = 0;
    if (heir)
        answer_set_source(kept->answer, heir);
    else
        lru_remove(x->cache->answers, kept);
    return true;
}

void cache_exchange(struct cache *c,
                    struct directory_source *(*heir)(void *arg, struct directory_source *source),
                    void *arg)
{
    lru_each(c->answers, exchange_answer, &(struct exchange){c, heir, arg});
    lru_each(c->missing, remove_value, c->missing);
}

/* What was to be asked for again (expires is 0) still is. */
static usec expiry(usec made, usec expires, usec lifetime)
{
    return expires == 0 ? 0 : made + lifetime;
}

static bool limit_answer(void *arg, void *value)
{
    const struct cache *c = arg;
    struct kept *kept = value;
    kept->expires = expiry(kept->made, kept->expires, c->limits.lifetime);
    return true;
}

static bool limit_missing(void *arg, void *value)
{
    const struct cache *c = arg;
    struct missing *missing = value;
    missing->expires = expiry(missing->made, missing->expires, c->limits.negative_lifetime);
    return true;
}

void cache_set_limits(struct cache *c, const struct cache_limits *limits)
{
    c->limits = *limits;
    lru_each(c->answers, limit_answer, c);
    lru_each(c->missing, limit_missing, c);
    keep_size(c);
    if (limits->lifetime == 0 && limits->stale == 0)
        lru_each(c->answers, remove_value, c->answers);
}

void cache_clear(struct cache *c)
{
    lru_each(c->answers, remove_value, c->answers);
    lru_each(c->missing, remove_value, c->missing);
}

/* --- for people --- */

struct walk {
    struct cache *cache;
    bool (*fn)(void *arg, const struct cache_entry *entry);
    void *arg;
    usec now;
    bool ended, removes;
    size_t removed;
};

static bool visit(struct walk *w, struct lru *table, void *value, const struct cache_entry *entry)
{
    bool said = w->fn(w->arg, entry);
    if (!w->removes) {
        w->ended = !said;
        return said;
    }
    if (said) {
        lru_remove(table, value);
        w->removed++;
    }
    return true;
}

static bool visit_answer(void *arg, void *value)
{
    struct walk *w = arg;
    const struct kept *kept = value;
    struct cache_entry entry = {lru_key(kept), kept->answer, w->now - kept->made,
                                kept->expires - w->now};
    return visit(w, w->cache->answers, value, &entry);
}

static bool visit_missing(void *arg, void *value)
{
    struct walk *w = arg;
    const struct missing *missing = value;
    struct cache_entry entry = {lru_key(missing), NULL, w->now - missing->made,
                                missing->expires - w->now};
    return visit(w, w->cache->missing, value, &entry);
}

static size_t walk(struct walk *w)
{
    w->now = clock_monotonic();
    lru_each(w->cache->answers, visit_answer, w);
    if (!w->ended)
        lru_each(w->cache->missing, visit_missing, w);
    return w->removed;
}

void cache_each(struct cache *c, bool (*fn)(void *arg, const struct cache_entry *entry), void *arg)
{
    walk(&(struct walk){.cache = c, .fn = fn, .arg = arg});
}

size_t cache_remove(struct cache *c, bool (*fn)(void *arg, const struct cache_entry *entry),
                    void *arg)
{
    return walk(&(struct walk){.cache = c, .fn = fn, .arg = arg, .removes = true});
}

struct cache_size cache_get_size(const struct cache *c)
{
    return (struct cache_size){lru_count(c->answers), lru_count(c->missing), c->bytes};
}
