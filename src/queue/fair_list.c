/*
 * Levels (one for each priority that has something) hold flows (one for each sender that has
 * something), a flow holds two lists: bulk - items of large mailings - and the rest.
 *
 * Whose turn it is:
 * - the highest level, but each eighth turn one of the lower ones, so that nothing waits for ever
 *   behind a stream of important mail;
 * - in the level the flows one after the other, an item (a transaction) each: a sender with ten
 *   thousand items gets no more than one with a single one;
 * - in the flow the two lists alternate: a letter overtakes the mailing that its writer sent
 *   before, and a stream of letters does not stop the mailing;
 * - in a list the order of coming.
 */
#include "queue/fair_list.h"

#include "core/mem.h"

#include <assert.h>
#include <search.h>
#include <stdlib.h>

#define LOWER_EVERY 8

struct fair_level {
    struct fair_level *lower;
    int priority;
    void *by_sender;   /* tsearch tree of struct fair_flow */
    struct link flows; /* the next one first */
};

struct fair_flow {
    uint64_t sender; /* first: the tree compares by it */
    struct link turn;
    struct fair_level *level;
    struct link entries[2]; /* [1]: bulk */
    bool bulk_next;
};

static int compare_flows(const void *a, const void *b)
{
    const struct fair_flow *x = a, *y = b;
    return (x->sender > y->sender) - (x->sender < y->sender);
}

static struct fair_level *get_level(struct fair_list *l, int priority)
{
    struct fair_level **at = &l->levels;
    while (*at && (*at)->priority > priority)
        at = &(*at)->lower;
    if (*at && (*at)->priority == priority)
        return *at;
    struct fair_level *level = MEM_NEW(struct fair_level);
    level->priority = priority;
    level->lower = *at;
    link_init(&level->flows);
    *at = level;
    return level;
}

static struct fair_flow *get_flow(struct fair_level *level, uint64_t sender)
{
    const struct fair_flow wanted = {.sender = sender};
    void *node = tfind(&wanted, &level->by_sender, compare_flows);
    if (node)
        return *(struct fair_flow **)node;
    struct fair_flow *flow = MEM_NEW(struct fair_flow);
    flow->sender = sender;
    flow->level = level;
    link_init(&flow->entries[0]);
    link_init(&flow->entries[1]);
    link_append(&level->flows, &flow->turn);
    node = tsearch(flow, &level->by_sender, compare_flows);
    assert(node);
    return flow;
}

void fair_list_add(struct fair_list *l, struct fair_entry *entry, int priority, uint64_t sender,
                   bool bulk)
{
    assert(priority >= -FAIR_PRIORITY_MAX && priority <= FAIR_URGENT);
    entry->flow = get_flow(get_level(l, priority), sender);
    link_append(&entry->flow->entries[bulk], &entry->link);
    l->count++;
    l->small += !bulk;
}

static void drop_level(struct fair_list *l, struct fair_level *level)
{
    struct fair_level **at = &l->levels;
    while (*at != level)
        at = &(*at)->lower;
    *at = level->lower;
    free(level);
}

void fair_list_remove(struct fair_list *l, struct fair_entry *entry, bool bulk)
{
    struct fair_flow *flow = entry->flow;
    struct fair_level *level = flow->level;
    link_remove(&entry->link);
    entry->flow = NULL;
    l->count--;
    l->small -= !bulk;
    if (!link_is_empty(&flow->entries[0]) || !link_is_empty(&flow->entries[1]))
        return;
    tdelete(flow, &level->by_sender, compare_flows);
    link_remove(&flow->turn);
    free(flow);
    if (link_is_empty(&level->flows))
        drop_level(l, level);
}

static struct fair_level *level_in_turn(struct fair_list *l)
{
    struct fair_level *level = l->levels;
    if (!level || !level->lower || ++l->turns % LOWER_EVERY != 0)
        return level;
    size_t lower = 0;
    for (const struct fair_level *x = level->lower; x; x = x->lower)
        lower++;
    for (size_t skip = l->turns / LOWER_EVERY % lower; skip > 0; skip--)
        level = level->lower;
    return level->lower;
}

struct fair_entry *fair_list_next(struct fair_list *l)
{
    struct fair_level *level = level_in_turn(l);
    if (!level)
        return NULL;
    struct link *turn = level->flows.next;
    struct fair_flow *flow = (struct fair_flow *)((char *)turn - offsetof(struct fair_flow, turn));
    link_remove(turn);
    link_append(&level->flows, turn);
    bool bulk =
        !link_is_empty(&flow->entries[1]) && (flow->bulk_next || link_is_empty(&flow->entries[0]));
    flow->bulk_next = !bulk;
    return (struct fair_entry *)((char *)flow->entries[bulk].next -
                                 offsetof(struct fair_entry, link));
}

bool fair_list_has_urgent(const struct fair_list *l)
{
    return l->levels && l->levels->priority == FAIR_URGENT;
}
