#pragma once
/*
 * Time, in microseconds. The only place that asks the kernel for it, so that a test can replace it.
 */
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

typedef int64_t usec;

#define USEC_MSEC ((usec)1000)
#define USEC_SEC  ((usec)1000000)
/* A deadline that never comes. */
#define DEADLINE_NONE INT64_MAX

/* Never goes back; for deadlines and durations. */
usec clock_monotonic(void);
/* Since 1970 UTC; may jump. */
usec clock_wall(void);
/* clock_monotonic() + duration; a duration <= 0 gives DEADLINE_NONE. */
usec deadline_in(usec duration);

/* For tests: NULL restores the kernel's clocks. */
void clock_replace(usec (*monotonic)(void), usec (*wall)(void));

/* For tests: time stands still while anything is to be done, and when the loop would wait for a
 * deadline it jumps there, so that days pass in a moment. What workers do takes no time. For what
 * waits for its own process only: bytes from another one are not waited for. wall: the time to
 * begin with; 0 brings back the kernel's clocks. */
void clock_simulate(usec wall);
bool clock_is_simulated(void);
/* The loop's: forward to this time. */
void clock_jump(usec monotonic);
