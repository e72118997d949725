#pragma once
/*
 * Case-insensitive substring search over decoded message text, as IMAP SEARCH wants it
 * (i;unicode-casemap for what is UTF-8, RFC 5051).
 */
#include "mime/message.h"

struct search_key; /* a prepared needle */

/* needle in UTF-8. */
struct search_key *search_key_new(struct arena *a, struct str needle);
/* In UTF-8 text. */
bool search_key_in(const struct search_key *k, struct str text);
/* In a header value: decoded (RFC 2047) first. */
bool search_key_in_header(const struct search_key *k, struct str value);
/* In the bodies of all text parts (decoded, converted to UTF-8) and headers of nested messages:
 * BODY. with_header: TEXT. */
bool search_key_in_message(const struct search_key *k, const struct mime_part *root,
                           struct str message, bool with_header);
