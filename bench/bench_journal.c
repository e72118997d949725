/*
 * How fast the journal commits: records of 4 KB from 1 and from 50 fibers, each waiting for its
 * own. Prints commits and syncs per second and the processor time per commit. Argument: a directory
 * on the disk to be measured (default: a new one below the current).
 */
#include "core/disk.h"
#include "core/fiber.h"
#include "core/journal.h"
#include "core/loop.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#define RECORD    4500
#define DURATION  (2 * USEC_SEC)
#define WRITERS_N 50

struct bench {
    struct loop *loop;
    const char *dir;
    struct journal *journal;
    size_t running;
    usec end;
    uint64_t commits;
    bool failed;
};

static bool checkpoint(void *arg, lsn upto, struct err *e)
{
    (void)arg;
    (void)upto;
    (void)e;
    return true;
}

static bool replay(void *arg, const struct journal_record *r, struct err *e)
{
    (void)arg;
    (void)r;
    (void)e;
    return true;
}

static void write_records(void *arg)
{
    struct bench *b = arg;
    static char payload[RECORD];
    const struct str part = {payload, sizeof payload};
    struct err e;
    while (clock_monotonic() < b->end && !b->failed) {
        if (!journal_ready(b->journal, deadline_in(30 * USEC_SEC), &e) ||
            !journal_commit(b->journal, journal_append(b->journal, JOURNAL_STORE, 1, 1, &part, 1),
                            &e)) {
            fprintf(stderr, "%s\n", e.text);
            b->failed = true;
        } else {
            b->commits++;
        }
    }
    b->running--;
}

static double processor_time(void)
{
    struct rusage r;
    getrusage(RUSAGE_SELF, &r);
    return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) * 1e6 +
           (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec);
}

static void measure(struct bench *b, size_t writers)
{
    struct journal_stats before, after;
    struct err e;
    b->commits = 0;
    b->running = writers;
    b->end = clock_monotonic() + DURATION;
    journal_get_stats(b->journal, &before);
    double processor = processor_time();
    for (size_t i = 0; i < writers; i++)
        fiber_start(b->loop, "writer", write_records, b);
    while (b->running > 0)
        fiber_sleep(10 * USEC_MSEC, &e);
    processor = processor_time() - processor;
    journal_get_stats(b->journal, &after);
    double seconds = (double)DURATION / USEC_SEC;
    printf("journal, %2zu writers of 4 KB  %9.0f commits/s %8.0f syncs/s %7.1f us processor each\n",
           writers, (double)b->commits / seconds, (double)(after.syncs - before.syncs) / seconds,
           processor / (double)b->commits);
}

static void run(void *arg)
{
    struct bench *b = arg;
    struct err e;
    const struct journal_settings settings = {.dir = b->dir};
    const struct journal_consumer consumer = {JOURNAL_STORE, NULL, b->dir, replay, checkpoint};
    b->journal = journal_open(&settings, &e);
    b->failed = !b->journal;
    if (b->journal) {
        journal_add_consumer(b->journal, &consumer);
        b->failed = !journal_start(b->journal, &e);
    }
    if (b->failed) {
        fprintf(stderr, "%s\n", e.text);
    } else {
        measure(b, 1);
        measure(b, WRITERS_N);
    }
    if (b->journal)
        journal_close(b->journal);
    loop_stop(b->loop);
}

int main(int argc, char **argv)
{
    struct err e;
    struct bench b = {.dir = argc > 1 ? argv[1] : "bench-journal.tmp"};
    b.loop = loop_new(&e);
    if (!b.loop || !fiber_start(b.loop, "bench", run, &b)) {
        fprintf(stderr, "no loop\n");
        return 1;
    }
    loop_run(b.loop);
    loop_free(b.loop);
    if (argc <= 1 && !disk_remove_tree(b.dir, &e))
        fprintf(stderr, "%s\n", e.text);
    return b.failed;
}
