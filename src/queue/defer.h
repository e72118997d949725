#pragma once
/*
 * What is ready for a destination that is dead waits on, with the reason.
 */
#include <stdbool.h>

struct scheduler;
struct destination;

/* Starts a fiber for it, unless there is one. False: there are no fibers left. */
bool defer_ready(struct scheduler *s, struct destination *d);
