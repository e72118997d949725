#pragma once
/*
 * Bytes of any charset appended as UTF-8: always well-formed and without NUL, what has no meaning
 * as U+FFFD. Internal to mime.
 */
#include "core/buf.h"

#define TEXT_REPLACEMENT STR("\xef\xbf\xbd")

/* How many bytes at the start are ASCII and not NUL. */
size_t text_ascii_prefix(struct str s);
/* UTF-8, as well-formed as it is. */
void text_add_utf8(struct buf *out, struct str bytes);
/* No charset known: UTF-8 if well-formed, else windows-1252. */
void text_add_unlabelled(struct buf *out, struct str bytes);
/* False when the charset is unknown; bytes are taken as UTF-8 then. */
bool text_add_charset(struct buf *out, struct str charset, struct str bytes);
bool text_charset_is_known(struct str name);
/* True when ASCII bytes mean the same in it (not UTF-7, UTF-16, ISO-2022-*). */
bool text_charset_extends_ascii(struct str name);

/* Decoding of Content-Transfer-Encoding and of the encoded words B and Q (RFC 2045 6.7, 6.8; RFC
 * 2047 4). Lenient: what is no base64 is skipped, what is no escape is kept. */
void text_add_base64(struct buf *out, struct str encoded);
void text_add_quoted_printable(struct buf *out, struct str encoded);
void text_add_q_word(struct buf *out, struct str encoded);
