/*
 * REFERENCES, steps 1 to 3 (RFC 5256): a tree over the nodes of identifiers, then without those
 * that no message has. Everything goes upwards over an array of parents: there is no recursion,
 * however deep the threads.
 *
 * Whether a link would close a loop is known at once when the two nodes were never connected, which
 * a union of sets tells; else by walking upwards. Somebody could send messages that make these
 * walks long, so all of them together have a budget: beyond it, a link between nodes that are
 * connected already is taken for a loop.
 */
#include "imap/thread.h"

#include "core/mem.h"
#include "imap/limits.h"

#include <stdlib.h>

struct linking {
    struct threads *t;
    uint32_t *parents; /* of nodes; THREAD_NONE: none */
    uint32_t *sets;    /* union of nodes that were ever connected */
    size_t steps;
};

/* --- loops --- */

static uint32_t find_set(uint32_t *sets, uint32_t node)
{
    while (sets[node] != node) {
        sets[node] = sets[sets[node]];
        node = sets[node];
    }
    return node;
}

/* Is `node` at or above `below`? */
static bool is_above(struct linking *l, uint32_t node, uint32_t below)
{
    if (find_set(l->sets, node) != find_set(l->sets, below))
        return false;
    for (; below != THREAD_NONE; below = l->parents[below])
        if (below == node || l->steps++ > IMAP_THREAD_STEPS_MAX)
            return true;
    return false;
}

/* --- step 1 --- */

static void link_nodes(struct linking *l, uint32_t parent, uint32_t child)
{
    if (is_above(l, child, parent))
        return;
    l->parents[child] = parent;
    l->sets[find_set(l->sets, child)] = find_set(l->sets, parent);
}

static void link_message(struct linking *l, const struct thread_item *item)
{
    const uint32_t *references = l->t->references + item->references;
    for (size_t i = 1; i < item->reference_count; i++)
        if (l->parents[references[i]] == THREAD_NONE)
            link_nodes(l, references[i - 1], references[i]);
    uint32_t last = item->reference_count ? references[item->reference_count - 1] : THREAD_NONE;
    if (l->parents[item->node] == last)
        return;
    l->parents[item->node] = THREAD_NONE;
    if (last != THREAD_NONE)
        link_nodes(l, last, item->node);
}

/* --- steps 2 and 3 --- */

/* The nearest node with a message above `node`, or the topmost one. What was walked over is left
 * pointing there. */
static uint32_t find_above(struct linking *l, uint32_t node)
{
    const uint32_t *items = l->t->node_items;
    uint32_t top = l->parents[node];
    if (top == THREAD_NONE)
        return node;
    while (items[top] == THREAD_NONE && l->parents[top] != THREAD_NONE)
        top = l->parents[top];
    for (uint32_t at = l->parents[node]; at != top;) {
        uint32_t next = l->parents[at];
        l->parents[at] = top;
        at = next;
    }
    return top;
}

/* Messages below a topmost node without one: a single one comes to the top, more get a dummy. */
static void set_parents(struct linking *l)
{
    struct threads *t = l->t;
    size_t count = t->count;
    uint32_t *only = mem_array(t->node_count + 1, sizeof *only); /* item + 1 below such a node */
    uint32_t *dummies = mem_array(t->node_count + 1, sizeof *dummies);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t above = find_above(l, t->items[i].node);
        if (above == t->items[i].node)
            continue;
        if (t->node_items[above] != THREAD_NONE) {
            t->items[i].parent = t->node_items[above];
            continue;
        }
        if (only[above] && !dummies[above]) {
            dummies[above] = threads_add_dummy(t);
            t->items[only[above] - 1].parent = dummies[above];
        }
        only[above] = i + 1;
        if (dummies[above])
            t->items[i].parent = dummies[above];
    }
    free(only);
    free(dummies);
}

void threads_link(struct threads *t)
{
    struct linking l = {.t = t};
    l.parents = mem_array(t->node_count + 1, sizeof *l.parents);
    l.sets = mem_array(t->node_count + 1, sizeof *l.sets);
    for (uint32_t i = 0; i < t->node_count; i++) {
        l.parents[i] = THREAD_NONE;
        l.sets[i] = i;
    }
    for (size_t i = 0; i < t->count; i++)
        link_message(&l, &t->items[i]);
    set_parents(&l);
    free(l.parents);
    free(l.sets);
}
