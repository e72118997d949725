#pragma once
/*
 * What verbs that change the directory share: arguments that may be missing, and the line in the
 * log for each change that was made.
 */
#include "core/arena.h"
#include "ctl/ctl_call.h"
#include "ctl/ctl_json.h"

/* true or false; *set: it is given. ERR_SYNTAX: it is something else. */
bool ctl_arg_flag(const json_t *args, const char *name, bool *set, bool *value, struct err *e);
/* An array of strings, in a; *set (may be NULL): it is given. */
bool ctl_arg_list(const json_t *args, const char *name, struct arena *a, bool *set,
                  struct str **list, size_t *count, struct err *e);
json_t *ctl_json_list(const struct str *list, size_t count);

/* "user set name=alice@example.test by=root". */
SUSPENDS void ctl_log_change(struct ctl_call *c, const char *what, struct str name);
/* The same if `done`; returns it. */
SUSPENDS bool ctl_changed(struct ctl_call *c, bool done, const char *what, struct str name);
