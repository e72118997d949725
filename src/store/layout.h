#pragma once
/*
 * Where the Maildirs of accounts are below the store's path, as the setting `store.maildir` says:
 * "%d/%n/Maildir". Pure.
 *
 * %d is the domain, %n the part before the @, %u the whole login, as they stand in the account's
 * home ("example.test/alice"). As in Dovecot, numbers between % and the letter cut a piece out:
 * "%1n" is the first character, "%2.3n" three characters behind the first two (of a name that is
 * too short: none, and a number that begins with 0 fills up with zeros in front). An L, for lower
 * case, may stand there too: homes are in lower case.
 */
#include "core/buf.h"
#include "core/err.h"

#define LAYOUT_DEFAULT "%d/%n/Maildir"

/* ERR_SYNTAX: unknown variables, no whole %n or %u, not relative, empty parts or ones with a dot
 * first. */
bool layout_check(struct str layout, struct err *e);
/* Appends the relative path of an account's Maildir. False when the home does not fit. */
bool layout_add_path(struct buf *b, struct str layout, struct str home);
