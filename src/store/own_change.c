/*
 * A job says before it begins which names it will make, rename or remove. When it has ended, the
 * kernel has queued all events about them: they are read, and found in the job's table, before
 * the job is forgotten. So an event that is not found is another program's, exactly, and costs one
 * look into one or two small tables.
 */
#include "store/own_change.h"

#include "core/mem.h"
#include "store/foreign.h"
#include "store/store_internal.h"

#include <stdlib.h>

static uint64_t key_of(const struct mailbox *m, struct str path)
{
    uint64_t key = str_hash(path) ^ (uint64_t)(uintptr_t)m * 0x9e3779b97f4a7c15u;
    return key ? key : 1;
}

/* The slot that holds the key, or the free one where it belongs. */
static uint64_t *slot_of(const struct own_change *c, uint64_t key)
{
    size_t i = (key ^ key >> 32) & c->mask;

    while (c->keys[i] && c->keys[i] != key)
        i = (i + 1) & c->mask;
    return &c->keys[i];
}

static void grow(struct own_change *c)
{
    struct own_change old = *c;

    c->mask = old.keys ? old.mask * 2 + 1 : 15;
    c->keys = mem_array(c->mask + 1, sizeof(*c->keys));
    for (size_t i = 0; old.keys && i <= old.mask; i++) {
        if (old.keys[i])
            *slot_of(c, old.keys[i]) = old.keys[i];
    }
    free(old.keys);
}

static void begin(struct store *s, struct own_change *c)
{
    c->next = s->own_changes;
    if (c->next)
        c->next->previous = c;
    s->own_changes = c;
}

void own_change_add(struct own_change *c, struct mailbox *m, struct str path)
{
    m->foreign.own_changes++;
    if (!foreign_is_watched(m))
        return;
    if (!c->keys)
        begin(m->store, c);
    if (!c->keys || c->count * 2 > c->mask)
        grow(c);
    uint64_t key = key_of(m, path), *slot = slot_of(c, key);
    c->count += *slot == 0;
    *slot = key;
}

void own_change_add_file(struct own_change *c, struct mailbox *m, const struct message_file *f)
{
    struct buf *path = &m->store->name;

    buf_clear(path);
    message_file_add_path(path, f);
    own_change_add(c, m, buf_str(path));
}

void own_change_end(struct store *s, struct own_change *c)
{
    if (!c->keys)
        return;
    watch_drain(s->watches);
    if (c->next)
        c->next->previous = c->previous;
    if (c->previous)
        c->previous->next = c->next;
    else
        s->own_changes = c->next;
    free(c->keys);
    *c = (struct own_change){0};
}

bool own_change_includes(const struct store *s, const struct mailbox *m, struct str path)
{
    uint64_t key = key_of(m, path);

    for (const struct own_change *c = s->own_changes; c; c = c->next) {
        if (*slot_of(c, key))
            return true;
    }
    return false;
}
