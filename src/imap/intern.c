/*
 * An open hash table, at most three quarters full. Eight bytes at a time are mixed in by a
 * multiplication to 128 bits, twice with different keys.
 */
#include "imap/intern.h"

#include "core/mem.h"
#include "core/random.h"

#include <stdlib.h>

void intern_init(struct intern *t)
{
    *t = (struct intern){.mask = 1023};
    random_bytes(t->keys, sizeof t->keys);
    t->slots = mem_array(t->mask + 1, sizeof *t->slots);
}

void intern_free(struct intern *t)
{
    free(t->slots);
}

static uint64_t mix(uint64_t a, uint64_t b)
{
    __extension__ unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t hash(const uint64_t keys[2], struct str text)
{
    uint64_t state = mix(keys[0] ^ text.n, keys[1] | 1), word;
    for (size_t i = 0; i < text.n; i += sizeof word) {
        size_t n = text.n - i < sizeof word ? text.n - i : sizeof word;
        word = 0;
        memcpy(&word, text.p + i, n);
        state = mix(state ^ word ^ keys[1], keys[0] | 1) + word;
    }
    return mix(state ^ keys[0], keys[1] | 1);
}

static struct intern_slot *find(const struct intern *t, const uint64_t h[2])
{
    size_t i = h[0] & t->mask;
    while ((t->slots[i].hash[0] || t->slots[i].hash[1]) &&
           (t->slots[i].hash[0] != h[0] || t->slots[i].hash[1] != h[1]))
        i = (i + 1) & t->mask;
    return &t->slots[i];
}

static void grow(struct intern *t)
{
    struct intern old = *t;
    t->mask = 2 * old.mask + 1;
    t->slots = mem_array(t->mask + 1, sizeof *t->slots);
    for (size_t i = 0; i <= old.mask; i++)
        if (old.slots[i].hash[0] || old.slots[i].hash[1])
            *find(t, old.slots[i].hash) = old.slots[i];
    free(old.slots);
}

uint32_t *intern(struct intern *t, struct str text, bool *is_new)
{
    uint64_t h[2] = {hash(t->keys, text), hash(t->keys + 2, text) | 1};
    if (t->count * 4 >= t->mask * 3)
        grow(t);
    struct intern_slot *slot = find(t, h);
    *is_new = !slot->hash[1];
    if (*is_new) {
        *slot = (struct intern_slot){{h[0], h[1]}, 0};
        t->count++;
    }
    return &slot->value;
}
