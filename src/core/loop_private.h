#pragma once
/*
 * Private to core: what loop.c, timer.c, fiber.c, stack.c and worker.c share. A turn of the loop:
 * libevent reports events (whose callbacks put fibers and deferred calls into `ready`), timers that
 * are due fire, then `ready` is emptied.
 */
#include "core/context.h"
#include "core/crash.h"
#include "core/fiber.h"
#include "core/loop.h"

#include <stdint.h>

/* A fiber (fn == NULL) or a deferred call. */
struct task {
    void (*fn)(void *arg);
    void *arg;
};

/* First in, first out; grows. */
struct task_queue {
    struct task *tasks;
    size_t mask; /* capacity - 1; a power of two */
    size_t head, tail;
};

void task_push(struct task_queue *q, struct task t);
static inline size_t task_count(const struct task_queue *q)
{
    return q->tail - q->head;
}

struct timer_entry {
    usec deadline;
    struct timer *timer;
};

/* A heap with four children to a node, the earliest deadline at [0]. */
struct timers {
    struct timer_entry *entries;
    size_t n, capacity;
};

usec timers_earliest(const struct timers *t);
void timers_fire(struct timers *t, usec now);

enum fiber_state { FIBER_IDLE, FIBER_READY, FIBER_RUNNING, FIBER_WAITING };

/* Lies at the top of the stack's memory. */
struct fiber {
    struct context context;
    struct loop *loop;
    const char *name;
    void (*fn)(void *arg);
    void *arg;
    struct fiber *next, *previous; /* in a cond, or (next) among the idle */
    struct fiber *newer, *older;   /* all live fibers */
    struct cond *cond;             /* waited for, NULL when only for time */
    struct timer deadline;
    enum fiber_state state;
    enum err_kind result;          /* of the present wait */
    const struct suspect *suspect; /* crash.h; NULL: none */
    bool cancelled;
    bool certain;    /* the present wait is not ended by cancellation */
    bool trimmed;    /* idle: the deep part of the stack was given back */
    char *stack;     /* lowest usable byte */
    void *sanitizer; /* AddressSanitizer's fake stack */
    void *tsan;
    unsigned valgrind_id;
};

struct stack_pool {
    struct fiber *idle; /* last used first */
    size_t idle_count;
    size_t idle_least; /* fewest idle since the last trim */
    size_t deepest;    /* bytes of stack seen in use */
    struct timer trim;
};

/* A fiber with a stack, made ready to run `entry`; NULL when the kernel has no memory. */
struct fiber *stack_take(struct loop *l, void (*entry)(void *arg));
void stack_give_back(struct loop *l, struct fiber *f);
void stack_pool_free(struct loop *l);

struct signal_handler;
struct worker_pool;

struct loop {
    struct event_base *base;
    struct task_queue ready;
    struct task_queue later; /* yielded: the next turn's */
    struct timers timers;
    void *timer_event;
    usec timer_armed; /* what timer_event is set to, DEADLINE_NONE if unset */
    bool stopping;

    struct context context; /* of the loop itself, while a fiber runs */
    struct fiber *running;
    struct fiber *newest; /* list of the live ones */
    struct stack_pool stacks;
    struct fiber_stats stats;
    void *sanitizer;
    const void *thread_stack;
    size_t thread_stack_size;
    void *tsan;

    /* The watchdog's */
    usec turn_began; /* 0: nothing has happened in this turn */
    usec longest;
    const char *longest_name;
    usec warned_last;
    unsigned warned_suppressed;

    struct signal_handler *signals;
    struct worker_pool *workers;
};

/* Puts a task at the end of the present turn. */
void loop_push(struct loop *l, struct task t);
void fiber_resume(struct fiber *f);
void worker_pool_free(struct worker_pool *p);
/* Something was given to the threads and has not come back. */
bool worker_pool_is_busy(const struct worker_pool *p);

/* --- crash.c --- */

/* A stack for the handler of faults on this thread; NULL: nobody watches. */
void *crash_watch_thread(void);
/* Before the thread ends. NULL is allowed. */
void crash_forget_thread(void *stack);
