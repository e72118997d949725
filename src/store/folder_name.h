#pragma once
/*
 * Mailbox names: UTF-8 with '/' in the API, ".A.B" in modified UTF-7 on disk (Maildir++). Pure.
 */
#include "core/buf.h"
#include "core/err.h"

/* Checks a name from outside and appends its canonical form ("inbox" becomes "INBOX", also as the
 * first part). ERR_SYNTAX: empty part, ".", "..", control characters, not UTF-8; ERR_LIMIT: too
 * long or too deep. */
bool folder_name_check(struct str name, struct buf *canonical, struct err *e);
/* Appends the directory's name of a checked name, with its leading dot; nothing for INBOX. */
void folder_name_add_dir(struct buf *b, struct str name);
/* Appends the name that belongs to a directory ".A.B". False when there is none (not modified
 * UTF-7, empty parts): such a directory is not a mailbox of ours. */
bool folder_name_add_decoded(struct buf *b, struct str dir);
/* Order of listing: INBOX first, parents before children, bytes otherwise. */
int folder_name_compare(struct str a, struct str b);
/* Is child below parent? */
bool folder_name_is_below(struct str child, struct str parent);
