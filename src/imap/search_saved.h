#pragma once
/*
 * The saved result of a search, "$" (RFC 5182). Kept as ranges of UIDs: new messages only get
 * higher UIDs, so between two neighbours of the view none will ever appear, and a range goes on
 * meaning those of its messages that are left.
 */
#include "imap/selected.h"

void imap_saved_clear(struct imap_selected *v);
/* Positions in the view, ascending. False: there are too many ranges; "$" is empty then. */
bool imap_saved_keep(struct imap_selected *v, const uint32_t *positions, size_t count);
/* "$" as a set of UIDs, or of sequence numbers, of messages that exist. */
void imap_saved_take(const struct imap_selected *v, struct arena *a, bool uid,
                     struct number_set *set);
