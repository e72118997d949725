/*
 * A hash table of chained entries that also stand in a list by their last use. The keys are chosen
 * by strangers, so the hash is SipHash (Aumasson, Bernstein 2012) with a secret of this process:
 * nobody can choose keys that share a chain.
 *
 * Memory grows with the entries and is given back with them; the array of chains doubles as they
 * become more, up to the limit of the table.
 */
#include "core/lru.h"

#include "core/mem.h"
#include "core/random.h"

#include <assert.h>
#include <stdlib.h>

#define CHAINS_MIN 16

struct entry {
    struct entry *chain, *older, *newer;
    uint64_t hash;
    size_t key_n;
    const char *key; /* behind the value */
    _Alignas(16) char value[];
};

struct lru {
    size_t value_size, max, count, chain_count;
    struct entry **chains;
    struct entry *oldest, *newest;
    uint64_t secret[2], evicted;
    bool (*keeps)(const void *value);
    void (*drop)(void *value);
};

/* --- hash --- */

static inline uint64_t rotate(uint64_t x, int b)
{
    return x << b | x >> (64 - b);
}

static inline void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[0] = rotate(v[0], 32);
    v[2] += v[3];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[2] = rotate(v[2], 32);
}

/* SipHash-1-3. */
static uint64_t hash_of(const struct lru *l, struct str key)
{
    uint64_t v[4] = {l->secret[0] ^ 0x736f6d6570736575u, l->secret[1] ^ 0x646f72616e646f6du,
                     l->secret[0] ^ 0x6c7967656e657261u, l->secret[1] ^ 0x7465646279746573u};
    for (size_t at = 0; at <= key.n; at += 8) {
        size_t n = key.n - at < 8 ? key.n - at : 8;
        uint64_t word = 0;
        if (n > 0)
            memcpy(&word, key.p + at, n);
        if (n < 8)
            word |= (uint64_t)key.n << 56;
        v[3] ^= word;
        sip_round(v);
        v[0] ^= word;
    }
    v[2] ^= 0xff;
    for (int i = 0; i < 3; i++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* --- the table --- */

struct lru *lru_new(size_t value_size, size_t max)
{
    struct lru *l = MEM_NEW(struct lru);
    assert(max > 0);
    l->value_size = value_size;
    l->max = max;
    l->chain_count = CHAINS_MIN;
    l->chains = mem_array(CHAINS_MIN, sizeof(*l->chains));
    random_bytes(l->secret, sizeof(l->secret));
    return l;
}

void lru_set_owner(struct lru *l, bool (*keeps)(const void *value), void (*drop)(void *value))
{
    l->keeps = keeps;
    l->drop = drop;
}

void lru_set_max(struct lru *l, size_t max)
{
    l->max = max;
}

void lru_free(struct lru *l)
{
    if (!l)
        return;
    while (l->oldest)
        lru_remove(l, l->oldest->value);
    free(l->chains);
    free(l);
}

static struct entry **chain_of(const struct lru *l, uint64_t hash)
{
    return &l->chains[hash & (l->chain_count - 1)];
}

static struct entry *entry_of(const void *value)
{
    return (struct entry *)((char *)(uintptr_t)value - offsetof(struct entry, value));
}

static void unlink_use(struct lru *l, struct entry *e)
{
    *(e->older ? &e->older->newer : &l->oldest) = e->newer;
    *(e->newer ? &e->newer->older : &l->newest) = e->older;
}

static void make_newest(struct lru *l, struct entry *e)
{
    e->older = l->newest;
    e->newer = NULL;
    *(l->newest ? &l->newest->newer : &l->oldest) = e;
    l->newest = e;
}

static struct entry *find(const struct lru *l, uint64_t hash, struct str key)
{
    struct entry *e = *chain_of(l, hash);
    while (e && !(e->hash == hash && str_equal(str_from(e->key, e->key_n), key)))
        e = e->chain;
    return e;
}

void *lru_peek(const struct lru *l, struct str key)
{
    struct entry *e = find(l, hash_of(l, key), key);
    return e ? e->value : NULL;
}

void *lru_find(struct lru *l, struct str key)
{
    struct entry *e = find(l, hash_of(l, key), key);
    if (!e)
        return NULL;
    unlink_use(l, e);
    make_newest(l, e);
    return e->value;
}

static void chains_grow(struct lru *l)
{
    struct entry **old = l->chains;
    size_t old_count = l->chain_count;
    l->chain_count *= 2;
    l->chains = mem_array(l->chain_count, sizeof(*l->chains));
    for (size_t i = 0; i < old_count; i++) {
        for (struct entry *e = old[i], *next; e; e = next) {
            struct entry **chain = chain_of(l, e->hash);
            next = e->chain;
            e->chain = *chain;
            *chain = e;
        }
    }
    free(old);
}

void lru_remove(struct lru *l, void *value)
{
    struct entry *e = entry_of(value), **link = chain_of(l, e->hash);
    while (*link != e)
        link = &(*link)->chain;
    *link = e->chain;
    unlink_use(l, e);
    l->count--;
    if (l->drop)
        l->drop(e->value);
    free(e);
}

/* Those that are kept are few, and have been used lately. */
static bool make_room(struct lru *l)
{
    struct entry *next;
    for (struct entry *e = l->oldest; e && l->count >= l->max; e = next) {
        next = e->newer;
        if (l->keeps && l->keeps(e->value))
            continue;
        lru_remove(l, e->value);
        l->evicted++;
    }
    return l->count < l->max;
}

void *lru_add(struct lru *l, struct str key)
{
    void *value = lru_find(l, key);
    if (value)
        return value;
    if (!make_room(l))
        return NULL;
    if (l->count >= l->chain_count)
        chains_grow(l);
    struct entry *e = mem_zero(sizeof(struct entry) + l->value_size + key.n);
    e->hash = hash_of(l, key);
    e->key = e->value + l->value_size;
    e->key_n = key.n;
    if (key.n > 0)
        memcpy(e->value + l->value_size, key.p, key.n);
    struct entry **chain = chain_of(l, e->hash);
    e->chain = *chain;
    *chain = e;
    make_newest(l, e);
    l->count++;
    return e->value;
}

void *lru_oldest(const struct lru *l)
{
    return l->oldest ? l->oldest->value : NULL;
}

struct str lru_key(const void *value)
{
    const struct entry *e = entry_of(value);
    return str_from(e->key, e->key_n);
}

void lru_each_oldest(const struct lru *l, void (*fn)(void *arg, const void *value), void *arg)
{
    for (const struct entry *e = l->oldest; e; e = e->newer)
        fn(arg, e->value);
}

void lru_each(struct lru *l, bool (*fn)(void *arg, void *value), void *arg)
{
    for (struct entry *e = l->newest, *older; e; e = older) {
        older = e->older;
        if (!fn(arg, e->value))
            return;
    }
}

size_t lru_count(const struct lru *l)
{
    return l->count;
}

uint64_t lru_evicted(const struct lru *l)
{
    return l->evicted;
}
