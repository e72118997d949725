/*
 * The table of what is known about addresses: bounded; when it is full, the address that nobody has
 * asked for the longest makes room. A balanced tree (tsearch), so nobody can choose addresses that
 * make it slow.
 */
#include "core/mem.h"
#include "queue/verify_internal.h"

#include <assert.h>
#include <search.h>
#include <stdlib.h>

static int compare(const void *a, const void *b)
{
    const struct verify_entry *x = a, *y = b;
    return str_compare(x->key, y->key);
}

static void entry_free(struct verify_entry *e)
{
    assert(e->pins == 0 && !e->server);
    free((char *)e->key.p);
    free((char *)e->text.p);
    free(e);
}

static void remove_entry(struct verify *v, struct verify_entry *e)
{
    tdelete(e, &v->by_key, compare);
    link_remove(&e->used);
    v->count--;
    entry_free(e);
}

static struct verify_entry *from_used(struct link *l)
{
    return (struct verify_entry *)((char *)l - offsetof(struct verify_entry, used));
}

/* Those that are being asked for stay; there are not many. */
static bool make_room(struct verify *v)
{
    struct link *next;
    for (struct link *l = v->used.next; v->count >= (size_t)v->settings.entries_max; l = next) {
        if (l == &v->used)
            return false;
        next = l->next;
        if (from_used(l)->pins == 0 && !from_used(l)->server)
            remove_entry(v, from_used(l));
    }
    return true;
}

struct verify_entry *verify_entry_find(struct verify *v, struct str key)
{
    struct verify_entry wanted = {.key = key};
    void *node = tfind(&wanted, &v->by_key, compare);
    return node ? *(struct verify_entry **)node : NULL;
}

struct verify_entry *verify_entry_get(struct verify *v, struct str key)
{
    struct verify_entry *e = verify_entry_find(v, key);
    if (!e) {
        if (!make_room(v))
            return NULL;
        e = MEM_NEW(struct verify_entry);
        e->key = str_from(mem_dup(key.p, key.n), key.n);
        link_init(&e->waiting);
        link_init(&e->used);
        void *node = tsearch(e, &v->by_key, compare);
        assert(node);
        v->count++;
    }
    link_remove(&e->used);
    link_append(&v->used, &e->used);
    return e;
}

void verify_entry_set_texts(struct verify_entry *e, const char *status, struct str text)
{
    size_t n = text.n > VERIFY_TEXT_MAX ? VERIFY_TEXT_MAX : text.n;
    while (n < text.n && n > 0 && ((unsigned char)text.p[n] & 0xc0) == 0x80)
        n--;
    free((char *)e->text.p);
    e->text = str_from(mem_dup(text.p, n), n);
    size_t length = strnlen(status, sizeof(e->status) - 1);
    memset(e->status, 0, sizeof(e->status));
    memcpy(e->status, status, length);
}

void verify_entries_free(struct verify *v)
{
    while (!link_is_empty(&v->used))
        remove_entry(v, from_used(v->used.next));
}
