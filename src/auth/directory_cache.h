#pragma once
/*
 * What the directory has answered lately, kept on the loop. Private to auth.
 */
#include "auth/directory_source.h"

/* What is asked; the first byte of a key, the name is the rest. */
enum answer_kind {
    ANSWER_DOMAIN = 'd', /* never kept */
    ANSWER_LOGIN = 'l',
    ANSWER_ACCOUNT = 'a',
    ANSWER_ADDRESS = 'f',
    ANSWER_GROUP = 'g',
};

/* What was found: immutable and reference counted; the cache holds one reference, each arena whose
 * owner was given the answer another. */
struct answer {
    unsigned references;
    enum answer_kind kind;
    struct arena *arena;             /* of all the below */
    struct directory_source *source; /* whose it is, with a reference; NULL: not known yet */
    union {
        struct domain domain;
        struct source_account found; /* of a login, an account */
        struct directory_address address;
        struct directory_group group;
    };
};

struct answer *answer_new(enum answer_kind kind);
/* NULL is allowed. */
void answer_unref(struct answer *a);
void answer_set_source(struct answer *a, struct directory_source *s);
/* Hands the reference to the arena: the answer's strings live as long as that. */
void answer_give(struct answer *a, struct arena *to);

struct cache_limits {
    usec lifetime, negative_lifetime, stale;
    size_t size; /* bytes of answers */
};
struct cache;

struct cache *cache_new(const struct cache_limits *limits);
/* NULL is allowed. */
void cache_free(struct cache *c);
/* Holds for what is there as well. */
void cache_set_limits(struct cache *c, const struct cache_limits *limits);

/* TEMPFAIL: not known. *found is borrowed. */
enum lookup cache_find(struct cache *c, struct str key, struct answer **found);
/* Also an answer that is too old, but not yet stale; NULL: there is none. */
struct answer *cache_find_stale(struct cache *c, struct str key);
/* Takes a reference of its own. */
void cache_put(struct cache *c, struct str key, struct answer *a);
void cache_put_missing(struct cache *c, struct str key);

/* What `source` knows has changed: its answers go, and those of names that did not exist; those of
 * others are asked for again. */
void cache_change(struct cache *c, const struct directory_source *source);
/* Other sources, or another order: whose the answers of each are now; NULL: they go. All others are
 * asked for again, and so are names that did not exist. */
void cache_exchange(struct cache *c,
                    struct directory_source *(*heir)(void *arg, struct directory_source *source),
                    void *arg);
void cache_clear(struct cache *c);

/* One entry, for people. */
struct cache_entry {
    struct str key;
    const struct answer *answer; /* NULL: does not exist */
    usec age;
    usec left; /* negative: since when it is only given when a source fails */
};
/* Newest first; fn may not suspend and returns false to stop. */
void cache_each(struct cache *c, bool (*fn)(void *arg, const struct cache_entry *entry), void *arg);
/* Removes those for which fn says so; how many. */
size_t cache_remove(struct cache *c, bool (*fn)(void *arg, const struct cache_entry *entry),
                    void *arg);

struct cache_size {
    size_t answers, missing, bytes;
};
struct cache_size cache_get_size(const struct cache *c);
