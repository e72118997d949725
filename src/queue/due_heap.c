/*
 * A binary heap of pointers.
 */
#include "queue/due_heap.h"

#include "core/mem.h"
#include "queue/item.h"

#include <assert.h>
#include <stdlib.h>

static void put(struct due_heap *h, size_t i, struct queue_item *item)
{
    h->items[i] = item;
    item->heap_index = i;
}

static void sift_up(struct due_heap *h, size_t i)
{
    struct queue_item *item = h->items[i];
    while (i > 0 && h->items[(i - 1) / 2]->due > item->due) {
        put(h, i, h->items[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    put(h, i, item);
}

static void sift_down(struct due_heap *h, size_t i)
{
    struct queue_item *item = h->items[i];
    for (size_t child; (child = 2 * i + 1) < h->count; i = child) {
        if (child + 1 < h->count && h->items[child + 1]->due < h->items[child]->due)
            child++;
        if (h->items[child]->due >= item->due)
            break;
        put(h, i, h->items[child]);
    }
    put(h, i, item);
}

void due_heap_add(struct due_heap *h, struct queue_item *item)
{
    h->items = mem_grow(h->items, h->count, &h->capacity, sizeof(*h->items), 64);
    h->items[h->count] = item;
    sift_up(h, h->count++);
}

void due_heap_remove(struct due_heap *h, struct queue_item *item)
{
    size_t i = item->heap_index;
    struct queue_item *last = h->items[--h->count];
    if (last == item)
        return;
    put(h, i, last);
    sift_up(h, i);
    sift_down(h, last->heap_index);
}

struct queue_item *due_heap_first(const struct due_heap *h)
{
    return h->count > 0 ? h->items[0] : NULL;
}

void due_heap_free(struct due_heap *h)
{
    assert(h->count == 0);
    free(h->items);
}
