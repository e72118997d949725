/*
 * The kernel's clocks (through the vDSO: no system call), replaceable by tests.
 */
#include "core/clock.h"

#include <stddef.h>

static usec (*replaced_monotonic)(void);
static usec (*replaced_wall)(void);

static usec read_clock(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (usec)t.tv_sec * USEC_SEC + t.tv_nsec / 1000;
}

usec clock_monotonic(void)
{
    return replaced_monotonic ? replaced_monotonic() : read_clock(CLOCK_MONOTONIC);
}

usec clock_wall(void)
{
    return replaced_wall ? replaced_wall() : read_clock(CLOCK_REALTIME);
}

usec deadline_in(usec duration)
{
    usec deadline;
    if (duration <= 0 || __builtin_add_overflow(clock_monotonic(), duration, &deadline))
        return DEADLINE_NONE;
    return deadline;
}

void clock_replace(usec (*monotonic)(void), usec (*wall)(void))
{
    replaced_monotonic = monotonic;
    replaced_wall = wall;
}
