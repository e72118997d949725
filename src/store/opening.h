#pragma once
/*
 * Inside of the store: the mailboxes of a delivery, many at a time.
 */
#include "store/store_internal.h"

/* Opens each INBOX of the list for which that is a matter of course, one after the other on a few
 * workers, and makes those that are missing: list[i]'s in opened[i], with a reference. What is NULL
 * has to be opened in the ordinary way, which also says what is wrong. Does not wait for folder
 * operations. */
SUSPENDS void inboxes_open(struct store *s, const struct store_delivery *list, size_t count,
                           struct mailbox **opened);
