#pragma once
/*
 * Reading from the client: lines, and literals into memory or a spool.
 */
#include "imap/command.h"

/* A line of a dialog inside a command (AUTHENTICATE, IDLE); borrowed. False: the session is over,
 * or for a longer line *too_long is set (and the line must be refused). */
SUSPENDS bool imap_read_line(struct imap_session *s, size_t max, struct str *line, bool *too_long);
/* An empty one, for as long as the command lasts. */
struct spool *imap_new_spool(struct imap_command *c);
