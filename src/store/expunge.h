#pragma once
/*
 * Inside of the store: messages leave a mailbox.
 */
#include "store/store_internal.h"

struct expunge {
    struct mailbox *mailbox;
    const uint32_t *uids; /* ascending, at most UIDS_RECORD_MAX */
    size_t count;
    struct expunge_record record; /* expunge_begin */
};

/* Gives the change its number and time, and puts its record into the store's scratch buffer. */
void expunge_begin(struct expunge *x);
/* When the record is durable. */
void expunge_apply(const struct expunge *x);
