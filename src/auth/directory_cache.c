/*
 * A set-associative cache, as in a processor: the key's hash chooses a set of a few places, a new
 * answer takes the place of one that has expired or that was used longest ago. So memory is
 * bounded, and so is the time of every look-up, whatever addresses strangers try at RCPT.
 *
 * Answers that a thing does not exist are kept like the others. Failures never are.
 */
#include "auth/directory_cache.h"

#include "auth/limits.h"
#include "core/buf.h"
#include "core/mem.h"
#include "core/random.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>

struct success {
    struct success_tag tag;
    usec expires;
};

struct cache {
    usec lifetime;
    struct answer *sets[CACHE_SETS][CACHE_WAYS];
    struct success successes[SUCCESS_SETS][SUCCESS_WAYS];
    unsigned char key[32];
};

struct answer *answer_new(enum answer_kind kind, struct str key)
{
    struct arena *arena = arena_new();
    struct answer *a = ARENA_NEW(arena, struct answer);
    a->arena = arena;
    a->references = 1;
    a->kind = kind;
    a->key = arena_str(arena, key);
    a->status = LOOKUP_TEMPFAIL;
    return a;
}

void answer_unref(struct answer *a)
{
    if (!a)
        return;
    assert(a->references > 0);
    if (--a->references == 0)
        arena_free(a->arena);
}

struct cache *cache_new(usec lifetime)
{
    struct cache *c = MEM_NEW(struct cache);
    c->lifetime = lifetime;
    random_bytes(c->key, sizeof(c->key));
    return c;
}

void cache_free(struct cache *c)
{
    if (!c)
        return;
    cache_clear(c);
    explicit_bzero(c, sizeof(*c));
    free(c);
}

static struct answer **set_of(struct cache *c, enum answer_kind kind, struct str key)
{
    return c->sets[(str_hash(key) + kind) % CACHE_SETS];
}

struct answer *cache_find(struct cache *c, enum answer_kind kind, struct str key)
{
    struct answer **set = set_of(c, kind, key);
    usec now = clock_monotonic();
    for (size_t i = 0; i < CACHE_WAYS; i++) {
        struct answer *a = set[i];
        if (!a || a->kind != kind || a->expires <= now || !str_equal(a->key, key))
            continue;
        a->used = now;
        a->references++;
        return a;
    }
    return NULL;
}

void cache_put(struct cache *c, struct answer *a)
{
    struct answer **set = set_of(c, a->kind, a->key), **place = &set[0];
    usec now = clock_monotonic();
    for (size_t i = 0; i < CACHE_WAYS; i++) {
        bool same = set[i] && set[i]->kind == a->kind && str_equal(set[i]->key, a->key);
        if (same || !set[i] || set[i]->expires <= now) {
            place = &set[i];
            break;
        }
        if (set[i]->used < (*place)->used)
            place = &set[i];
    }
    answer_unref(*place);
    a->references++;
    a->used = now;
    a->expires = now + c->lifetime;
    *place = a;
}

/* Writes only where something is: the rest was never touched and takes no memory. */
void cache_clear(struct cache *c)
{
    for (size_t s = 0; s < CACHE_SETS; s++) {
        for (size_t i = 0; i < CACHE_WAYS; i++) {
            if (!c->sets[s][i])
                continue;
            answer_unref(c->sets[s][i]);
            c->sets[s][i] = NULL;
        }
    }
    for (size_t s = 0; s < SUCCESS_SETS; s++) {
        for (size_t i = 0; i < SUCCESS_WAYS; i++) {
            if (c->successes[s][i].expires != 0)
                c->successes[s][i] = (struct success){0};
        }
    }
}

void success_make_tag(const struct cache *c, struct str login, const char *hash,
                      struct str password, struct success_tag *tag)
{
    struct buf text = BUF_EMPTY;
    buf_add_counted(&text, login);
    buf_add_counted(&text, str_from_c(hash));
    buf_add_counted(&text, password);
    unsigned char *made = HMAC(EVP_sha256(), c->key, sizeof(c->key), (unsigned char *)text.p,
                               text.n, tag->bytes, NULL);
    assert(made);
    explicit_bzero(text.p, text.n);
    buf_free(&text);
}

static size_t success_set(const struct success_tag *tag)
{
    return (tag->bytes[0] | (size_t)tag->bytes[1] << 8) % SUCCESS_SETS;
}

bool success_find(const struct cache *c, const struct success_tag *tag)
{
    const struct success *set = c->successes[success_set(tag)];
    usec now = clock_monotonic();
    for (size_t i = 0; i < SUCCESS_WAYS; i++)
        if (set[i].expires > now && CRYPTO_memcmp(&set[i].tag, tag, sizeof(*tag)) == 0)
            return true;
    return false;
}

void success_put(struct cache *c, const struct success_tag *tag)
{
    struct success *set = c->successes[success_set(tag)], *place = &set[0];
    for (size_t i = 1; i < SUCCESS_WAYS; i++)
        if (set[i].expires < place->expires)
            place = &set[i];
    place->tag = *tag;
    place->expires = clock_monotonic() + c->lifetime;
}
