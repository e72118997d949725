#pragma once
/*
 * The Content-* fields of a part: type, encoding, disposition, parameters. Internal to mime.
 */
#include "mime/message.h"

/* Fills what the header block says into the part, defaults included. in_digest: a part of a
 * multipart/digest. copy: nothing points into the block. */
void content_parse(struct arena *a, struct mime_part *part, struct str block, bool in_digest,
                   bool copy);
bool content_type_is(const struct mime_part *part, const char *type, const char *subtype);
