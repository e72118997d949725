#pragma once
/*
 * Writing header text into IMAP responses. Internal to mime; imap_write_nstring is in header.h.
 */
#include "core/buf.h"

/* A header value as an nstring: unfolded, trimmed, runs of white space one space. */
void imap_write_text(struct buf *out, struct str s);
