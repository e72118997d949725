/*
 * A list of domains and an index of it by name: a hash table with open addressing, twice as large
 * as the list and more.
 */
#include "auth/domain_table.h"

#include <assert.h>

struct domain_table {
    unsigned references;
    struct arena *arena;
    struct domain *list;
    size_t count;
    uint32_t *index; /* place in the list, from 1; 0: free */
    size_t index_size;
};

/* Where the name is in the index, or would be. */
static size_t find_place(const struct domain_table *t, struct str name)
{
    size_t i = (size_t)str_hash(name) & (t->index_size - 1);
    while (t->index[i] > 0 && !str_equal(t->list[t->index[i] - 1].name, name))
        i = (i + 1) & (t->index_size - 1);
    return i;
}

struct domain_table *domain_table_new(struct arena *a, struct domain *list, size_t count)
{
    struct domain_table *t = ARENA_NEW(a, struct domain_table);
    *t = (struct domain_table){
        .references = 1, .arena = a, .list = list, .count = count, .index_size = 4};
    while (t->index_size < 2 * count + 1)
        t->index_size *= 2;
    t->index = arena_array(a, t->index_size, sizeof(*t->index));
    for (size_t i = 0; i < count; i++)
        t->index[find_place(t, list[i].name)] = (uint32_t)i + 1;
    return t;
}

void domain_table_unref(struct domain_table *t)
{
    if (!t)
        return;
    assert(t->references > 0);
    if (--t->references == 0)
        arena_free(t->arena);
}

const struct domain *domain_table_find(const struct domain_table *t, struct str name)
{
    uint32_t place = t->index[find_place(t, name)];
    return place > 0 ? &t->list[place - 1] : NULL;
}

static void unref(void *t)
{
    domain_table_unref(t);
}

bool domain_table_give(struct domain_table *t, struct str name, struct arena *a,
                       struct domain *domain)
{
    const struct domain *found = domain_table_find(t, name);
    if (!found)
        return false;
    *domain = *found;
    t->references++;
    arena_on_free(a, unref, t);
    return true;
}

const struct domain *domain_table_only(const struct domain_table *t)
{
    return t->count == 1 ? &t->list[0] : NULL;
}
