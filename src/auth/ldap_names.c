/*
 * A set of names that keeps their order: distinguished names that were seen, addresses of a list.
 * Open addressing, never more than half full. Names differ by more than ASCII case; two spellings
 * of one distinguished name (blanks, escapes) count as two, which costs a search and is found by
 * the address in the end.
 */
#include "auth/ldap_source.h"

static uint64_t hash(struct str name)
{
    uint64_t h = 1469598103934665603u;
    for (size_t i = 0; i < name.n; i++)
        h = (h ^ (unsigned char)char_lower(name.p[i])) * 1099511628211u;
    return h ^ h >> 29;
}

static uint32_t *find(const struct ldap_name_set *set, struct str name)
{
    size_t i = hash(name) & (set->slot_count - 1);
    while (set->slots[i] && !str_equal_nocase(set->list[set->slots[i] - 1], name))
        i = (i + 1) & (set->slot_count - 1);
    return &set->slots[i];
}

static void grow(struct ldap_name_set *set)
{
    size_t room = set->room ? 2 * set->room : 32;
    struct str *list = arena_array(set->arena, room, sizeof(*list));
    if (set->count > 0)
        memcpy(list, set->list, set->count * sizeof(*list));
    set->list = list;
    set->room = room;
    set->slot_count = 2 * room;
    set->slots = arena_array(set->arena, set->slot_count, sizeof(*set->slots));
    for (size_t i = 0; i < set->count; i++)
        *find(set, list[i]) = (uint32_t)i + 1;
}

bool ldap_name_set_add(struct ldap_name_set *set, struct str name)
{
    if (set->count == set->room)
        grow(set);
    uint32_t *slot = find(set, name);
    if (*slot)
        return false;
    set->list[set->count++] = arena_str(set->arena, name);
    *slot = (uint32_t)set->count;
    return true;
}
