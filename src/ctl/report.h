#pragma once
/*
 * What happened in a time, counted from the events of the log (docs/log.md): the numbers of
 * `mailctl report`. Bounded whatever the events hold. Does not suspend; for a worker.
 */
#include "trace/scan.h"

#include <jansson.h>

struct report;

/* from, to: wall clock; hours are counted from `from`. */
struct report *report_new(usec from, usec to);
void report_free(struct report *r);
void report_add(struct report *r, const struct trace_event *event);
/* Lists have at most `top` entries, the largest first. */
json_t *report_json(struct report *r, size_t top);
