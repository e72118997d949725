#pragma once
/*
 * The UIDs of a mailbox in a list that sessions share: each needs the UIDs it has told its client,
 * and nearly always that is how the mailbox's list begins.
 */
#include <stddef.h>
#include <stdint.h>

struct mailbox;

/* Ascending. What a holder sees below the count it found stays as it is; others may append. */
struct uid_list {
    size_t refs, count, room;
    uint64_t lineage; /* of the same mailbox and lineage: one begins as the other does */
    uint32_t uids[];
};

/* For qsort over UIDs, ascending. */
int uid_compare(const void *a, const void *b);

/* All that the mailbox has now. A reference. */
struct uid_list *mailbox_uid_list(struct mailbox *m);
/* NULL is allowed. */
void uid_list_unref(struct uid_list *l);

/* For the store: a message leaves the mailbox, or the mailbox ends. */
void mailbox_drop_uid_list(struct mailbox *m);
