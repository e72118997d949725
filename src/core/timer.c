/*
 * Timers: a heap with four children to a node (the four lie in one cache line), the deadline beside
 * the pointer so that sifting does not touch the timers. Every wait with a deadline sets one and
 * nearly all are cleared before they fire; that costs some ten nanoseconds and no system call.
 * The loop tells libevent only the earliest deadline, see loop.c.
 */
#include "core/loop_private.h"
#include "core/mem.h"

#include <assert.h>

static void put(struct timers *t, size_t i, struct timer_entry entry)
{
    t->entries[i] = entry;
    entry.timer->place = i + 1;
}

static void sift_up(struct timers *t, size_t i, struct timer_entry entry)
{
    while (i > 0) {
        size_t parent = (i - 1) / 4;
        if (t->entries[parent].deadline <= entry.deadline)
            break;
        put(t, i, t->entries[parent]);
        i = parent;
    }
    put(t, i, entry);
}

static void sift_down(struct timers *t, size_t i, struct timer_entry entry)
{
    for (;;) {
        size_t first = 4 * i + 1, least = first;
        if (first >= t->n)
            break;
        for (size_t k = first + 1; k < t->n && k < first + 4; k++)
            if (t->entries[k].deadline < t->entries[least].deadline)
                least = k;
        if (entry.deadline <= t->entries[least].deadline)
            break;
        put(t, i, t->entries[least]);
        i = least;
    }
    put(t, i, entry);
}

static void settle(struct timers *t, size_t i, struct timer_entry entry)
{
    if (i > 0 && entry.deadline < t->entries[(i - 1) / 4].deadline)
        sift_up(t, i, entry);
    else
        sift_down(t, i, entry);
}

void timer_set(struct timer *timer, usec deadline, void (*fn)(void *arg), void *arg)
{
    struct loop *l = loop_current();
    assert(l);
    struct timers *t = &l->timers;
    timer->fn = fn;
    timer->arg = arg;
    if (deadline == DEADLINE_NONE) {
        timer_clear(timer);
        return;
    }
    struct timer_entry entry = {deadline, timer};
    if (timer->place > 0) {
        settle(t, timer->place - 1, entry);
        return;
    }
    t->entries = mem_grow(t->entries, t->n, &t->capacity, sizeof(*t->entries), 64);
    sift_up(t, t->n++, entry);
}

static void remove_at(struct timers *t, size_t i)
{
    t->entries[i].timer->place = 0;
    struct timer_entry last = t->entries[--t->n];
    if (i < t->n)
        settle(t, i, last);
}

void timer_clear(struct timer *timer)
{
    if (timer->place == 0)
        return;
    struct loop *l = loop_current();
    assert(l && l->timers.entries[timer->place - 1].timer == timer);
    remove_at(&l->timers, timer->place - 1);
}

bool timer_is_set(const struct timer *timer)
{
    return timer->place > 0;
}

usec timers_earliest(const struct timers *t)
{
    return t->n > 0 ? t->entries[0].deadline : DEADLINE_NONE;
}

void timers_fire(struct timers *t, usec now)
{
    while (t->n > 0 && t->entries[0].deadline <= now) {
        struct timer *timer = t->entries[0].timer;
        remove_at(t, 0);
        timer->fn(timer->arg);
    }
}
