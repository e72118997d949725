#pragma once
/*
 * A message with 8-bit text made one of 7 bits, for a server that has no 8BITMIME (RFC 6152 3):
 * bodies become quoted-printable or base64. The stored message is fed twice, in pieces, from its
 * start to its end; pure, in bounded memory.
 */
#include "core/buf.h"

struct mime_downgrade;

struct mime_downgrade *mime_downgrade_new(void);
void mime_downgrade_free(struct mime_downgrade *d);
/* The first time: to see what is there. */
void mime_downgrade_look(struct mime_downgrade *d, struct str bytes);
/* Something of it is not ASCII. */
bool mime_downgrade_is_needed(const struct mime_downgrade *d);
/* After all of it. NULL: it can be done; else why not, for people: "its header ...". */
const char *mime_downgrade_decide(struct mime_downgrade *d);
/* The second time, when it can be done: the 7-bit form is appended. */
void mime_downgrade_write(struct mime_downgrade *d, struct str bytes, struct buf *out);
void mime_downgrade_write_end(struct mime_downgrade *d, struct buf *out);
