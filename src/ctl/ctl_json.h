#pragma once
/*
 * Between JSON and the server's types.
 */
#include "core/fiber.h"
#include "core/str.h"

#include <jansson.h>

/* A member that must be a string; ERR_SYNTAX when it is missing, no string or too long. Borrowed.
 */
bool ctl_arg_str(const json_t *args, const char *name, struct str *value, struct err *e);
/* A member that may be missing: then "". */
bool ctl_arg_optional(const json_t *args, const char *name, struct str *value, struct err *e);
/* The same, but p == NULL when it is missing, and it may be a long text. */
bool ctl_arg_given(const json_t *args, const char *name, struct str *value, struct err *e);

/* A line from outside, which may not nest deeper than a fiber's stack is. NULL with *e. */
json_t *ctl_json_load(struct str line, struct err *e);
/* The same; a long line is read on a worker, and must stay where it is meanwhile. */
SUSPENDS json_t *ctl_json_read(struct str line, struct err *e);

/* Bytes that are no UTF-8 become '?': mail addresses may hold anything. Never NULL. */
json_t *ctl_json_str(struct str s);
json_t *ctl_json_c(const char *s);
