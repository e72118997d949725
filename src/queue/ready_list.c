/*
 * One list for each priority; the first one that is not empty, from the highest on, has the next.
 */
#include "queue/ready_list.h"

#include "core/mem.h"

#include <assert.h>
#include <stdlib.h>

#define PRIORITY_MAX 9
#define LEVELS       (2 * PRIORITY_MAX + 1)

void ready_list_init(struct ready_list *l)
{
    link_init(&l->normal);
    l->levels = NULL;
}

void ready_list_free(struct ready_list *l)
{
    assert(!ready_list_first(l));
    free(l->levels);
}

static struct link *level(const struct ready_list *l, int priority)
{
    return priority == 0 ? (struct link *)&l->normal : &l->levels[priority + PRIORITY_MAX];
}

void ready_list_add(struct ready_list *l, struct link *item, int priority)
{
    assert(priority >= -PRIORITY_MAX && priority <= PRIORITY_MAX);
    if (priority != 0 && !l->levels) {
        l->levels = mem_array(LEVELS, sizeof(*l->levels));
        for (size_t i = 0; i < LEVELS; i++)
            link_init(&l->levels[i]);
    }
    link_append(level(l, priority), item);
}

struct link *ready_list_first(const struct ready_list *l)
{
    if (!l->levels)
        return link_is_empty(&l->normal) ? NULL : l->normal.next;
    for (int priority = PRIORITY_MAX; priority >= -PRIORITY_MAX; priority--)
        if (!link_is_empty(level(l, priority)))
            return level(l, priority)->next;
    return NULL;
}
