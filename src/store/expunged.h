#pragma once
/*
 * Messages that were expunged and mailboxes that were deleted: kept for the time that is set, seen,
 * brought back, removed.
 */
#include "store/expunged_disk.h"
#include "store/store_internal.h"

/* What is noted about the mailbox beside its messages. */
void expunged_add_note(const struct mailbox *m, struct buf *note);
/* Before a mailbox is deleted: shall it be kept? Then its directory says all there is to say, on
 * disk, and *note is filled. */
SUSPENDS bool expunged_prepare_mailbox(struct mailbox *m, struct buf *note);

/* Starts the fiber that removes what was kept long enough. */
void expunged_start(struct store *s);
