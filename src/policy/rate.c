/*
 * Each key has a ring of counters, one for each twelfth of the period; the sum of them all is the
 * answer. The oldest of the thirteen covers the part of the period that the newest does not have
 * yet. Another period than before (the setting was changed) begins anew.
 *
 * The clock is the one that never jumps, so nobody is let in or locked out by a change of the date.
 */
#include "policy/rate.h"

#include "core/lru.h"

#include <stdlib.h>

#include "core/mem.h"

#define PARTS 12
#define SLOTS (PARTS + 1)

struct rate_table {
    struct lru *keys;
};

struct counter {
    usec width;     /* of a slot */
    int64_t newest; /* number of its slot since the clock's beginning */
    uint32_t slots[SLOTS];
};

struct rate_table *rate_table_new(size_t keys_max)
{
    struct rate_table *t = MEM_NEW(struct rate_table);
    t->keys = lru_new(sizeof(struct counter), keys_max);
    return t;
}

void rate_table_free(struct rate_table *t)
{
    if (!t)
        return;
    lru_free(t->keys);
    free(t);
}

static usec width_of(usec period)
{
    usec width = (period + PARTS - 1) / PARTS;
    return width > 0 ? width : 1;
}

static uint64_t sum(const struct counter *c, usec period, usec now)
{
    uint64_t total = 0;
    int64_t slot = now / width_of(period);
    if (c->width != width_of(period))
        return 0;
    for (int64_t i = slot - SLOTS + 1; i <= slot; i++)
        if (i >= 0 && i <= c->newest && i > c->newest - SLOTS)
            total += c->slots[i % SLOTS];
    return total;
}

uint64_t rate_count(const struct rate_table *t, struct str key, usec period, usec now)
{
    const struct counter *c = lru_peek(t->keys, key);
    return c ? sum(c, period, now) : 0;
}

/* The slots between the newest and now were silent. */
static void move_on(struct counter *c, int64_t slot)
{
    int64_t gap = slot - c->newest;
    for (int64_t i = 1; i <= gap && i <= SLOTS; i++)
        c->slots[(c->newest + i) % SLOTS] = 0;
    if (gap > SLOTS)
        memset(c->slots, 0, sizeof(c->slots));
    if (gap > 0)
        c->newest = slot;
}

void rate_add(struct rate_table *t, struct str key, usec period, usec now, uint32_t amount)
{
    struct counter *c = lru_add(t->keys, key);
    usec width = width_of(period);
    if (c->width != width)
        *c = (struct counter){.width = width, .newest = now / width};
    move_on(c, now / width);
    uint32_t *slot = &c->slots[c->newest % SLOTS];
    *slot = amount > UINT32_MAX - *slot ? UINT32_MAX : *slot + amount;
}

struct each {
    usec period, now;
    bool (*fn)(void *arg, struct str key, uint64_t count);
    void *arg;
};

static bool tell(void *arg, void *value)
{
    const struct each *x = arg;
    uint64_t count = sum(value, x->period, x->now);
    return count == 0 || x->fn(x->arg, lru_key(value), count);
}

void rate_each(struct rate_table *t, usec period, usec now,
               bool (*fn)(void *arg, struct str key, uint64_t count), void *arg)
{
    struct each x = {period, now, fn, arg};
    lru_each(t->keys, tell, &x);
}

size_t rate_table_size(const struct rate_table *t)
{
    return lru_count(t->keys);
}

uint64_t rate_table_evicted(const struct rate_table *t)
{
    return lru_evicted(t->keys);
}
