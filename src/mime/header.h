#pragma once
/*
 * Header fields (RFC 5322): iteration over a header block, values unfolded, and IMAP ENVELOPE.
 */
#include "core/arena.h"
#include "core/buf.h"

struct header_field {
    struct str name;  /* without the colon */
    struct str value; /* raw, folded, without the last line end */
    struct str whole; /* name to line end inclusive */
};

/* Bytes of the header block at the start of a message, with its empty line (which may have CRs);
 * false: it does not end within the bytes. *searched (may be NULL): start of the last line, where a
 * search with more bytes may go on. */
bool header_find_end(struct str message, size_t *searched, size_t *end);

/* Next field of the block; false at its end or at the empty line. *rest moves on. Lines that are no
 * field are skipped. */
bool header_next(struct str *rest, struct header_field *field);
/* Value of the first field of that name (case does not matter); false when there is none. */
bool header_find(struct str block, struct str name, struct str *value);
size_t header_count(struct str block, struct str name);
/* Folding removed (CRLF or LF before a space), trimmed. */
struct str header_unfold(struct arena *a, struct str value);
/* RFC 2047 encoded words and raw 8-bit decoded into UTF-8, unfolded. Never fails. */
struct str header_decode(struct arena *a, struct str value);
/* Any charset by its MIME name to UTF-8; false when the charset is unknown (then bytes are copied
 * with everything not UTF-8 replaced). */
bool charset_to_utf8(struct arena *a, struct str charset, struct str bytes, struct str *utf8);

/* ENVELOPE of RFC 3501 7.4.2 for a header block, appended with its parentheses. */
void header_write_envelope(struct buf *out, struct str block);
/* An IMAP nstring: NIL for p == NULL, a quoted string if it can be one, else a literal. */
void imap_write_nstring(struct buf *out, struct str s);
