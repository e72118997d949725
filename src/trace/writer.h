#pragma once
/*
 * The store's writer, on its thread: lines into files, files within their limits. Private to the
 * folder.
 */
#include "trace/trace.h"

struct trace_limits {
    usec keep;
    uint64_t size_max;
};

struct writer_batch {
    struct str lines; /* whole ones */
    uint64_t count, lost;
    struct trace_limits limits;
};

struct trace_report {
    struct trace_counts counts;
    bool trouble; /* nothing can be written at the moment */
    char reason[300];
};

struct writer;

/* is_urgent: whether work beside writing has to be put off. */
struct writer *writer_new(const char *dir, bool (*is_urgent)(void *arg), void *arg);
void writer_keep(struct writer *w, const struct writer_batch *batch);
/* Removes what is too old, mends what is damaged, compresses what is complete: a bit at a time.
 * calm: few lines come, so there is time to compress. True: there is more to be done soon. */
bool writer_look_after(struct writer *w, bool calm);
void writer_report(const struct writer *w, struct trace_report *report);
void writer_free(struct writer *w);
