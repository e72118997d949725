#pragma once
/*
 * A small pool of threads for what would block the loop: disk, password hashing, parsing of large
 * messages, libraries that wait. A worker function gets all it needs as arguments, owns them while
 * it runs and returns its result in them. It never touches shared state, never suspends, and is
 * bounded in time by itself: the waiting fiber always waits for its end.
 */
#include "core/err.h"
#include "core/fiber.h"

enum worker_class {
    WORKER_DISK,    /* short disk operations: 4 threads */
    WORKER_CPU,     /* parsing, searching, DH: one thread per core */
    WORKER_JOURNAL, /* the journal's: one thread, so that a commit never queues behind other work */
    WORKER_AUTH,    /* password hashing: 2 threads, so that guessing cannot take all cores */
    WORKER_READ,    /* reading ahead of scans: 16 threads that do nothing but wait for the disk */
    WORKER_CLASSES
};

/* Runs fn(arg) on a thread of the class and waits for its end. Jobs of one class start in order. */
SUSPENDS void worker_run(enum worker_class class, void (*fn)(void *arg), void *arg);

/* The same without waiting: done(arg) is called on the loop (not in a fiber) after fn has ended. */
void worker_start(enum worker_class class, void (*fn)(void *arg), void (*done)(void *arg),
                  void *arg);

/* Most threads the class can have. */
size_t worker_threads(enum worker_class class);

/* Jobs waiting for a thread, for back-pressure and statistics. */
size_t worker_backlog(enum worker_class class);
