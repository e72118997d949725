#pragma once
/*
 * Items that wait for their time, soonest first. An item knows its place, so that it can be taken
 * out at any time.
 */
#include "core/clock.h"

#include <stddef.h>

struct queue_item;

struct due_heap {
    struct queue_item **items;
    size_t count, capacity;
};

/* item->due is set. */
void due_heap_add(struct due_heap *h, struct queue_item *item);
void due_heap_remove(struct due_heap *h, struct queue_item *item);
/* NULL: none. */
struct queue_item *due_heap_first(const struct due_heap *h);
/* It is empty. */
void due_heap_free(struct due_heap *h);
