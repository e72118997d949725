#pragma once
/*
 * Time, in microseconds. The only place that asks the kernel for it, so that a test can replace it.
 */
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
