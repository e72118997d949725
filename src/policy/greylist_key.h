#pragma once
/*
 * Which messages are alike for the greylist. Private to policy.
 */
#include "core/buf.h"
#include "policy/greylist_db.h"

/* The sender without what changes from message to message, appended. */
void greylist_sender(struct str sender, struct buf *b);
void greylist_key(struct str network, struct str sender, struct str recipient,
                  unsigned char key[GREYLIST_KEY]);
