#pragma once
/*
 * The event store: what was logged is kept for some time, with an index, so that the story of a
 * message can be told (trace/story.h). It is the sink of the log (core/log.h): the loop copies a
 * line into memory, a thread of the store's own does the rest. Never synced, never waited for: what
 * cannot be kept in time is dropped and counted, whatever the disk does.
 */
#include "core/buf.h"
#include "core/settings.h"

struct trace_settings {
    const char *path; /* "": DATA/trace */
    usec keep;        /* 0: nothing is kept */
    int64_t size_max;
};
extern const struct settings_block trace_settings_block; /* "trace" */

struct trace;

/* Makes the directory and begins to keep what is logged. BLOCKING. The thread must not exist before
 * a process confines itself. Not NULL even if nothing can be kept at the moment: that is one of the
 * troubles. */
struct trace *trace_open(const char *dir, const struct trace_settings *settings);
/* Other limits, from now on. `path` is not one. */
void trace_set_limits(struct trace *t, const struct trace_settings *settings);
/* Keeps what was logged before, for some seconds at most, and ends. NULL is allowed. BLOCKING. */
void trace_close(struct trace *t);

/* What was logged before is in the files now, or will not be. BLOCKING: for workers. */
void trace_flush(struct trace *t);
const char *trace_dir(const struct trace *t);

struct trace_counts {
    uint64_t kept, lost; /* events since the start */
    uint64_t bytes;      /* all files, as they were looked at last */
    uint64_t files, damaged;
};
void trace_count(struct trace *t, struct trace_counts *counts);
/* What an operator must know, a line each: that events are lost at the moment, and why; that some
 * were; that files were set aside. Nothing: all is well. */
void trace_troubles(struct trace *t, struct buf *out);
