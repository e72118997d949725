#pragma once
/*
 * What events of the log say, in people's words.
 */
#include "mailctl/mailctl.h"

/* Appends a sentence about an event of "trace" (ctl_trace.c). */
void trace_say(struct buf *out, const json_t *event);
/* How it is to be shown. */
enum shade trace_shade(const json_t *event);
