#pragma once
/*
 * The text of a multi-line reply (RFC 1939 section 3) from a message whose lines end in LF: CRLF
 * line ends, dots at the start of a line doubled, the end marked. For pieces of any size.
 */
#include "core/buf.h"

struct multiline {
    uint64_t line_n; /* bytes of the present line so far */
    bool cr;         /* the last of them is CR */
    bool limited;    /* TOP: stop `lines` lines behind the header */
    bool in_body;
    uint64_t lines;
};

/* Everything (RETR). */
void multiline_begin(struct multiline *m);
/* The header, the empty line and this many lines of the body (TOP). */
void multiline_begin_top(struct multiline *m, uint64_t lines);
/* Appends what becomes of the bytes. False: the last line of TOP is complete, no more is needed. */
bool multiline_add(struct multiline *m, struct str bytes, struct buf *out);
/* Completes the last line if it is not, and appends the end. */
void multiline_end(struct multiline *m, struct buf *out);
