/*
 * The table of lru.h without a limit of its own: an entry exists as long as a connection holds it,
 * so none may be pushed out.
 */
#include "policy/connection_count.h"

#include "core/lru.h"
#include "core/mem.h"

#include <assert.h>
#include <stdlib.h>

struct connection_counts {
    struct lru *keys;
};

struct connection_count {
    uint64_t open;
};

struct connection_counts *connection_counts_new(void)
{
    struct connection_counts *t = MEM_NEW(struct connection_counts);
    t->keys = lru_new(sizeof(struct connection_count), SIZE_MAX);
    return t;
}

void connection_counts_free(struct connection_counts *t)
{
    if (!t)
        return;
    assert(lru_count(t->keys) == 0);
    lru_free(t->keys);
    free(t);
}

struct connection_count *connection_count_take(struct connection_counts *t, struct str key)
{
    struct connection_count *c = lru_add(t->keys, key);
    c->open++;
    return c;
}

void connection_count_give(struct connection_counts *t, struct connection_count *c)
{
    assert(c->open > 0);
    if (--c->open == 0)
        lru_remove(t->keys, c);
}

uint64_t connection_count_value(const struct connection_count *c)
{
    return c->open;
}

uint64_t connection_count_of(const struct connection_counts *t, struct str key)
{
    const struct connection_count *c = lru_peek(t->keys, key);
    return c ? c->open : 0;
}

struct each {
    bool (*fn)(void *arg, struct str key, uint64_t count);
    void *arg;
};

static bool tell(void *arg, void *value)
{
    const struct each *x = arg;
    return x->fn(x->arg, lru_key(value), connection_count_value(value));
}

void connection_counts_each(struct connection_counts *t,
                            bool (*fn)(void *arg, struct str key, uint64_t count), void *arg)
{
    struct each x = {fn, arg};
    lru_each(t->keys, tell, &x);
}
