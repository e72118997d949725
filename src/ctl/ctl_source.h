#pragma once
/*
 * Which source of the directory has a user, group or address: only what the embedded one has is
 * changed here.
 */
#include "auth/directory_trace.h"
#include "ctl/ctl.h"

/* "ldap block \"corp\"", or "the embedded directory". In a. */
const char *ctl_source_text(struct arena *a, const char *source);

/* After a change failed with *e: when nothing of that name was found here, but another source has
 * one, *e says which. Returns false. */
SUSPENDS bool ctl_tell_source(const struct ctl_context *c, enum directory_question question,
                              struct str name, struct err *e);
