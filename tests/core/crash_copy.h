#pragma once
/*
 * What a crash leaves of a directory while the disk workers write to it.
 */
#include "core/helper.h"
#include "core/worker.h"

#include <stdatomic.h>
#include <unistd.h>

/* Holds all disk workers between two jobs, so that a copy shows one moment. */
struct standstill {
    atomic_int standing, over;
    atomic_bool release;
};

#define DISK_WORKERS 4

static inline void stand_still(void *arg)
{
    struct standstill *s = arg;
    atomic_fetch_add(&s->standing, 1);
    while (!atomic_load(&s->release))
        usleep(100);
}

static inline void stood_still(void *arg)
{
    atomic_fetch_add(&((struct standstill *)arg)->over, 1);
}

/* A copy of the directory as a crash leaves it at this moment; in a fiber. remove_directory frees
 * the path. */
static inline char *crash_copy(const char *root)
{
    char *copy = make_directory();
    struct buf command = BUF_EMPTY;
    struct standstill s = {0};
    for (int i = 0; i < DISK_WORKERS; i++)
        worker_start(WORKER_DISK, stand_still, stood_still, &s);
    while (atomic_load(&s.standing) < DISK_WORKERS)
        usleep(100);
    buf_printf(&command, "cp -a %s/. %s/", root, copy);
    assert_int_equal(system(buf_c(&command)), 0);
    buf_free(&command);
    atomic_store(&s.release, true);
    while (atomic_load(&s.over) < DISK_WORKERS)
        fiber_yield();
    return copy;
}
