#pragma once
/*
 * The Content-* fields of a part: type, encoding, disposition, parameters. Internal to mime.
 */
#include "mime/message.h"

struct content_reader {
    struct arena *arena;
    bool copy;              /* nothing may point into the header */
    size_t parameters_left; /* of MIME_PARAMETERS_ALL */
};

/* Fills what the header block says into the part, defaults included. in_digest: a part of a
 * multipart/digest. */
void content_parse(struct content_reader *r, struct mime_part *part, struct str block,
                   bool in_digest);
bool content_type_is(const struct mime_part *part, const char *type, const char *subtype);
