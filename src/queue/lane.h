#pragma once
/*
 * Limits that several destinations share: those of a route, and those of an address that mail
 * leaves from.
 */
#include "queue/queue_internal.h"
#include "queue/rate.h"

struct lane {
    char *name; /* first: the table compares by it; "route NAME", "source ADDRESS" */
    struct rate rate;
    struct rate_limit rate_limit;
    size_t connections_max; /* 0: no limit */
    size_t connections;
    struct link crowd;  /* destinations that wait for a connection of it to end */
    struct link slowed; /* destinations that wait for its rate */
    struct timer timer; /* for the first of them */
};

struct lanes {
    void *by_name; /* tsearch tree */
};

/* Made when there is none, and kept: there are as many as the configuration names. */
struct lane *lane_get(struct lanes *l, const char *kind, struct str name);
void lanes_free(struct lanes *l);

static inline bool lane_is_full(const struct lane *l)
{
    return l && l->connections_max > 0 && l->connections >= l->connections_max;
}
/* When the next message may go by it; l may be NULL. */
usec lane_next(const struct lane *l, usec now);
void lane_take(struct lane *l, usec now);
