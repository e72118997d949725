#pragma once
/*
 * Lines of the store, which are those of the log: "2026-11-22T08:03:32.123Z info smtpd[ID]: text".
 */
#include "trace/scan.h"

/* What was found out about the line before: most are of the same minute. */
struct line_clock {
    char minute[17]; /* "2026-11-22T08:03:" */
    usec begin;      /* of the minute */
};

/* line: without its end. False: it is none. `position` is left alone. */
bool line_parse(struct str line, struct line_clock *clock, struct trace_event *event);
/* The same for its time alone. */
bool line_time(struct str line, struct line_clock *clock, usec *when);
