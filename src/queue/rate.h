#pragma once
/*
 * So many in a time, evenly: a token bucket. Pure.
 */
#include "core/clock.h"

struct rate_limit {
    int64_t count; /* 0: no limit */
    usec period;
};

/* Zeroed: full. */
struct rate {
    usec level; /* monotonic: when the bucket would be full again */
};

/* When the next one may go: now, or later. */
usec rate_next(const struct rate *r, struct rate_limit l, usec now);
/* One goes. */
void rate_take(struct rate *r, struct rate_limit l, usec now);
