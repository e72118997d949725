#pragma once
/*
 * Content-Transfer-Encodings written in pieces, and headers that say so. Internal to mime.
 */
#include "core/buf.h"

/* --- base64 (RFC 2045 6.8) --- */

struct base64_writer {
    const char *eol;
    unsigned char held[57]; /* a line is made of these */
    unsigned count;
    bool begun; /* a line stands before the next */
};

void base64_write(struct base64_writer *w, struct buf *out, struct str bytes);
/* What is held. No line end stands behind the last line. */
void base64_write_end(struct base64_writer *w, struct buf *out);

/* --- quoted-printable (RFC 2045 6.7), of lines that end in LF --- */

struct quoted_writer {
    unsigned column;
    char space; /* held back: at the end of a line it has to be encoded; 0: none */
};

void quoted_write(struct quoted_writer *w, struct buf *out, struct str bytes);
void quoted_write_end(struct quoted_writer *w, struct buf *out);

/* --- headers --- */

/* The header block with this Content-Transfer-Encoding instead of what it had. eol: of lines that
 * are added. */
void recode_header(struct buf *out, struct str block, const char *encoding, const char *eol);
