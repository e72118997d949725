#pragma once
/*
 * The collation of IMAP (RFC 5255 I18NLEVEL=1): i;unicode-casemap (RFC 5051). Two texts are equal,
 * one is in another, or one stands before another, as it is with the bytes of their keys.
 */
#include "core/buf.h"

/* Appends the key of well-formed UTF-8. */
void collate_key(struct buf *out, struct str text);
/* What becomes of an ASCII character. */
static inline char collate_ascii(char c)
{
    return c >= 'a' && c <= 'z' ? (char)(c - 32) : c;
}
