/*
 * The table of destinations: a balanced tree, since anybody can choose names of domains.
 */
#include "queue/destination.h"

#include "core/mem.h"
#include "queue/pause.h"
#include "queue/scheduler_internal.h"

#include <assert.h>
#include <search.h>
#include <stdlib.h>

static int compare_destinations(const void *a, const void *b)
{
    const struct destination *x = a, *y = b;
    return strcmp(x->key, y->key);
}

struct destination *destination_get(struct scheduler *s, struct str key)
{
    struct destination wanted = {.key = mem_dup(key.p, key.n)};
    void *node = tfind(&wanted, &s->destinations, compare_destinations);
    if (node) {
        free(wanted.key);
        return *(struct destination **)node;
    }
    struct destination *d = MEM_NEW(struct destination);
    d->key = wanted.key;
    ready_list_init(&d->ready);
    link_init(&d->runnable);
    node = tsearch(d, &s->destinations, compare_destinations);
    assert(node);
    return d;
}

void destination_release(struct scheduler *s, struct destination *d)
{
    if (d->items > 0 || d->connections > 0)
        return;
    tdelete(d, &s->destinations, compare_destinations);
    link_remove(&d->runnable);
    ready_list_free(&d->ready);
    free(d->key);
    free(d);
}

void destination_update(struct scheduler *s, struct destination *d)
{
    size_t limit = (size_t)s->queue->config->settings.connections_per_destination;
    bool runnable = ready_list_first(&d->ready) && d->connections < limit &&
                    !pause_covers(s->queue->pause, d->key);
    if (runnable && link_is_empty(&d->runnable))
        link_append(&s->runnable, &d->runnable);
    else if (!runnable)
        link_remove(&d->runnable);
    if (runnable)
        scheduler_pump_soon(s);
}

static void update_visited(const void *node, VISIT which, void *arg)
{
    if (which == preorder || which == leaf)
        destination_update(arg, *(struct destination *const *)node);
}

void destination_update_all(struct scheduler *s)
{
    twalk_r(s->destinations, update_visited, s);
}
