/*
 * Looking at the sessions with suspensions in between, for lists that are longer than a turn of the
 * loop: a walk stands at an entry, and moves on when that leaves the list. What comes meanwhile
 * stands behind all others; since a walk meets no more entries than there were at its beginning, it
 * ends however fast clients come.
 */
#include "core/session_list_private.h"

#include <assert.h>

void session_walk_begin(struct session_list *l, struct session_walk *w)
{
    *w = (struct session_walk){.next_walk = l->walks, .at = l->first, .left = l->count};
    l->walks = w;
}

struct session_entry *session_walk_next(struct session_walk *w)
{
    struct session_entry *entry = w->left > 0 ? w->at : NULL;
    if (entry) {
        w->at = entry->next;
        w->left--;
    }
    return entry;
}

void session_walk_end(struct session_list *l, struct session_walk *w)
{
    struct session_walk **link = &l->walks;
    while (*link && *link != w)
        link = &(*link)->next_walk;
    assert(*link);
    *link = w->next_walk;
}

void session_walk_pass(struct session_list *l, const struct session_entry *entry)
{
    for (struct session_walk *w = l->walks; w; w = w->next_walk)
        if (w->at == entry)
            w->at = entry->next;
}

const struct session_limits *session_list_limits(const struct session_list *l)
{
    return &l->limits;
}

size_t session_address_count(const struct session_entry *entry)
{
    return entry->address ? entry->address->count : 0;
}

size_t session_login_count(const struct session_entry *entry)
{
    return entry->account ? entry->account->count : 0;
}
