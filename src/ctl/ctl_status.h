#pragma once
/*
 * The state of the whole server as one object, the same for mailctl, for checks and for programs
 * that watch it (docs/statistics.md).
 */
#include "ctl/ctl.h"

/* Does not suspend. */
json_t *ctl_status(const struct ctl_context *c);

/* What an operator must see to, from such an object, the worst first: a list of
 *
 *   {"kind": "certificate", "level": "warning" | "critical", "text": "..."}
 *
 * critical: mail or logins fail, or something was lost. The kinds are those of the table in
 * ctl_warnings.c. */
json_t *ctl_warnings(const json_t *status);
