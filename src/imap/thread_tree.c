/*
 * The tree of messages as lists of siblings; siblings in the order of their dates, equal ones in
 * that of the mailbox. A dummy goes by its first child.
 *
 * The response goes down and up the tree without recursion: members of a thread stand behind each
 * other until one has several children, each of which then has parentheses of its own.
 */
#include "imap/thread.h"

#include "core/mem.h"

#include <stdlib.h>

/* --- lists --- */

void thread_append(struct threads *t, uint32_t parent, uint32_t child)
{
    struct thread_item *p = &t->items[parent];
    if (p->last == THREAD_NONE)
        p->first = child;
    else
        t->items[p->last].next = child;
    p->last = child;
    t->items[child].parent = parent;
    t->items[child].next = THREAD_NONE;
}

void threads_make_lists(struct threads *t)
{
    t->root = threads_add_dummy(t);
    for (uint32_t i = 0; i < t->root; i++)
        thread_append(t, t->items[i].parent == THREAD_NONE ? t->root : t->items[i].parent, i);
}

/* --- order --- */

struct sibling {
    int64_t date;
    uint32_t order, item;
};

static int compare_siblings(const void *x, const void *y)
{
    const struct sibling *a = x, *b = y;
    if (a->date != b->date)
        return a->date < b->date ? -1 : 1;
    return a->order < b->order ? -1 : a->order > b->order;
}

static struct sibling as_sibling(const struct threads *t, uint32_t item)
{
    const struct thread_item *i = &t->items[item];
    uint32_t shown = i->number || i->first == THREAD_NONE ? item : i->first;
    return (struct sibling){t->items[shown].sent, shown, item};
}

void thread_sort_children(struct threads *t, uint32_t parent)
{
    size_t count = 0;
    uint32_t first = t->items[parent].first;
    for (uint32_t i = first; i != THREAD_NONE; i = t->items[i].next)
        count++;
    if (count < 2)
        return;
    struct sibling *siblings = mem_array(count, sizeof *siblings);
    count = 0;
    for (uint32_t i = first; i != THREAD_NONE; i = t->items[i].next)
        siblings[count++] = as_sibling(t, i);
    qsort(siblings, count, sizeof *siblings, compare_siblings);
    t->items[parent].first = t->items[parent].last = THREAD_NONE;
    for (size_t i = 0; i < count; i++)
        thread_append(t, parent, siblings[i].item);
    free(siblings);
}

static void sort_all(struct threads *t)
{
    for (uint32_t i = 0; i < t->count; i++)
        if (i != t->root)
            thread_sort_children(t, i);
    thread_sort_children(t, t->root);
}

/* The child of the root above `item`; noted in `tops` for all on the way. */
static uint32_t find_top(const struct threads *t, uint32_t *tops, uint32_t item)
{
    uint32_t top = item;
    while (tops[top] == THREAD_NONE && t->items[top].parent != t->root)
        top = t->items[top].parent;
    top = tops[top] == THREAD_NONE ? top : tops[top];
    for (uint32_t i = item; tops[i] == THREAD_NONE; i = t->items[i].parent) {
        tops[i] = top;
        if (i == top)
            break;
    }
    return top;
}

/* Threads by the arrival of their newest message. */
static void sort_by_arrival(struct threads *t)
{
    uint32_t *tops = mem_array(t->count, sizeof *tops);
    struct sibling *newest = mem_array(t->count, sizeof *newest);
    size_t count = 0;
    for (uint32_t i = 0; i < t->count; i++) {
        tops[i] = THREAD_NONE;
        newest[i] = (struct sibling){INT64_MIN, 0, i};
    }
    for (uint32_t i = 0; i < t->count; i++) {
        if (!t->items[i].number)
            continue;
        struct sibling candidate = {t->items[i].arrived, i, find_top(t, tops, i)};
        if (compare_siblings(&newest[candidate.item], &candidate) < 0)
            newest[candidate.item] = candidate;
    }
    for (uint32_t i = 0; i < t->count; i++)
        if (t->items[i].parent == t->root)
            newest[count++] = newest[i];
    qsort(newest, count, sizeof *newest, compare_siblings);
    t->items[t->root].first = t->items[t->root].last = THREAD_NONE;
    for (size_t i = 0; i < count; i++)
        thread_append(t, t->root, newest[i].item);
    free(tops);
    free(newest);
}

/* --- all --- */

void threads_build(struct threads *t)
{
    if (t->algorithm == THREAD_ORDEREDSUBJECT)
        threads_order_subjects(t);
    else
        threads_link(t);
    threads_make_lists(t);
    sort_all(t);
    if (t->algorithm == THREAD_REFS)
        sort_by_arrival(t);
    if (t->algorithm == THREAD_REFERENCES) {
        threads_join_subjects(t);
        sort_all(t);
    }
}

/* --- the response --- */

static bool has_siblings(const struct threads *t, uint32_t item)
{
    uint32_t parent = t->items[item].parent;
    return parent == t->root || t->items[parent].first != t->items[parent].last;
}

/* Upwards, closing what ends, to the next sibling; THREAD_NONE: all is written. */
static uint32_t climb(const struct threads *t, struct buf *out, uint32_t item)
{
    while (item != t->root) {
        if (has_siblings(t, item))
            buf_add_char(out, ')');
        if (t->items[item].next != THREAD_NONE)
            return t->items[item].next;
        item = t->items[item].parent;
    }
    return THREAD_NONE;
}

void threads_write(const struct threads *t, struct buf *out)
{
    uint32_t item = t->items[t->root].first;
    while (item != THREAD_NONE) {
        const struct thread_item *i = &t->items[item];
        if (has_siblings(t, item))
            buf_add_char(out, '(');
        if (i->number)
            buf_add_number(out, i->number);
        if (i->number && i->first != THREAD_NONE)
            buf_add_char(out, ' ');
        item = i->first != THREAD_NONE ? i->first : climb(t, out, item);
    }
}
