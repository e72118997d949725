#pragma once
/*
 * Measurements of the whole server, and whether it can do its work.
 */
#include "core/buf.h"
#include "ctl/ctl.h"

/* In the text format of Prometheus. Does not suspend. */
void ctl_metrics_write(const struct ctl_context *c, struct buf *out);
/* Mail can be taken and users can log in; if not, `why` gets a line for each reason. Does not
 * suspend. */
bool ctl_is_healthy(const struct ctl_context *c, struct buf *why);
