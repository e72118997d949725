#pragma once
/*
 * Inside of the store: INBOX of an account that has no Maildir yet, made for a delivery.
 */
#include "store/mailbox_content.h"

/* What makes it the same mailbox after a crash: it is in the journal. */
struct inbox_identity {
    uint8_t guid[GUID_SIZE];
    uint32_t validity;
};

/* Blocking, nothing synced. What is there already is left as it is. */
bool inbox_make_dirs(const char *maildir, struct err *e);
struct inbox_identity inbox_new_identity(usec now);
/* Empty; its list is to be written. */
struct mailbox_content inbox_content(const struct inbox_identity *id, usec now);
