#pragma once
/*
 * Where the Maildirs of accounts are below the store's path, as the setting `store.maildir` says:
 * "%d/%n/Maildir". Pure.
 *
 * %d is the domain, %n the part before the @, %u the whole login, as they stand in the account's
 * home ("example.test/alice").
 */
#include "core/buf.h"
#include "core/err.h"

#define LAYOUT_DEFAULT "%d/%n/Maildir"

/* ERR_SYNTAX: unknown variables, no %n or %u, not relative, "..", or the last part is not
 * "Maildir".
 */
bool layout_check(struct str layout, struct err *e);
/* Appends the relative path of an account's Maildir. False when the home does not fit. */
bool layout_add_path(struct buf *b, struct str layout, struct str home);
/* Appends the home whose Maildir is in this directory (without "/Maildir"). False: nobody's. */
bool layout_add_home(struct buf *b, struct str layout, struct str dir);
