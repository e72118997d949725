#pragma once
/*
 * Words of strangers on a terminal, on which they may play no tricks: what would move the cursor,
 * change colours or the order of what is read becomes '?', and so does what is no UTF-8. Pure but
 * for the printing.
 */
#include "core/buf.h"

#include <stdio.h>

/* kept: control characters that stay, as "\n\t"; "" : none. */
void clean_text_add(struct buf *out, struct str text, const char *kept);
void clean_text_print(FILE *to, struct str text, const char *kept);
/* Of a text that comes in pieces: bytes of this one without the character that its end cuts in two,
 * which belongs in front of the next piece. */
size_t clean_text_whole(struct str piece);
