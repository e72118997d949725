#pragma once
/*
 * Which mailbox here gets a message.
 */
#include "queue/queue_internal.h"
#include "store/store.h"

/* Of an account: INBOX, or where the settings want it the mailbox that `detail` names, if there is
 * one. */
struct store_delivery mailbox_delivery(const struct queue *q, const struct account *account,
                                       struct str detail);
struct store_delivery mailbox_delivery_public(const struct queue *q, struct str mailbox);
/* Which mailbox has it, of one that was delivered. */
struct str mailbox_delivery_name(const struct store_delivery *d);
/* Of one that was delivered, for the log. Takes d->found_as. */
struct delivered_to mailbox_delivery_place(struct store_delivery *d, bool is_public,
                                           struct arena *a);

/* Routing asks for public mailboxes from now on. */
void queue_tell_mailboxes(struct queue *q);
