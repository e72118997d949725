/*
 * The bucket holds a tenth of what may go in the period, so that small groups need not wait, and
 * is filled so slowly that no time as long as the period sees more than is allowed: a burst and
 * what follows it count together. Kept as one time (the generic cell rate algorithm): `level` moves
 * on by an interval with each that goes, and may be ahead of the clock by a burst.
 */
#include "queue/rate.h"

static int64_t burst(struct rate_limit l)
{
    return l.count < 10 ? 1 : l.count / 10;
}

static usec interval(struct rate_limit l)
{
    int64_t steps = l.count - burst(l) + 1;
    return (l.period + steps - 1) / steps;
}

usec rate_next(const struct rate *r, struct rate_limit l, usec now)
{
    if (l.count == 0)
        return now;
    usec at = r->level - (burst(l) - 1) * interval(l);
    return at > now ? at : now;
}

void rate_take(struct rate *r, struct rate_limit l, usec now)
{
    if (l.count == 0)
        return;
    r->level = (r->level > now ? r->level : now) + interval(l);
}
