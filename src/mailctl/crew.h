#pragma once
/*
 * Fibers in mailctl: a loop for the time of one function, and a crew that does many jobs at a time.
 */
#include "core/err.h"
#include "core/fiber.h"

struct loop;

/* Runs fn in a fiber on a loop of its own, to its end. */
bool with_loop(void (*fn)(struct loop *l, void *arg), void *arg, struct err *e);

/* Calls fn(arg, 0) ... fn(arg, count - 1), at most `at_a_time` of them at the same time, begun in
 * this order. Returns when all have ended, or at the deadline: false, and some may still run.
 */
SUSPENDS bool crew_run(struct loop *l, size_t count, size_t at_a_time,
                       void (*fn)(void *arg, size_t i), void *arg, usec deadline);
