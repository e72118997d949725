/*
 * Names are found by a table with open addresses that doubles; rows stand in the order in which
 * they came, and are sorted when they are wanted.
 */
#include "ctl/report_table.h"

#include "core/mem.h"
#include "core/random.h"
#include "ctl/ctl_json.h"
#include "ctl/limits.h"

#include <stdlib.h>
#include <string.h>

static uint64_t hash_of(const struct report_table *t, struct str name)
{
    uint64_t h = t->secret;
    for (size_t i = 0; i < name.n; i++) {
        h = (h ^ (unsigned char)name.p[i]) * 0x9fb21c651e98df25ULL;
        h ^= h >> 29;
    }
    return h;
}

static uint32_t *slot_of(const struct report_table *t, struct str name)
{
    size_t at = hash_of(t, name) & (t->slot_count - 1);
    while (t->slots[at] && !str_equal(t->rows[t->slots[at] - 1].name, name))
        at = (at + 1) & (t->slot_count - 1);
    return &t->slots[at];
}

static void grow(struct report_table *t)
{
    t->slot_count = t->slot_count ? 2 * t->slot_count : 64;
    free(t->slots);
    t->slots = mem_array(t->slot_count, sizeof *t->slots);
    memset(t->slots, 0, t->slot_count * sizeof *t->slots);
    for (size_t i = 0; i < t->count; i++)
        *slot_of(t, t->rows[i].name) = (uint32_t)i + 1;
}

static struct report_row *add_row(struct report_table *t, uint32_t *slot, struct str name)
{
    t->rows = mem_grow(t->rows, t->count, &t->room, sizeof *t->rows, 16);
    t->rows[t->count] = (struct report_row){.name = arena_str(t->arena, name)};
    *slot = (uint32_t)++t->count;
    return &t->rows[t->count - 1];
}

struct report_row *report_table_row(struct report_table *t, struct str name)
{
    char lower[REPORT_NAME_MAX];
    if (!t->arena) {
        t->arena = arena_new();
        random_bytes(&t->secret, sizeof t->secret);
    }
    name = str_head(name, sizeof lower);
    for (size_t i = 0; i < name.n; i++)
        lower[i] = t->keep_case ? name.p[i] : char_lower(name.p[i]);
    name.p = lower;
    if (2 * t->count >= t->slot_count)
        grow(t);
    uint32_t *slot = slot_of(t, name);
    if (!*slot && t->count >= REPORT_NAMES_MAX) {
        name = STR("(others)");
        slot = slot_of(t, name);
    }
    return *slot ? &t->rows[*slot - 1] : add_row(t, slot, name);
}

void report_table_free(struct report_table *t)
{
    free(t->rows);
    free(t->slots);
    arena_free(t->arena);
}

static uint64_t weight(const struct report_row *row)
{
    return row->count + row->deferred + row->failed;
}

static int compare(const void *x, const void *y)
{
    const struct report_row *a = x, *b = y;
    if (weight(a) != weight(b))
        return weight(a) > weight(b) ? -1 : 1;
    return str_compare(a->name, b->name);
}

json_t *report_table_json(struct report_table *t, size_t top,
                          void (*add)(json_t *json, const struct report_row *row))
{
    json_t *list = json_array();
    if (t->count > 0)
        qsort(t->rows, t->count, sizeof *t->rows, compare);
    t->slot_count = 0; /* rows are elsewhere now: only to be freed */
    for (size_t i = 0; i < t->count && i < top; i++) {
        json_t *json = json_object();
        json_object_set_new(json, "name", ctl_json_str(t->rows[i].name));
        add(json, &t->rows[i]);
        json_array_append_new(list, json);
    }
    return list;
}
