/*
 * A set-associative table, as in a processor: the tag chooses a set of a few places, a new success
 * takes the place of the one that expires first. Only who knew a right password fills it.
 */
#include "auth/directory_success.h"

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

struct successes {
    usec lifetime;
    struct success sets[SUCCESS_SETS][SUCCESS_WAYS];
    unsigned char key[32];
};

struct successes *successes_new(usec lifetime)
{
    struct successes *s = MEM_NEW(struct successes);
    s->lifetime = lifetime;
    random_bytes(s->key, sizeof(s->key));
    return s;
}

void successes_free(struct successes *s)
{
    if (!s)
        return;
    explicit_bzero(s, sizeof(*s));
    free(s);
}

/* Writes only where something is: the rest was never touched and takes no memory. */
void successes_clear(struct successes *s)
{
    for (size_t set = 0; set < SUCCESS_SETS; set++)
        for (size_t i = 0; i < SUCCESS_WAYS; i++)
            if (s->sets[set][i].expires != 0)
                s->sets[set][i] = (struct success){0};
}

void successes_set_lifetime(struct successes *s, usec lifetime)
{
    if (lifetime != s->lifetime)
        successes_clear(s);
    s->lifetime = lifetime;
}

void success_make_tag(const struct successes *s, struct str login, const char *hash,
                      struct str password, struct success_tag *tag)
{
    struct buf text = BUF_EMPTY;
    buf_add_counted(&text, login);
    buf_add_counted(&text, str_from_c(hash));
    buf_add_counted(&text, password);
    unsigned char *made = HMAC(EVP_sha256(), s->key, sizeof(s->key), (unsigned char *)text.p,
                               text.n, tag->bytes, NULL);
    assert(made);
    explicit_bzero(text.p, text.n);
    buf_free(&text);
}

static size_t set_of(const struct success_tag *tag)
{
    return (tag->bytes[0] | (size_t)tag->bytes[1] << 8) % SUCCESS_SETS;
}

bool success_find(const struct successes *s, const struct success_tag *tag)
{
    const struct success *set = s->sets[set_of(tag)];
    usec now = clock_monotonic();
    for (size_t i = 0; i < SUCCESS_WAYS; i++)
        if (set[i].expires > now && CRYPTO_memcmp(&set[i].tag, tag, sizeof(*tag)) == 0)
            return true;
    return false;
}

void success_put(struct successes *s, const struct success_tag *tag)
{
    struct success *set = s->sets[set_of(tag)], *place = &set[0];
    for (size_t i = 1; i < SUCCESS_WAYS; i++)
        if (set[i].expires < place->expires)
            place = &set[i];
    place->tag = *tag;
    place->expires = clock_monotonic() + s->lifetime;
}
