#pragma once
/*
 * What the directory has answered lately, kept on the loop. Private to auth.
 */
#include "auth/directory.h"

enum answer_kind { ANSWER_DOMAIN, ANSWER_ONLY_DOMAIN, ANSWER_ACCOUNT, ANSWER_ADDRESS };

/* One answer, or the question on its way (done == false). Reference counted: the cache holds one,
 * each fiber that reads it another. */
struct answer {
    unsigned references;
    enum answer_kind kind;
    bool done;
    bool stale; /* asked before a change: for those who wait already, for nobody else */
    struct str key;
    enum lookup status;
    struct err error; /* LOOKUP_TEMPFAIL */
    struct domain domain;
    struct account account;
    const char *hash;
    struct str verifier;
    struct directory_address address;
    struct arena *arena; /* of all the above */
    struct cond finished;
    usec expires, used;
    struct answer *next; /* of those on their way */
};

struct answer *answer_new(enum answer_kind kind, struct str key);
/* The last one frees. NULL is allowed. */
void answer_unref(struct answer *a);

struct cache;

struct cache *cache_new(usec lifetime);
void cache_free(struct cache *c);
/* Returns a reference, NULL when not there or too old. */
struct answer *cache_find(struct cache *c, enum answer_kind kind, struct str key);
/* Takes a reference of its own. */
void cache_put(struct cache *c, struct answer *a);
void cache_clear(struct cache *c);

/* Right passwords: the HMAC of login, stored hash and password under a random key of this process.
 * A new hash thus ends what was remembered for the old one. */
struct success_tag {
    unsigned char bytes[32];
};
void success_make_tag(const struct cache *c, struct str login, const char *hash,
                      struct str password, struct success_tag *tag);
bool success_find(const struct cache *c, const struct success_tag *tag);
void success_put(struct cache *c, const struct success_tag *tag);
