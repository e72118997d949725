#pragma once
/*
 * What an operator's tool needs to know and do beyond what protocols do: where a mailbox is, and
 * bringing messages and mailboxes back as they were.
 */
#include "store/mailbox.h"

/* Its directory. Changes with a rename. */
const char *mailbox_directory(const struct mailbox *m);
/* 32 lower-case hex digits: the GUID, the same after a rename. */
void mailbox_add_guid(const struct mailbox *m, struct buf *b);
