#pragma once
/*
 * Parameters of Content-Type and Content-Disposition. Internal to mime.
 */
#include "mime/lexer.h"
#include "mime/message.h"

/* Reads "; name=value ..." up to the end, arena-owned, with room for one more; *count is at most
 * MIME_PARAMETERS_MAX and *left, which goes down by it. */
struct mime_parameter *parameters_parse(struct arena *a, struct lexer *l, size_t *left,
                                        size_t *count);
