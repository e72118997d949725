#pragma once
/*
 * Records of accounts whose mail cannot be brought up to date at a start (set_aside.c).
 */
#include "store/store_internal.h"

#define SET_ASIDE_WHOLE UINT32_MAX /* instead of one target of a delivery */

struct set_aside {
    struct set_aside *next;
    struct journal_record record; /* with its own payload */
    uint32_t target;
};

/* The account of a record; the first time it is seen whether it can be used. NULL: there cannot be
 * such a home. */
struct store_account *replay_account(struct store *s, struct str home);
/* From now on the account's records are set aside. False: it is no fault of the account (the disk
 * is full, descriptors or memory are short), which is a reason not to start. */
bool replay_block(struct store_account *a, const struct err *why);
/* Sees whether the mailbox in that directory can be read and, if `write`, written to; blocks the
 * account if not. */
bool replay_dir_is_usable(struct store_account *a, const char *dir, bool write);
/* Copies the payload. */
void set_aside_add(struct store *s, const struct journal_record *record, uint32_t target);

/* What was set aside at earlier starts is tried again, once. */
SUSPENDS bool set_aside_apply(struct store *s, struct err *e);
/* All records are through: what is set aside now becomes durable, before the journal lets go of
 * it. */
bool set_aside_finish(struct store *s, struct err *e);
void set_aside_free(struct store *s);
