/*
 * tsearch(3) of the C library is a red-black tree; its nodes point at struct str in the arena. Most
 * sets have one member, which stands apart.
 */
#include "route/address_set.h"

#include <assert.h>
#include <search.h>

static int compare(const void *a, const void *b)
{
    return str_compare(*(const struct str *)a, *(const struct str *)b);
}

bool address_set_add(struct address_set *s, struct str address)
{
    if (s->count > 0 && str_equal(s->first, address))
        return false;
    if (s->count == 0) {
        s->first = address;
        s->count = 1;
        return true;
    }
    if (tfind(&address, &s->root, compare))
        return false;
    struct str *key = ARENA_NEW(s->arena, struct str);
    *key = address;
    void *node = tsearch(key, &s->root, compare);
    assert(node);
    s->count++;
    return true;
}

static void keep(void *key)
{
    (void)key;
}

void address_set_free(struct address_set *s)
{
    tdestroy(s->root, keep);
    s->root = NULL;
    s->count = 0;
}
