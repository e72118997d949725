/*
 * A set-associative table, as in a processor: the name's hash, keyed with a secret of this process,
 * chooses a set of a few places. A new name takes a free place, or that of the entry that matters
 * least: none that locks somebody out as long as there is another, then the one with the fewest
 * failures. So memory and the time of each look-up are bounded, nobody can choose names that share
 * a set, and a hundred thousand addresses with one failure each push out each other, but not the
 * address that has gone on for an hour.
 *
 * Failures leak: a level falls steadily by `limit` in `memory`, and what has come to nothing is
 * free. That is computed when an entry is looked at; no timer runs.
 */
#include "auth/penalty_table.h"

#include "auth/limits.h"
#include "core/mem.h"
#include "core/random.h"

#include <assert.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>

struct penalty_table {
    double leak; /* failures in a microsecond */
    size_t count;
    unsigned char key[32];
    bool used[PENALTY_SETS]; /* sets that may hold something: the rest was never touched */
    struct penalty_entry sets[PENALTY_SETS][PENALTY_WAYS];
};

struct penalty_table *penalty_table_new(void)
{
    struct penalty_table *t = MEM_NEW(struct penalty_table);
    random_bytes(t->key, sizeof(t->key));
    return t;
}

void penalty_table_set_leak(struct penalty_table *t, double limit, usec memory)
{
    t->leak = limit / (double)memory;
}

void penalty_table_remove(struct penalty_table *t, struct penalty_entry *entry)
{
    assert(entry->name.p && t->count > 0);
    free((char *)entry->name.p);
    *entry = (struct penalty_entry){0};
    t->count--;
}

static void remove_any(void *arg, struct penalty_table *t, struct penalty_entry *entry)
{
    (void)arg;
    penalty_table_remove(t, entry);
}

void penalty_table_free(struct penalty_table *t)
{
    if (!t)
        return;
    penalty_table_each(t, remove_any, NULL);
    explicit_bzero(t->key, sizeof(t->key));
    free(t);
}

/* Of two texts: the length of the first keeps "ab","c" apart from "a","bc". */
static void hash_of(const struct penalty_table *t, struct str a, struct str b,
                    unsigned char hash[EVP_MAX_MD_SIZE])
{
    unsigned char *bytes = mem_alloc(sizeof(a.n) + a.n + b.n);
    memcpy(bytes, &a.n, sizeof(a.n));
    if (a.n > 0)
        memcpy(bytes + sizeof(a.n), a.p, a.n);
    if (b.n > 0)
        memcpy(bytes + sizeof(a.n) + a.n, b.p, b.n);
    unsigned char *made =
        HMAC(EVP_sha256(), t->key, sizeof(t->key), bytes, sizeof(a.n) + a.n + b.n, hash, NULL);
    assert(made);
    explicit_bzero(bytes, sizeof(a.n) + a.n + b.n);
    free(bytes);
}

uint64_t penalty_table_hash(const struct penalty_table *t, struct str a, struct str b)
{
    unsigned char hash[EVP_MAX_MD_SIZE];
    uint64_t n;
    hash_of(t, a, b, hash);
    memcpy(&n, hash, sizeof(n));
    return n ? n : 1;
}

/* The level of now; an entry without failures is free. */
static void bring_up_to_date(struct penalty_table *t, struct penalty_entry *entry, usec now)
{
    if (!entry->name.p)
        return;
    entry->level -= (double)(now - entry->updated) * t->leak;
    entry->updated = now;
    if (entry->locked_until <= now)
        entry->locked_until = 0;
    if (entry->level <= 0) {
        entry->level = 0;
        if (!entry->locked_until)
            penalty_table_remove(t, entry);
    }
}

/* add: for a new entry. */
static struct penalty_entry *set_of(struct penalty_table *t, struct str name, bool add,
                                    unsigned char hash[EVP_MAX_MD_SIZE])
{
    hash_of(t, name, STR(""), hash);
    size_t chosen = (hash[16] | (size_t)hash[17] << 8) % PENALTY_SETS;
    struct penalty_entry *set = t->sets[chosen];
    t->used[chosen] = t->used[chosen] || add;
    usec now = clock_monotonic();
    for (size_t i = 0; i < PENALTY_WAYS; i++)
        bring_up_to_date(t, &set[i], now);
    return set;
}

static struct penalty_entry *find_in(struct penalty_entry *set, const unsigned char *hash)
{
    for (size_t i = 0; i < PENALTY_WAYS; i++)
        if (set[i].name.p && memcmp(set[i].id, hash, sizeof(set[i].id)) == 0)
            return &set[i];
    return NULL;
}

struct penalty_entry *penalty_table_find(struct penalty_table *t, struct str name)
{
    unsigned char hash[EVP_MAX_MD_SIZE];
    struct penalty_entry *set = set_of(t, name, false, hash);
    return find_in(set, hash);
}

static bool matters_less(const struct penalty_entry *a, const struct penalty_entry *b)
{
    if (!a->name.p || !b->name.p)
        return !a->name.p && b->name.p;
    if (a->locked_until != b->locked_until)
        return a->locked_until < b->locked_until;
    return a->level < b->level;
}

struct penalty_entry *penalty_table_add(struct penalty_table *t, struct str name)
{
    unsigned char hash[EVP_MAX_MD_SIZE];
    struct penalty_entry *set = set_of(t, name, true, hash), *place = find_in(set, hash);
    if (place)
        return place;
    place = set;
    for (size_t i = 1; i < PENALTY_WAYS; i++)
        if (matters_less(&set[i], place))
            place = &set[i];
    if (place->name.p)
        penalty_table_remove(t, place);
    memcpy(place->id, hash, sizeof(place->id));
    place->name = str_from(mem_dup(name.p, name.n), name.n);
    place->updated = clock_monotonic();
    t->count++;
    return place;
}

void penalty_table_each(struct penalty_table *t,
                        void (*fn)(void *arg, struct penalty_table *t, struct penalty_entry *entry),
                        void *arg)
{
    usec now = clock_monotonic();
    for (size_t s = 0; t->count > 0 && s < PENALTY_SETS; s++) {
        for (size_t i = 0; t->used[s] && i < PENALTY_WAYS; i++) {
            bring_up_to_date(t, &t->sets[s][i], now);
            if (t->sets[s][i].name.p)
                fn(arg, t, &t->sets[s][i]);
        }
    }
}
