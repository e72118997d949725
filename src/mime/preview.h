#pragma once
/*
 * The beginning of a message's text, as lists of messages show it (RFC 8970).
 */
#include "mime/message.h"

#define MIME_PREVIEW_CHARACTERS 200 /* RFC 8970 3.1: at most 256, 200 is recommended */

/* Appends at most MIME_PREVIEW_CHARACTERS of the first text part: UTF-8, one line, white space
 * folded, without HTML's tags and quoted lines. Nothing when there is no text. */
void mime_write_preview(struct buf *out, const struct mime_part *root, struct str message);
