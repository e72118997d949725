/*
 * Fibers. All of them are run by the loop: loop.c takes a fiber from its ready queue and switches
 * to it; the fiber runs until it waits, which switches back. So a turn from one fiber to the next
 * is two switches of some nanoseconds (context.S).
 *
 * A fiber is in exactly one state: ready (in the queue, once), running, waiting (perhaps in a
 * cond's list, perhaps with a timer) or idle (its stack waits in the pool, stack.c). Whoever ends
 * a wait - a signal, the timer, cancellation - does so through wake(), which takes the fiber out
 * of all the others' reach at once; so it is never queued twice, and a deadline that passes in the
 * turn in which the signal came changes nothing any more.
 *
 * Cancellation is a mark: the present wait ends with ERR_CANCELLED and each later one at once,
 * except those that are certain to end (cond_wait_certain).
 */
#include "core/loop_private.h"
#include "core/sanitizer.h"

#include <assert.h>
#include <event2/event.h>
#include <event2/event_struct.h>

/* --- switching --- */

void fiber_resume(struct fiber *f)
{
    struct loop *l = f->loop;
    assert(f->state == FIBER_READY);
    f->state = FIBER_RUNNING;
    l->running = f;
    l->stats.switches++;
    asan_switch_begin(&l->sanitizer, f->stack, (size_t)((char *)f - f->stack));
    tsan_switch(f->tsan);
    context_switch(&l->context, &f->context);
    asan_switch_end(l->sanitizer, NULL, NULL);
    l->running = NULL;
    if (f->state == FIBER_IDLE)
        stack_give_back(l, f);
}

/* Back to the loop. Nothing of the fiber may be left in AddressSanitizer's books when it is done.
 */
static void leave(struct fiber *f, void **sanitizer)
{
    struct loop *l = f->loop;
    (void)sanitizer;
    asan_switch_begin(sanitizer, l->thread_stack, l->thread_stack_size);
    tsan_switch(l->tsan);
    context_switch(&f->context, &l->context);
    asan_switch_end(f->sanitizer, &l->thread_stack, &l->thread_stack_size);
}

static void finish(struct fiber *f)
{
    struct loop *l = f->loop;
    assert(!timer_is_set(&f->deadline) && !f->cond);
    if (f->newer)
        f->newer->older = f->older;
    else
        l->newest = f->older;
    if (f->older)
        f->older->newer = f->newer;
    l->stats.live--;
    f->state = FIBER_IDLE;
    f->name = NULL;
}

/* The context of a stack for all its life: runs one fiber after the other. */
static void entry(void *arg)
{
    struct fiber *f = arg;
    asan_switch_end(NULL, &f->loop->thread_stack, &f->loop->thread_stack_size);
    for (;;) {
        f->fn(f->arg);
        finish(f);
        f->sanitizer = NULL;
        leave(f, NULL);
    }
}

struct fiber *fiber_start(struct loop *l, const char *name, void (*fn)(void *arg), void *arg)
{
    if (l->stats.live >= FIBER_MAX)
        return NULL;
    struct fiber *f = stack_take(l, entry);
    if (!f)
        return NULL;
    f->name = name;
    f->fn = fn;
    f->arg = arg;
    f->cancelled = false;
    f->suspect = NULL;
    f->newer = NULL;
    f->older = l->newest;
    if (l->newest)
        l->newest->newer = f;
    l->newest = f;
    l->stats.started++;
    if (++l->stats.live > l->stats.live_high)
        l->stats.live_high = l->stats.live;
    f->state = FIBER_READY;
    loop_push(l, (struct task){NULL, f});
    return f;
}

struct fiber *fiber_self(void)
{
    struct loop *l = loop_current();
    return l ? l->running : NULL;
}

/* --- waiting --- */

static void cond_remove(struct cond *c, struct fiber *f)
{
    if (f->previous)
        f->previous->next = f->next;
    else
        c->first = f->next;
    if (f->next)
        f->next->previous = f->previous;
    else
        c->last = f->previous;
    f->next = f->previous = NULL;
    f->cond = NULL;
}

