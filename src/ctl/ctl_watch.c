/*
 * Every ten seconds, on the tens of the wall clock, a timer takes the counters of the parts and
 * adds what came to the minute that it belongs to; who asks has that done once more, so that what
 * is told is never older than the question. Minutes are found by their number since 1970: one that
 * nobody looked at - the machine slept, the clock was set - is unknown, not zero. Those before the
 * start are taken from the statistics that the queue keeps on disk.
 *
 * The same timer has a worker look at the space on the disks. There is one such look at a time: a
 * disk that hangs holds up that worker and nobody who asks.
 */
#include "ctl/ctl_watch.h"

#include "auth/auth.h"
#include "core/arena.h"
#include "core/loop.h"
#include "core/mem.h"
#include "core/worker.h"
#include "queue/queue.h"
#include "queue/statistics.h"
#include "store/store.h"

#include <stdlib.h>
#include <string.h>

#define INTERVAL (10 * USEC_SEC)
#define MINUTE   (60 * USEC_SEC)
/* A timer that is on time fires a moment after the minute that it counts for. */
#define LATENESS (100 * USEC_MSEC)
#define SPACES   2 /* data_dir; the store, which may be elsewhere */

struct slot {
    int64_t minute; /* since 1970 */
    struct ctl_counts counts;
};

struct ctl_watch {
    struct ctl_context context;
    struct timer timer;
    struct ctl_counts seen; /* at the last look */
    struct slot slots[CTL_MINUTES];
    struct ctl_space spaces[SPACES];
    size_t space_count;
    bool measuring;
    struct cond measured;
};

/* --- counting --- */

static struct ctl_counts look(const struct ctl_context *c)
{
    struct queue_stats queue = {0};
    struct auth_stats auth = {0};
    queue_get_stats(c->queue, &queue);
    auth_get_stats(c->auth, &auth);
    return (struct ctl_counts){.accepted = queue.accepted,
                               .delivered = queue.delivered_local + queue.delivered_remote,
                               .deferred = queue.deferred,
                               .bounced = queue.bounced,
                               .logins = auth.succeeded,
                               .logins_failed = auth.failed};
}

static struct slot *slot_of(struct ctl_watch *w, int64_t minute)
{
    struct slot *s = &w->slots[minute % CTL_MINUTES];
    if (s->minute != minute)
        *s = (struct slot){.minute = minute};
    return s;
}

static void count(struct ctl_watch *w)
{
    struct ctl_counts now = look(&w->context), *seen = &w->seen;
    struct ctl_counts *c = &slot_of(w, (clock_wall() - LATENESS) / MINUTE)->counts;
    c->accepted += now.accepted - seen->accepted;
    c->delivered += now.delivered - seen->delivered;
    c->deferred += now.deferred - seen->deferred;
    c->bounced += now.bounced - seen->bounced;
    c->logins += now.logins - seen->logins;
    c->logins_failed += now.logins_failed - seen->logins_failed;
    *seen = now;
}

void ctl_watch_minutes(struct ctl_watch *w, struct ctl_minute minutes[CTL_MINUTES])
{
    memset(minutes, 0, CTL_MINUTES * sizeof(*minutes));
    if (!w)
        return;
    count(w);
    int64_t first = clock_wall() / MINUTE - CTL_MINUTES + 1;
    for (size_t i = 0; i < CTL_MINUTES; i++) {
        const struct slot *s = &w->slots[(first + (int64_t)i) % CTL_MINUTES];
        if (s->minute == first + (int64_t)i)
            minutes[i] = (struct ctl_minute){true, s->counts};
    }
}

/* The present minute, and of the one before the part that completes it. */
struct ctl_counts ctl_watch_per_minute(struct ctl_watch *w)
{
    struct ctl_minute minutes[CTL_MINUTES];
    ctl_watch_minutes(w, minutes);
    struct ctl_counts now = minutes[CTL_MINUTES - 1].counts;
    const struct ctl_counts *before = &minutes[CTL_MINUTES - 2].counts;
    uint64_t left = 60 - (uint64_t)(clock_wall() % MINUTE / USEC_SEC);
    now.accepted += before->accepted * left / 60;
    now.delivered += before->delivered * left / 60;
    now.deferred += before->deferred * left / 60;
    now.bounced += before->bounced * left / 60;
    now.logins += before->logins * left / 60;
    now.logins_failed += before->logins_failed * left / 60;
    return now;
}

