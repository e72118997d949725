#pragma once
/*
 * Messages with parts of Content-Transfer-Encoding "binary" (RFC 3516), made storable.
 */
#include "core/buf.h"

/* A message as the wire has it, with CRLF line ends, into the stored form: binary parts become
 * base64 and say so, everything else has LF line ends. Pure, never fails. */
void mime_encode_binary(struct buf *out, struct str message);
