/*
 * A hash table of the known base names, sized once, with the hashes in the slots: a name is looked
 * at only when its hash matches. Files that nobody knows go into the same table, so that two of
 * them with one base name are noticed.
 */
#include "store/merge.h"

#include "core/mem.h"

#include <stdlib.h>

static struct str name_at(const struct merge *m, const struct dir_listing *l, uint32_t position)
{
    return position < m->known_count ? m->known[position].base
                                     : dir_entry_base(l, &l->entries[position - m->known_count]);
}

/* The slot that holds the name (position is from 1 on), or the empty one where it belongs. */
static struct merge_slot *slot_of(const struct merge *m, const struct dir_listing *l,
                                  struct str base, uint32_t hash)
{
    size_t i = hash & m->mask;

    while (m->slots[i].position &&
           (m->slots[i].hash != hash || !str_equal(name_at(m, l, m->slots[i].position - 1), base)))
        i = (i + 1) & m->mask;
    return &m->slots[i];
}

static void make_table(struct merge *m, size_t names)
{
    size_t slots = 16;

    while (slots < names * 2)
        slots *= 2;
    free(m->slots);
    m->slots = mem_array(slots, sizeof(*m->slots));
    m->mask = slots - 1;
    m->filled = 0;
    for (size_t i = 0; i < m->known_count; i++) {
        struct str base = m->known[i].base;
        uint32_t hash = base_name_hash(base);
        struct merge_slot *slot = slot_of(m, NULL, base, hash);
        m->doubled |= slot->position > 0;
        m->filled += slot->position == 0;
        if (!slot->position)
            *slot = (struct merge_slot){hash, (uint32_t)i + 1};
    }
}

void merge_begin(struct merge *m, struct merge_known *known, size_t count)
{
    *m = (struct merge){.known = known, .known_count = count};
    make_table(m, count + 64);
    for (size_t i = 0; i < count; i++)
        known[i].entry = 0;
}

static void add_second(struct merge *m, uint32_t entry, uint32_t of)
{
    m->seconds = mem_resize(m->seconds, (m->second_count + 1) * sizeof(*m->seconds));
    m->seconds[m->second_count++] = (struct merge_second){entry, of};
}

static void put_unknown(struct merge *m, const struct dir_listing *l, uint32_t entry)
{
    const struct dir_entry *e = &l->entries[entry];

    *slot_of(m, l, dir_entry_base(l, e), e->hash) =
        (struct merge_slot){e->hash, (uint32_t)(m->known_count + entry) + 1};
    m->filled++;
}

static void add_unknown(struct merge *m, const struct dir_listing *l, uint32_t entry)
{
    if ((m->filled + 1) * 3 > m->mask * 2) {
        make_table(m, (m->known_count + m->unknown_count) * 2);
        for (size_t i = 0; i < m->unknown_count; i++)
            put_unknown(m, l, m->unknown[i]);
    }
    put_unknown(m, l, entry);
    m->unknown[m->unknown_count++] = entry;
}

static void see(struct merge *m, const struct dir_listing *l, uint32_t entry)
{
    const struct dir_entry *e = &l->entries[entry];
    const struct merge_slot *slot = slot_of(m, l, dir_entry_base(l, e), e->hash);
    uint32_t position = slot->position;

    if (!position)
        add_unknown(m, l, entry);
    else if (position > m->known_count)
        add_second(m, entry, UINT32_MAX);
    else if (m->known[position - 1].entry)
        add_second(m, entry, position - 1);
    else
        m->known[position - 1].entry = entry + 1;
}

void merge_run(struct merge *m, const struct dir_listing *l)
{
    m->unknown = mem_array(l->count, sizeof(*m->unknown));
    for (size_t i = 0; i < l->count; i++)
        see(m, l, (uint32_t)i);
}

ptrdiff_t merge_find(const struct merge *m, struct str base)
{
    uint32_t hash = base_name_hash(base);

    for (size_t i = hash & m->mask; m->slots[i].position; i = (i + 1) & m->mask) {
        size_t at = m->slots[i].position - 1;
        if (m->slots[i].hash == hash && at < m->known_count && str_equal(m->known[at].base, base))
            return (ptrdiff_t)at;
    }
    return -1;
}

void merge_free(struct merge *m)
{
    free(m->unknown);
    free(m->seconds);
    free(m->slots);
    *m = (struct merge){0};
}
