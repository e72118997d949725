#pragma once
/*
 * Right passwords of late, so that a client which opens five connections costs one slow hash.
 * Private to auth.
 */
#include "core/clock.h"
#include "core/str.h"

struct successes;

struct successes *successes_new(usec lifetime);
/* NULL is allowed. */
void successes_free(struct successes *s);
void successes_clear(struct successes *s);
/* Another one than before forgets all. */
void successes_set_lifetime(struct successes *s, usec lifetime);

/* The HMAC of login, stored hash and password under a random key of this process. A new hash thus
 * ends what was remembered for the old one. */
struct success_tag {
    unsigned char bytes[32];
};
void success_make_tag(const struct successes *s, struct str login, const char *hash,
                      struct str password, struct success_tag *tag);
bool success_find(const struct successes *s, const struct success_tag *tag);
void success_put(struct successes *s, const struct success_tag *tag);