static void cond_append(struct cond *c, struct fiber *f)
{
    f->next = NULL;
    f->previous = c->last;
    if (c->last)
        c->last->next = f;
    else
        c->first = f;
    c->last = f;
    f->cond = c;
}

/* The one way out of a wait. */
static void wake(struct fiber *f, enum err_kind result)
{
    assert(f->state == FIBER_WAITING);
    if (f->cond)
        cond_remove(f->cond, f);
    timer_clear(&f->deadline);
    f->result = result;
    f->state = FIBER_READY;
    loop_push(f->loop, (struct task){NULL, f});
}

static void deadline_passed(void *arg)
{
    wake(arg, ERR_TIMEOUT);
}

static struct fiber *self_to_wait(void)
{
    struct fiber *f = fiber_self();
    assert(f && "only a fiber can wait");
    return f;
}

/* c may be NULL: only for time (or for somebody who calls wake). */
static enum err_kind wait_for(struct fiber *f, struct cond *c, usec deadline, bool certain)
{
    if (c)
        cond_append(c, f);
    if (deadline != DEADLINE_NONE)
        timer_set(&f->deadline, deadline, deadline_passed, f);
    f->certain = certain;
    f->state = FIBER_WAITING;
    leave(f, &f->sanitizer);
    return f->result;
}

static bool wait_result(enum err_kind result, struct err *e)
{
    if (result == ERR_TIMEOUT)
        return err_set(e, ERR_TIMEOUT, "timed out");
    if (result == ERR_CANCELLED)
        return err_set(e, ERR_CANCELLED, "cancelled");
    return true;
}

void fiber_cancel(struct fiber *f)
{
    assert(f->state != FIBER_IDLE);
    f->cancelled = true;
    if (f->state == FIBER_WAITING && !f->certain)
        wake(f, ERR_CANCELLED);
}

bool fiber_is_cancelled(const struct fiber *f)
{
    return f->cancelled;
}

void fiber_yield(void)
{
    struct fiber *f = self_to_wait();
    f->state = FIBER_READY;
    task_push(&f->loop->later, (struct task){NULL, f});
    leave(f, &f->sanitizer);
}

bool fiber_sleep(usec duration, struct err *e)
{
    struct fiber *f = self_to_wait();
    if (f->cancelled)
        return wait_result(ERR_CANCELLED, e);
    if (duration <= 0) {
        fiber_yield();
        return true;
    }
    enum err_kind result = wait_for(f, NULL, deadline_in(duration), false);
    return result == ERR_TIMEOUT || wait_result(result, e);
}

bool cond_wait(struct cond *c, usec deadline, struct err *e)
{
    struct fiber *f = self_to_wait();
    if (f->cancelled)
        return wait_result(ERR_CANCELLED, e);
    return wait_result(wait_for(f, c, deadline, false), e);
}

void cond_wait_certain(struct cond *c)
{
    wait_for(self_to_wait(), c, DEADLINE_NONE, true);
}

void cond_signal(struct cond *c)
{
    if (c->first)
        wake(c->first, ERR_NONE);
}

void cond_broadcast(struct cond *c)
{
    while (c->first)
        wake(c->first, ERR_NONE);
}

bool cond_has_waiters(const struct cond *c)
{
    return c->first != NULL;
}

/* --- descriptors --- */

static void fd_is_ready(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct fiber *f = arg;
    if (f->state == FIBER_WAITING)
        wake(f, ERR_NONE);
}

bool fiber_wait_fd(int fd, short what, usec deadline, struct err *e)
{
    struct fiber *f = self_to_wait();
    if (f->cancelled)
        return wait_result(ERR_CANCELLED, e);
    struct event event;
    event_assign(&event, f->loop->base, fd, what & (EV_READ | EV_WRITE), fd_is_ready, f);
    if (event_add(&event, NULL) < 0)
        return err_set(e, ERR_IO, "descriptor %d cannot be waited for", fd);
    enum err_kind result = wait_for(f, NULL, deadline, false);
    event_del(&event);
    return wait_result(result, e);
}

void fiber_get_stats(struct loop *l, struct fiber_stats *s)
{
    *s = l->stats;
    s->pooled = l->stacks.idle_count;
    s->stack_deepest = l->stacks.deepest;
}
