#pragma once
/*
 * Patterns of LIST and LSUB (RFC 3501 6.3.8).
 */
#include "core/str.h"

/* name and pattern in the form of the wire (modified UTF-7). "*" stands for anything, "%" for
 * anything without "/". INBOX matches in any case. */
bool list_match(struct str pattern, struct str name);
/* Whether the pattern's last character is "%": then parents that do not exist are listed too. */
bool list_match_wants_parents(struct str pattern);
