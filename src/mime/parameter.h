#pragma once
/*
 * Parameters of Content-Type and Content-Disposition. Internal to mime.
 */
#include "mime/lexer.h"
#include "mime/message.h"

/* Reads "; name=value ..." up to the end, arena-owned; *count is at most MIME_PARAMETERS_MAX. */
struct mime_parameter *parameters_parse(struct arena *a, struct lexer *l, size_t *count);
