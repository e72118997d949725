/*
 * A table by name.
 */
#include "queue/lane.h"

#include "core/mem.h"

#include <assert.h>
#include <search.h>
#include <stdlib.h>

static int compare(const void *a, const void *b)
{
    const struct lane *x = a, *y = b;
    return strcmp(x->name, y->name);
}

struct lane *lane_get(struct lanes *l, const char *kind, struct str name)
{
    struct buf text = BUF_EMPTY;
    buf_printf(&text, "%s %.*s", kind, STR_ARG(name));
    buf_c(&text);
    const struct lane wanted = {.name = text.p};
    void *node = tfind(&wanted, &l->by_name, compare);
    if (node) {
        buf_free(&text);
        return *(struct lane **)node;
    }
    struct lane *lane = MEM_NEW(struct lane);
    lane->name = text.p;
    link_init(&lane->crowd);
    link_init(&lane->slowed);
    node = tsearch(lane, &l->by_name, compare);
    assert(node);
    return lane;
}

static void lane_free(void *p)
{
    struct lane *l = p;
    assert(l->connections == 0 && link_is_empty(&l->crowd) && link_is_empty(&l->slowed));
    timer_clear(&l->timer);
    free(l->name);
    free(l);
}

void lanes_free(struct lanes *l)
{
    tdestroy(l->by_name, lane_free);
    l->by_name = NULL;
}

usec lane_next(const struct lane *l, usec now)
{
    return l ? rate_next(&l->rate, l->rate_limit, now) : now;
}

void lane_take(struct lane *l, usec now)
{
    if (l)
        rate_take(&l->rate, l->rate_limit, now);
}
