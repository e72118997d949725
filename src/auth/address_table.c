/*
 * A hash table with open addressing and linear probing (Knuth 6.4, algorithm L; R for deletion): an
 * array of pointers, a power of two of them, at most three quarters in use. An entry is one piece
 * of memory: a head of 12 bytes, and the texts one behind the other, each with its length in front
 * and a NUL behind it. That makes about 55 bytes for an address beside its texts.
 *
 * The keys are those that operators wrote, so the hash need not be a secret.
 */
#include "auth/address_table.h"

#include "core/mem.h"

#include <assert.h>
#include <malloc.h>
#include <stdlib.h>

#define SLOTS_MIN 16

struct entry {
    uint32_t hash;
    uint32_t size; /* of the texts */
    uint32_t count : 31, flag : 1;
    char texts[]; /* the address, then its texts */
};

struct address_table {
    struct entry **slots;
    size_t slot_count, count;
    struct address_table_size size; /* but for the table itself */
};

/* --- entries --- */

#define TEXT_COST (sizeof(uint16_t) + 1)

static char *put_text(char *at, struct str text)
{
    uint16_t n = (uint16_t)text.n;
    memcpy(at, &n, sizeof(n));
    memcpy(at + sizeof(n), text.p, text.n);
    at[sizeof(n) + text.n] = '\0';
    return at + text.n + TEXT_COST;
}

static struct str take_text(const char **at)
{
    uint16_t n;
    memcpy(&n, *at, sizeof(n));
    struct str text = str_from(*at + sizeof(n), n);
    *at += n + TEXT_COST;
    return text;
}

static struct entry *entry_new(struct str address, const struct str *texts, size_t count, bool flag)
{
    size_t size = address.n + TEXT_COST;
    assert(address.n <= ADDRESS_TABLE_TEXT_MAX && count <= INT32_MAX);
    for (size_t i = 0; i < count; i++) {
        assert(texts[i].n <= ADDRESS_TABLE_TEXT_MAX);
        size += texts[i].n + TEXT_COST;
    }
    assert(size <= UINT32_MAX);
    struct entry *x = mem_alloc(offsetof(struct entry, texts) + size);
    x->hash = (uint32_t)str_hash(address);
    x->size = (uint32_t)size;
    x->count = (uint32_t)count & INT32_MAX;
    x->flag = flag;
    char *at = put_text(x->texts, address);
    for (size_t i = 0; i < count; i++)
        at = put_text(at, texts[i]);
    return x;
}

static struct str address_of(const struct entry *x)
{
    const char *at = x->texts;
    return take_text(&at);
}

static size_t text_of(const struct entry *x)
{
    return x->size - ((size_t)x->count + 1) * TEXT_COST;
}

/* A piece of memory and the word in front of it that the allocator keeps. */
static size_t piece(const void *p)
{
    return malloc_usable_size((void *)(uintptr_t)p) + sizeof(size_t);
}

static void count_entry(struct address_table *t, const struct entry *x)
{
    t->count++;
    t->size.text += text_of(x);
    t->size.bytes += piece(x);
}

static void drop_entry(struct address_table *t, struct entry *x)
{
    t->count--;
    t->size.text -= text_of(x);
    t->size.bytes -= piece(x);
    free(x);
}

/* --- slots --- */

static struct entry **slots_new(size_t count)
{
    return mem_array(count, sizeof(struct entry *));
}

struct address_table *address_table_new(size_t expected)
{
    struct address_table *t = MEM_NEW(struct address_table);
    t->slot_count = SLOTS_MIN;
    while (t->slot_count / 4 * 3 < expected)
        t->slot_count *= 2;
    t->slots = slots_new(t->slot_count);
    return t;
}

void address_table_free(struct address_table *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < t->slot_count; i++)
        free(t->slots[i]);
    free(t->slots);
    free(t);
}

/* Where the address is, or would be. */
static size_t find_slot(const struct address_table *t, struct str address)
{
    uint32_t hash = (uint32_t)str_hash(address);
    size_t i = hash & (t->slot_count - 1);
    while (t->slots[i] &&
           (t->slots[i]->hash != hash || !str_equal(address_of(t->slots[i]), address)))
        i = (i + 1) & (t->slot_count - 1);
    return i;
}

static void grow(struct address_table *t)
{
    struct entry **old = t->slots;
    size_t old_count = t->slot_count;
    t->slot_count *= 2;
    t->slots = slots_new(t->slot_count);
    for (size_t k = 0; k < old_count; k++) {
        if (!old[k])
            continue;
        size_t i = old[k]->hash & (t->slot_count - 1);
        while (t->slots[i])
            i = (i + 1) & (t->slot_count - 1);
        t->slots[i] = old[k];
    }
    free(old);
}

void address_table_put(struct address_table *t, struct str address, const struct str *texts,
                       size_t count, bool flag)
{
    if (t->count + 1 > t->slot_count / 4 * 3)
        grow(t);
    struct entry **slot = &t->slots[find_slot(t, address)];
    if (*slot)
        drop_entry(t, *slot);
    *slot = entry_new(address, texts, count, flag);
    count_entry(t, *slot);
}

/* What stands behind the free slot i, up to the next one, moves forward where it may. */
static void close_gap(struct address_table *t, size_t i)
{
    size_t mask = t->slot_count - 1;
    for (size_t k = (i + 1) & mask; t->slots[k]; k = (k + 1) & mask) {
        size_t home = t->slots[k]->hash & mask;
        if (((k - home) & mask) < ((k - i) & mask))
            continue;
        t->slots[i] = t->slots[k];
        t->slots[k] = NULL;
        i = k;
    }
}

void address_table_remove(struct address_table *t, struct str address)
{
    size_t i = find_slot(t, address);
    if (!t->slots[i])
        return;
    drop_entry(t, t->slots[i]);
    t->slots[i] = NULL;
    close_gap(t, i);
}

bool address_table_find(const struct address_table *t, struct str address, struct arena *a,
                        struct address_table_answer *answer)
{
    const struct entry *x = t->slots[find_slot(t, address)];
    if (!x)
        return false;
    const char *at = arena_str(a, str_from(x->texts, x->size)).p;
    answer->address = take_text(&at);
    answer->count = x->count;
    answer->flag = x->flag;
    answer->texts = arena_array(a, x->count, sizeof(*answer->texts));
    for (size_t i = 0; i < answer->count; i++)
        answer->texts[i] = take_text(&at);
    return true;
}

size_t address_table_count(const struct address_table *t)
{
    return t->count;
}

struct address_table_size address_table_get_size(const struct address_table *t)
{
    return (struct address_table_size){t->size.bytes + piece(t) + piece(t->slots), t->size.text};
}
