#pragma once
/*
 * Message data as it goes over the wire to another server: CRLF, and for DATA dots doubled (RFC
 * 5321 4.5.2).
 */
#include "core/buf.h"

struct client_encoder {
    bool in_line; /* zeroed: at the start of a line */
    bool cr;      /* a CR is held back */
    bool chunks;  /* for BDAT: dots are like other characters */
};

/* Appends the wire form of stored bytes (LF line ends), which may come in any pieces. */
void client_encode(struct client_encoder *x, struct buf *out, struct str stored);
/* The end: a last line end if it is missing, for DATA the final dot. */
void client_encode_end(struct client_encoder *x, struct buf *out);
