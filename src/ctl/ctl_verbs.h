#pragma once
/*
 * All verbs of the control socket.
 */
#include "ctl/ctl.h"

struct ctl_row { /* one of plain and stream is set */
    const char *name;
    const struct ctl_access *access;
    const struct ctl_verb *plain;
    const struct ctl_stream_verb *stream;
};

/* The i-th one; false: there are no more. */
bool ctl_verb_at(size_t i, struct ctl_row *row);
/* ERR_SYNTAX: there is no such verb. */
bool ctl_verb_find(const char *name, struct ctl_row *row, struct err *e);
