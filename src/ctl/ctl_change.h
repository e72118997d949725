#pragma once
/*
 * What verbs that change the directory share: arguments that may be missing, and the line in the
 * log for each change that was made.
 */
#include "core/arena.h"
#include "core/buf.h"
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
/* The same, with what changed: "... by=root kind=\"virtual\" subdomains=yes", from the arguments of
 * the verb, secrets left out. The name is the argument `key`. */
SUSPENDS bool ctl_changed_as(struct ctl_call *c, bool done, const char *what, const char *key,
                             const json_t *args);

/* --- of several at once --- */

/* " key=value", bounded; value NULL: none. */
void ctl_add_change(struct buf *b, const char *key, const json_t *value);
/* Who it is that asks, as ctl_log_line takes it; in a. */
SUSPENDS const char *ctl_who(struct ctl_call *c, struct arena *a);
void ctl_log_line(const char *who, const char *what, struct str name, struct buf *more);
