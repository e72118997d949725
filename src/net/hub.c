/*
 * The hub lives as long as something on its loop uses it, so it needs no place in the loop's struct
 * and no order of shutdown: the first stream or listener makes it, the last one frees it. A loop
 * belongs to one thread, so the pointer by which it is found again is the thread's.
 */
#include "net/hub.h"

#include "core/mem.h"

#include <assert.h>
#include <stdlib.h>

static _Thread_local struct hub *hub_of_thread;

struct hub *hub_ref(struct loop *l)
{
    struct hub *h = hub_of_thread;
    if (!h) {
        h = hub_of_thread = MEM_NEW(struct hub);
        h->loop = l;
        h->scratch = mem_alloc(HUB_SCRATCH_SIZE);
        TAILQ_INIT(&h->ready);
        TAILQ_INIT(&h->later);
    }
    assert(h->loop == l);
    h->references++;
    return h;
}

void hub_unref(struct hub *h)
{
    assert(h == hub_of_thread && h->references > 0);
    if (--h->references > 0)
        return;
    timer_clear(&h->later_timer);
    free(h->scratch);
    free(h);
    hub_of_thread = NULL;
}

void stream_get_stats(struct loop *l, struct stream_stats *s)
{
    struct hub *h = hub_ref(l);
    *s = h->stats;
    hub_unref(h);
}
