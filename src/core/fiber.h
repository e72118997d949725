#pragma once
/*
 * Fibers: stackful coroutines on the loop's thread, so that code which waits reads top to bottom.
 * Functions marked SUSPENDS may let other fibers and callbacks run; between two of them nothing
 * changes under you. Each suspending call returns false with ERR_TIMEOUT or ERR_CANCELLED when its
 * deadline passes or the fiber is cancelled; the code then returns upward.
 */
#include "core/clock.h"
#include "core/err.h"

#include <stddef.h>

/* Marks a function that may suspend the calling fiber. Must be called in a fiber. */
#define SUSPENDS

struct loop;
struct fiber;

/* Starts fn(arg) in a fiber with a stack from the pool: it begins to run at the end of the present
 * turn's ready list (not at once). `name` must outlive the fiber (a literal): it appears in the
 * watchdog's line and in the debugger. Out of fibers (FIBER_MAX live): returns NULL, nothing is
 * started. */
struct fiber *fiber_start(struct loop *l, const char *name, void (*fn)(void *arg), void *arg);
#define FIBER_MAX        16384
#define FIBER_STACK_SIZE (256 * 1024)

/* The fiber that runs now, NULL outside of one. */
struct fiber *fiber_self(void);

/* The fiber's present wait, and each later one, returns ERR_CANCELLED. A fiber may not be cancelled
 * after its function returned: who keeps the pointer clears it then. */
void fiber_cancel(struct fiber *f);
bool fiber_is_cancelled(const struct fiber *f);

/* Lets the others run, goes on in the next turn. */
SUSPENDS void fiber_yield(void);
SUSPENDS bool fiber_sleep(usec duration, struct err *e);

/* Where fibers wait for something to become true. Zeroed is valid; must be empty when its memory
 * is freed. The loop around the wait checks the truth again. */
struct cond {
    struct fiber *first, *last; /* private: waiting fibers, first come first served */
};

/* False with ERR_TIMEOUT or ERR_CANCELLED. */
SUSPENDS bool cond_wait(struct cond *c, usec deadline, struct err *e);
/* Like cond_wait with no deadline, and not ended by cancellation: for waits whose end is certain
 * and whose memory the other side uses (a worker's result, a journal commit). */
SUSPENDS void cond_wait_certain(struct cond *c);
/* Wakes the first waiter / all, in order; they run in this turn, after the caller goes on. */
void cond_signal(struct cond *c);
void cond_broadcast(struct cond *c);
bool cond_has_waiters(const struct cond *c);

/* Waits until the descriptor is readable or writable (EV_READ, EV_WRITE of libevent). One waiter
 * per descriptor and direction. */
SUSPENDS bool fiber_wait_fd(int fd, short what, usec deadline, struct err *e);

struct fiber_stats {
    size_t live, pooled; /* fibers running or suspended; stacks kept for reuse */
    size_t live_high;    /* most live at a time */
    uint64_t started, switches;
    size_t stack_deepest; /* most bytes of a stack seen in use */
};
void fiber_get_stats(struct loop *l, struct fiber_stats *s);
