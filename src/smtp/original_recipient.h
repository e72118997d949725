#pragma once
/*
 * ORCPT (RFC 3461 4.2, with the address type of RFC 6533 3): "type;address", where the address is
 * xtext, or has its own encoding when the type is utf-8. Pure.
 */
#include "core/arena.h"
#include "core/buf.h"

/* *decoded is "type;address" in plain text, in a. False: malformed. */
bool original_recipient_decode(struct arena *a, struct str encoded, struct str *decoded);
/* As a parameter's value. utf8: the server takes UTF-8 (SMTPUTF8). */
void original_recipient_encode(struct buf *out, struct str decoded, bool utf8);
