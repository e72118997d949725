#pragma once
/*
 * What can only be known by looking now and then: how much happened in each minute of the last
 * hour, and how much space is left on the disks. Who asks has the answer at once, also while a disk
 * does not answer.
 */
#include "ctl/ctl.h"

#include "core/clock.h"
#include "core/disk.h"

struct ctl_watch;

/* Of the queue's messages and recipients, and of logins. */
struct ctl_counts {
    uint64_t accepted, delivered, deferred, bounced, logins, logins_failed;
};

#define CTL_MINUTES 60
struct ctl_minute {
    bool known;
    struct ctl_counts counts;
};

/* Begins to look. context is copied; what it points to outlives the watch. */
SUSPENDS struct ctl_watch *ctl_watch_open(const struct ctl_context *context);
/* NULL is allowed, here and below. */
SUSPENDS void ctl_watch_close(struct ctl_watch *w);

/* The last hour, oldest first; the last minute is not over yet. */
void ctl_watch_minutes(struct ctl_watch *w, struct ctl_minute minutes[CTL_MINUTES]);
/* How much there was in the last sixty seconds, about. */
struct ctl_counts ctl_watch_per_minute(struct ctl_watch *w);

/* A file system that is written to. */
struct ctl_space {
    const char *path;
    bool known; /* it answered */
    struct disk_space space;
};
/* The i-th, NULL: no more. */
const struct ctl_space *ctl_watch_space(const struct ctl_watch *w, size_t i);
