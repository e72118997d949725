/*
 * Open addressing over twice as many slots as names.
 */
#include "store/name_table.h"

#include "core/mem.h"

#include <assert.h>
#include <stdlib.h>

void name_table_init(struct name_table *t, size_t capacity,
                     struct str (*name_at)(const void *array, size_t position), const void *array)
{
    size_t slots = 8;

    assert(capacity < UINT32_MAX / 4);
    while (slots < capacity * 2)
        slots *= 2;
    *t = (struct name_table){.slots = mem_array(slots, sizeof(*t->slots)),
                             .mask = slots - 1,
                             .name_at = name_at,
                             .array = array};
}

void name_table_free(struct name_table *t)
{
    free(t->slots);
    *t = (struct name_table){0};
}

/* The slot that holds the name, or the empty one where it belongs. */
static uint32_t *slot_of(const struct name_table *t, struct str name)
{
    size_t i = str_hash(name) & t->mask;

    while (t->slots[i] && !str_equal(t->name_at(t->array, t->slots[i] - 1), name))
        i = (i + 1) & t->mask;
    return &t->slots[i];
}

bool name_table_add(struct name_table *t, size_t position)
{
    uint32_t *slot = slot_of(t, t->name_at(t->array, position));
    if (*slot)
        return false;
    *slot = (uint32_t)position + 1;
    return true;
}

ptrdiff_t name_table_find(const struct name_table *t, struct str name)
{
    return t->slots ? (ptrdiff_t)*slot_of(t, name) - 1 : -1;
}
