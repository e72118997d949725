#pragma once
/*
 * Modified UTF-7 (RFC 3501 section 5.1.3): how IMAP4rev1 and Maildir++ write mailbox names.
 */
#include "core/buf.h"

/* Appends. False when the text is not well-formed UTF-8; adds nothing then. */
bool buf_add_mutf7(struct buf *b, struct str utf8);
/* Appends UTF-8. Strict: only what the function above produces; false on anything else (8-bit or
 * control characters, a superfluous or unfinished shift, lone surrogates), adds nothing then. */
bool buf_add_mutf7_decoded(struct buf *b, struct str mutf7);
