/*
 * The loop. A turn is: wait for libevent's events (their callbacks mark fibers as ready and defer
 * calls), fire the timers that are due, then run what is ready until nothing is, in the order in
 * which it became ready. What yields runs in the next turn. When a turn has taken LOOP_WATCHDOG,
 * the rest waits for the next one, so that a pair of fibers waking each other cannot keep the
 * others' input from being seen.
 *
 * The timers are in timer.c; libevent has one timer of ours, set to the earliest deadline. It is
 * moved only when an earlier one comes: as most deadlines are cleared long before they pass, it
 * fires now and then for nothing, instead of being moved at every wait.
 *
 * In simulated time (clock_simulate) a turn in which nothing happened moves the clock to the
 * earliest deadline instead of waiting for it.
 *
 * The watchdog reads the clock once per task. A turn that was too long is logged with the
 * task that took longest, at most once a second.
 */
#include "core/loop.h"

#include "core/log.h"
#include "core/loop_private.h"
#include "core/mem.h"
#include "core/sanitizer.h"

#include <assert.h>
#include <event2/event.h>
#include <stdlib.h>

#define WARN_INTERVAL USEC_SEC
#define TURN_SLICE    (LOOP_WATCHDOG / 2)

static _Thread_local struct loop *current;

struct signal_handler {
    struct signal_handler *next;
    struct event *event;
    struct loop *loop;
    int number;
    void (*fn)(void *arg, int number);
    void *arg;
};

/* --- the queue --- */

void task_push(struct task_queue *q, struct task t)
{
    if (!q->tasks || task_count(q) > q->mask) {
        size_t capacity = q->tasks ? 2 * (q->mask + 1) : 256;
        struct task *tasks = mem_array(capacity, sizeof *tasks);
        size_t n = task_count(q);
        for (size_t i = 0; i < n; i++)
            tasks[i] = q->tasks[(q->head + i) & q->mask];
        free(q->tasks);
        *q = (struct task_queue){tasks, capacity - 1, 0, n};
    }
    q->tasks[q->tail++ & q->mask] = t;
}

static struct task task_pop(struct task_queue *q)
{
    return q->tasks[q->head++ & q->mask];
}

/* The first thing that happens after the wait for events starts the turn's time. */
static void turn_begins(struct loop *l)
{
    if (l->turn_began == 0)
        l->turn_began = clock_monotonic();
}

void loop_push(struct loop *l, struct task t)
{
    turn_begins(l);
    task_push(&l->ready, t);
}

void loop_defer(struct loop *l, void (*fn)(void *arg), void *arg)
{
    assert(l == current && fn);
    loop_push(l, (struct task){fn, arg});
}

/* --- time --- */

static void timer_event_fired(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct loop *l = arg;
    l->timer_armed = DEADLINE_NONE;
    turn_begins(l);
}

/* Makes libevent return not later than the earliest deadline. False: it has passed. */
static bool arm_timer(struct loop *l)
{
    usec earliest = timers_earliest(&l->timers);
    if (earliest >= l->timer_armed)
        return true;
    usec wait = earliest - clock_monotonic();
    if (wait <= 0)
        return false;
    struct timeval tv = {wait / USEC_SEC, wait % USEC_SEC};
    event_add(l->timer_event, &tv);
    l->timer_armed = earliest;
    return true;
}

static void note_duration(struct loop *l, const char *name, usec duration)
{
    if (duration > l->longest) {
        l->longest = duration;
        l->longest_name = name;
    }
}

static void warn(struct loop *l, usec now)
{
    if (l->warned_last != 0 && now - l->warned_last < WARN_INTERVAL) {
        l->warned_suppressed++;
        return;
    }
    log_warning("maild", NULL, "the loop was held: %.1f ms, longest %s with %.1f ms%s",
                (double)(now - l->turn_began) / 1000,
                l->longest_name ? l->longest_name : "event callbacks", (double)l->longest / 1000,
                l->warned_suppressed > 0 ? " (and other times in between)" : "");
    l->warned_last = now;
    l->warned_suppressed = 0;
}

/* --- a turn --- */

