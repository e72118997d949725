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
/* How names look on disk; zeroed: as they are made by default. */
struct folder_naming {
    char escape; /* before two hex digits; 0: \ */
    bool utf8;   /* no modified UTF-7 */
};
/* Not a letter, digit, or character with a meaning in names of directories. */
bool folder_escape_is_usable(char c);
/* Appends the directory's name of a checked name, with its leading dot; nothing for INBOX. */
void folder_name_add_dir(struct buf *b, const struct folder_naming *naming, struct str name);
/* Appends the name that belongs to a directory ".A.B". False when there is none (not modified
 * UTF-7, empty parts): such a directory is not a mailbox of ours. */
bool folder_name_add_decoded(struct buf *b, const struct folder_naming *naming, struct str dir);
/* Order of listing: INBOX first, parents before children, bytes otherwise. */
int folder_name_compare(struct str a, struct str b);
/* Is child below parent? */
bool folder_name_is_below(struct str child, struct str parent);
