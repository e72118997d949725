#pragma once
/*
 * All messages of the queue, one after the other, in slices: between two of them others run, and
 * may add and remove any message. Those that come during the walk are visited too, when they come
 * behind its place.
 *
 *     struct walk w;
 *     for (walk_begin(&w, q); (m = walk_next(&w));)
 *         ...
 *     walk_end(&w);
 */
#include "queue/queue_internal.h"

struct walk {
    struct queue *queue;
    struct queue_message *next;
    struct walk *other; /* walks of this queue */
    size_t steps;
};

void walk_begin(struct walk *w, struct queue *q);
/* Oldest first; NULL: no more. What it returns is valid until the caller suspends. */
SUSPENDS struct queue_message *walk_next(struct walk *w);
void walk_end(struct walk *w);
/* m is about to leave the list: no walk may stand on it. */
void walk_step_off(struct queue *q, const struct queue_message *m);
