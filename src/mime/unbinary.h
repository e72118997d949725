#pragma once
/*
 * A message with parts of Content-Transfer-Encoding "binary" (BODY=BINARYMIME, RFC 3030) made one
 * of text while it arrives: such parts become base64. In pieces and in bounded memory; pure.
 */
#include "core/buf.h"

struct mime_unbinary;

struct mime_unbinary *mime_unbinary_new(void);
/* NULL is allowed. */
void mime_unbinary_free(struct mime_unbinary *u);
/* Bytes from the wire; what comes out, also with CRLF, is appended. */
void mime_unbinary_feed(struct mime_unbinary *u, struct str wire, struct buf *out);
/* No more will come. False: the structure was beyond the limits of MIME (mime_walker_is_lost), so
 * that binary data may be left in it. */
bool mime_unbinary_end(struct mime_unbinary *u, struct buf *out);
