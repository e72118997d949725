#pragma once
/*
 * Reading the event store (trace/trace.h): what was logged, from its files, while the server goes
 * on writing. BLOCKING: for workers and programs. What cannot be read is left out and counted.
 */
#include "core/clock.h"
#include "core/err.h"
#include "core/log.h"
#include "core/str.h"

struct trace_event {
    usec when; /* to the millisecond; may go back where the clock did */
    enum log_level level;
    struct str component, id, text; /* as in struct log_event */
    uint64_t position;              /* of the event in the store: events of a file by their order */
};

/* The strings live during the call. False ends the scan, which is no error. */
typedef bool trace_event_fn(void *arg, const struct trace_event *event);

struct trace_query {
    const char *dir;
    usec from, to; /* of clock_wall; from <= when < to. 0: no bound */
    /* Terms of which an event's surroundings have one: an id, an address, a message-id without
     * brackets, in any case. They narrow down what is read: other events come, too. None: all. */
    const struct str *terms;
    size_t term_count;
    bool newest_first; /* files and their blocks from the end; events of a block in their order */
    usec deadline;     /* clock_monotonic; then the search ends, whatever is left. 0: none */
};

struct trace_scanned {
    uint64_t files, blocks, bytes; /* that were read */
    uint64_t damaged;              /* blocks that are not as they were written */
    bool late;                     /* the deadline came first */
};

/* *done may be NULL. False: the directory cannot be read at all; without one there are no events.
 */
bool trace_search(const struct trace_query *query, trace_event_fn *fn, void *arg,
                  struct trace_scanned *done, struct err *e);

/* All events of a time, from the oldest on. */
bool trace_scan(const char *dir, usec from, usec to, trace_event_fn *fn, void *arg, struct err *e);
