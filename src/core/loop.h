#pragma once
/*
 * The loop: libevent on one thread, which owns all state of the server. Timers, deferred calls and
 * signals are plain callbacks on that thread: they must not suspend, but may start fibers.
 * A turn longer than LOOP_WATCHDOG is logged with what ran.
 */
#include "core/clock.h"
#include "core/err.h"

#include <stddef.h>

struct loop;
struct event_base;

#define LOOP_WATCHDOG (10 * USEC_MSEC)

struct loop *loop_new(struct err *e);
/* No fiber may be left. */
void loop_free(struct loop *l);
/* Runs until loop_stop, then until the present turn's callbacks are done. */
void loop_run(struct loop *l);
void loop_stop(struct loop *l);
/* The loop that this thread runs (set by loop_new, cleared by loop_free); NULL on worker threads.
 */
struct loop *loop_current(void);
struct event_base *loop_events(struct loop *l);

/* Calls fn(arg) on this loop after the callback or fiber that runs now, in the same turn, in the
 * order of the calls. Only from the loop's thread. */
void loop_defer(struct loop *l, void (*fn)(void *arg), void *arg);

/* Calls fn(arg, number) on the loop when the signal arrives. */
void loop_on_signal(struct loop *l, int number, void (*fn)(void *arg, int number), void *arg);

/* A timer lives in its owner's struct; zeroed is a valid, unset timer. Must be cleared before its
 * memory is freed. */
struct timer {
    size_t place; /* private */
    void (*fn)(void *arg);
    void *arg;
};

/* Sets (or moves) the timer; it fires once. Cheap: no system call, no allocation. DEADLINE_NONE
 * clears it. */
void timer_set(struct timer *t, usec deadline, void (*fn)(void *arg), void *arg);
void timer_clear(struct timer *t);
bool timer_is_set(const struct timer *t);
