/*
 * Bucket n has what took no longer than HISTOGRAM_FIRST << n.
 */
#include "core/histogram.h"

void histogram_add(struct histogram *h, usec duration)
{
    size_t bucket = 0;
    if (duration < 0)
        duration = 0;
    while (bucket + 1 < HISTOGRAM_BUCKETS && duration > histogram_limit(bucket))
        bucket++;
    h->counts[bucket]++;
    h->count++;
    h->sum += duration;
}

usec histogram_limit(size_t bucket)
{
    return bucket + 1 < HISTOGRAM_BUCKETS ? HISTOGRAM_FIRST << bucket : 0;
}

usec histogram_quantile(const struct histogram *h, unsigned per_thousand)
{
    uint64_t below = 0;
    for (size_t i = 0; i < HISTOGRAM_BUCKETS && h->count > 0; i++) {
        below += h->counts[i];
        if (below * 1000 >= h->count * per_thousand)
            return histogram_limit(i);
    }
    return 0;
}
