#pragma once
/*
 * What flags.c, expunge.c and copy.c share: one record about mailboxes, committed.
 */
#include "store/store_internal.h"

struct change {
    struct store *store;
    struct store_account *accounts[2]; /* of the mailboxes that change; the second may be NULL */
    struct in_flight in_flight;
};

/* Like journal_ready, but lets changes pass that can free space. */
SUSPENDS bool change_journal_ready(struct store *s, struct err *e);
/* Before a change of flags or an expunge: the journal has room, no folder operation is under way,
 * the mailbox is there. */
SUSPENDS bool change_ready(struct mailbox *m, struct err *e);
/* Appends the store's scratch record and waits until it is durable. After true: apply without
 * suspension, then change_end; after false: change_end. */
SUSPENDS bool change_commit(struct change *c, enum record_type type, struct err *e);
void change_end(struct change *c);

/* Of sorted UIDs those that exist, in memory of the caller's arena or malloc. */
uint32_t *change_existing(const struct mailbox *m, const uint32_t *uids, size_t *count);
