#pragma once
/*
 * Limits as arguments.
 */
#include "core/err.h"

#include <jansson.h>

/* A member "default", "unlimited", or a number or size; missing: QUOTA_KEEP. ERR_SYNTAX. */
bool ctl_arg_limit(const json_t *args, const char *name, bool is_size, int64_t *limit,
                   struct err *e);