static const char *run_task(struct task t)
{
    if (t.fn) {
        t.fn(t.arg);
        return "deferred call";
    }
    struct fiber *f = t.arg;
    const char *name = f->name;
    fiber_resume(f);
    return name;
}

static void run_ready(struct loop *l)
{
    usec now = clock_monotonic();
    note_duration(l, "event callbacks", now - l->turn_began);
    if (timers_earliest(&l->timers) <= now) {
        timers_fire(&l->timers, now);
        usec after = clock_monotonic();
        note_duration(l, "timers", after - now);
        now = after;
    }
    while (task_count(&l->ready) > 0 && now - l->turn_began < TURN_SLICE) {
        const char *name = run_task(task_pop(&l->ready));
        usec after = clock_monotonic();
        note_duration(l, name, after - now);
        now = after;
    }
    if (now - l->turn_began >= LOOP_WATCHDOG)
        warn(l, now);
}

/* In simulated time only workers, and events when there is no deadline, are waited for. */
static bool prepare_wait(struct loop *l)
{
    if (clock_is_simulated())
        return worker_pool_is_busy(l->workers) || timers_earliest(&l->timers) == DEADLINE_NONE;
    return arm_timer(l);
}

static void run_turn(struct loop *l)
{
    bool idle = task_count(&l->ready) == 0 && task_count(&l->later) == 0 && !l->stopping;
    bool may_wait = idle && prepare_wait(l);
    l->turn_began = 0;
    l->longest = 0;
    l->longest_name = NULL;
    event_base_loop(l->base,
                    EVLOOP_ONCE | EVLOOP_NO_EXIT_ON_EMPTY | (may_wait ? 0 : EVLOOP_NONBLOCK));
    if (idle && !may_wait && l->turn_began == 0 && clock_is_simulated())
        clock_jump(timers_earliest(&l->timers));
    turn_begins(l);
    while (task_count(&l->later) > 0)
        task_push(&l->ready, task_pop(&l->later));
    run_ready(l);
}

void loop_run(struct loop *l)
{
    assert(l == current && !l->running);
    while (!l->stopping)
        run_turn(l);
    l->stopping = false;
}

void loop_stop(struct loop *l)
{
    l->stopping = true;
}

/* --- making --- */

struct loop *loop_new(struct err *e)
{
    assert(!current);
    event_set_mem_functions(mem_alloc, mem_resize, free);
    struct event_config *config = event_config_new();
    if (!config)
        return err_set(e, ERR_PERM, "libevent cannot be initialised"), NULL;
    /* One thread owns it. */
    event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
    struct event_base *base = event_base_new_with_config(config);
    event_config_free(config);
    if (!base)
        return err_set(e, ERR_PERM, "libevent finds no way to wait for events"), NULL;
    struct loop *l = MEM_NEW(struct loop);
    l->base = base;
    l->timer_event = event_new(base, -1, 0, timer_event_fired, l);
    l->timer_armed = DEADLINE_NONE;
    l->tsan = tsan_fiber_current();
    current = l;
    return l;
}

void loop_free(struct loop *l)
{
    assert(l == current && l->stats.live == 0);
    worker_pool_free(l->workers);
    stack_pool_free(l);
    while (l->signals) {
        struct signal_handler *h = l->signals;
        l->signals = h->next;
        event_free(h->event);
        free(h);
    }
    event_free(l->timer_event);
    event_base_free(l->base);
    free(l->ready.tasks);
    free(l->later.tasks);
    free(l->timers.entries);
    free(l);
    current = NULL;
}

struct loop *loop_current(void)
{
    return current;
}

struct event_base *loop_events(struct loop *l)
{
    return l->base;
}

static void signal_arrived(evutil_socket_t number, short what, void *arg)
{
    (void)what;
    struct signal_handler *h = arg;
    turn_begins(h->loop);
    h->fn(h->arg, (int)number);
}

void loop_on_signal(struct loop *l, int number, void (*fn)(void *arg, int number), void *arg)
{
    struct signal_handler *h = MEM_NEW(struct signal_handler);
    *h = (struct signal_handler){
        .next = l->signals, .loop = l, .number = number, .fn = fn, .arg = arg};
    h->event = evsignal_new(l->base, number, signal_arrived, h);
    event_add(h->event, NULL);
    l->signals = h;
}