/* What the queue has written down before this start. */
static SUSPENDS void read_past(struct ctl_watch *w)
{
    struct statistics_sample *list;
    size_t n;
    struct err e;
    struct arena *a = arena_new();
    int64_t now = clock_wall() / MINUTE;
    if (statistics_read(w->context.queue, STATISTICS_DAY, a, &list, &n, &e))
        for (size_t i = 0; i < n; i++) {
            int64_t minute = list[i].time * USEC_SEC / MINUTE;
            if (minute > now || minute <= now - CTL_MINUTES)
                continue;
            slot_of(w, minute)->counts = (struct ctl_counts){.accepted = list[i].accepted,
                                                             .delivered = list[i].delivered,
                                                             .deferred = list[i].deferred,
                                                             .bounced = list[i].bounced};
        }
    arena_free(a);
}

/* --- space --- */

static void measure_on_worker(void *arg)
{
    struct ctl_watch *w = arg;
    for (size_t i = 0; i < w->space_count; i++)
        w->spaces[i].known = disk_space(w->spaces[i].path, &w->spaces[i].space, NULL);
}

/* The worker has a copy: the fiber may wait for a long time. */
static SUSPENDS void measure(struct ctl_watch *w)
{
    struct ctl_watch copy = {.space_count = w->space_count};
    memcpy(copy.spaces, w->spaces, sizeof(copy.spaces));
    worker_run(WORKER_DISK, measure_on_worker, &copy);
    memcpy(w->spaces, copy.spaces, sizeof(copy.spaces));
}

static void measure_fiber(void *arg)
{
    struct ctl_watch *w = arg;
    measure(w);
    w->measuring = false;
    cond_broadcast(&w->measured);
}

struct devices {
    const char *paths[SPACES];
    bool differ;
};

static void compare_devices(void *arg)
{
    struct devices *d = arg;
    struct stat a, b;
    d->differ = disk_stat(d->paths[0], &a, NULL) && disk_stat(d->paths[1], &b, NULL) &&
                a.st_dev != b.st_dev;
}

static SUSPENDS void find_spaces(struct ctl_watch *w)
{
    struct devices d = {.paths = {w->context.data_dir, store_spool_dir(w->context.store)}};
    worker_run(WORKER_DISK, compare_devices, &d);
    w->space_count = d.differ ? 2 : 1;
    for (size_t i = 0; i < w->space_count; i++)
        w->spaces[i].path = d.paths[i];
}

const struct ctl_space *ctl_watch_space(const struct ctl_watch *w, size_t i)
{
    return w && i < w->space_count ? &w->spaces[i] : NULL;
}

/* --- life --- */

static void set_timer(struct ctl_watch *w);

static void tick(void *arg)
{
    struct ctl_watch *w = arg;
    count(w);
    if (!w->measuring)
        w->measuring = fiber_start(w->context.loop, "space on the disks", measure_fiber, w) != NULL;
    set_timer(w);
}

static void set_timer(struct ctl_watch *w)
{
    timer_set(&w->timer, deadline_in(INTERVAL - clock_wall() % INTERVAL), tick, w);
}

struct ctl_watch *ctl_watch_open(const struct ctl_context *context)
{
    struct ctl_watch *w = MEM_NEW(struct ctl_watch);
    w->context = *context;
    read_past(w);
    w->seen = look(context);
    find_spaces(w);
    measure(w);
    set_timer(w);
    return w;
}

void ctl_watch_close(struct ctl_watch *w)
{
    if (!w)
        return;
    timer_clear(&w->timer);
    while (w->measuring)
        cond_wait_certain(&w->measured);
    free(w);
}
