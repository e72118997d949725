/*
 * What a crew's fibers share is on the heap and goes with the last of them: after the deadline some
 * may hang in a call that nobody can end, such as a write to a dead disk.
 */
#include "mailctl/crew.h"

#include "core/log.h"
#include "core/loop.h"
#include "core/mem.h"

#include <stdlib.h>

struct whole {
    struct loop *loop;
    void (*fn)(struct loop *l, void *arg);
    void *arg;
};

static void run_whole(void *arg)
{
    struct whole *w = arg;
    w->fn(w->loop, w->arg);
    loop_stop(w->loop);
}

bool with_loop(void (*fn)(struct loop *l, void *arg), void *arg, struct err *e)
{
    struct whole w = {.loop = loop_new(e), .fn = fn, .arg = arg};
    if (!w.loop)
        return false;
    log_set_level(LOG_LEVEL_ERROR); /* how long a turn took is of no interest here */
    fiber_start(w.loop, "mailctl", run_whole, &w);
    loop_run(w.loop);
    loop_free(w.loop);
    return true;
}

struct crew {
    void (*fn)(void *arg, size_t i);
    void *arg;
    size_t next, count, working;
    struct cond ended;
    bool alone; /* nobody waits any more */
};

static void work(void *arg)
{
    struct crew *c = arg;
    while (c->next < c->count && !c->alone)
        c->fn(c->arg, c->next++);
    c->working--;
    if (!c->alone)
        cond_signal(&c->ended);
    else if (c->working == 0)
        free(c);
}

bool crew_run(struct loop *l, size_t count, size_t at_a_time, void (*fn)(void *arg, size_t i),
              void *arg, usec deadline)
{
    struct err e;
    struct crew *c = MEM_NEW(struct crew);
    c->fn = fn;
    c->arg = arg;
    c->count = count;
    for (size_t i = 0; i < count && i < at_a_time; i++)
        if (fiber_start(l, "crew", work, c))
            c->working++;
    while (c->working > 0 && cond_wait(&c->ended, deadline, &e))
        ;
    if (c->working > 0) {
        c->alone = true;
        return false;
    }
    free(c);
    return true;
}
