/*
 * The kernel's clocks (through the vDSO: no system call), replaceable by tests.
 */
#include "core/clock.h"

#include <stdatomic.h>

static usec (*replaced_monotonic)(void);
static usec (*replaced_wall)(void);

/* Simulated: worker threads ask as well. 0: not simulated. */
static _Atomic usec simulated_monotonic;
static usec simulated_offset; /* of the wall clock */

static usec read_clock(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (usec)t.tv_sec * USEC_SEC + t.tv_nsec / 1000;
}

usec clock_monotonic(void)
{
    usec simulated = atomic_load_explicit(&simulated_monotonic, memory_order_relaxed);
    if (simulated)
        return simulated;
    return replaced_monotonic ? replaced_monotonic() : read_clock(CLOCK_MONOTONIC);
}

usec clock_wall(void)
{
    usec simulated = atomic_load_explicit(&simulated_monotonic, memory_order_relaxed);
    if (simulated)
        return simulated + simulated_offset;
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

void clock_simulate(usec wall)
{
    simulated_offset = wall - USEC_SEC;
    atomic_store(&simulated_monotonic, wall ? USEC_SEC : 0);
}

bool clock_is_simulated(void)
{
    return atomic_load_explicit(&simulated_monotonic, memory_order_relaxed) != 0;
}

void clock_jump(usec monotonic)
{
    if (monotonic > atomic_load(&simulated_monotonic))
        atomic_store(&simulated_monotonic, monotonic);
}
