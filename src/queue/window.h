#pragma once
/*
 * How many connections to one destination there may be at a time: found out by trying, and what
 * is remembered of servers that cannot be reached. Pure: times come in, nothing is called.
 */
#include "core/clock.h"

#include <stdbool.h>
#include <stddef.h>

struct window_limits {
    size_t first;   /* connections to begin with */
    size_t most;    /* never more */
    usec dead_time; /* a destination that cannot be reached is left alone for so long */
};

struct window {
    double size;     /* 0: new */
    double failures; /* connections in a row that could not be made, as parts of the window */
    usec dead_until; /* monotonic; 0: not known to be dead */
    usec used;       /* monotonic: the last result */
    usec grows;      /* monotonic: not before, since a connection was refused */
    bool proven;     /* its servers answered when they were asked last */
};

/* A server was ready for mail. True: until now that was doubtful. */
bool window_connected(struct window *w, const struct window_limits *l, usec now);
/* A message was dealt with, in whatever way; busy: connections there are. */
void window_delivered(struct window *w, const struct window_limits *l, size_t busy, usec now);
/* No server was ready for mail. True: it counts as dead from now on, or still. */
bool window_failed(struct window *w, const struct window_limits *l, usec now);

/* Connections there may be: none as long as it is dead, one as long as nobody knows whether its
 * servers answer. */
size_t window_room(const struct window *w, const struct window_limits *l, usec now);
/* Its servers answered not long ago. */
bool window_is_proven(const struct window *w, usec now);
bool window_is_dead(const struct window *w, usec now);
/* Somebody says that it is worth trying now. */
void window_forgive(struct window *w);
/* Nothing of it is worth keeping. */
bool window_is_forgotten(const struct window *w, usec now);
