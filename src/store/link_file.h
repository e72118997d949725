#pragma once
/*
 * One more name for a message's file. Blocking: for workers.
 */
#include "core/err.h"

/* Links, or copies (synced) where the file system has no more links to give. `to` exists already:
 * no error. */
bool file_link_or_copy(const char *from, const char *to, struct err *e);
