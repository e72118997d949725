#pragma once
/*
 * What an operator's tool needs to know and do beyond what protocols do: where a mailbox is, and
 * bringing messages and mailboxes back as they were.
 */
#include "store/mailbox.h"

/* Its directory. Changes with a rename. */
const char *mailbox_directory(const struct mailbox *m);

/* --- mailboxes --- */

/* As it was: with its id (as mailbox_id, if no other mailbox of the account has it) and
 * UIDVALIDITY. ERR_EXISTS; ERR_SYNTAX. */
SUSPENDS bool store_restore_mailbox(struct store *s, const struct account *account, struct str name,
                                    struct str id, uint32_t uid_validity, struct err *e);
/* A mailbox that never had a message, and that nobody looks at, takes the UIDVALIDITY. *taken: it
 * has it now. */
SUSPENDS bool mailbox_take_uid_validity(struct mailbox *m, uint32_t uid_validity, bool *taken,
                                        struct err *e);
/* UIDs below are not given out any more. */
SUSPENDS bool mailbox_raise_uid_next(struct mailbox *m, uint32_t uid_next, struct err *e);

/* --- messages --- */

/* Requests that run at the same time, each in a fiber of its own, but get their UIDs in the order
 * of their tickets: 0, 1, 2 ... */
struct restore_order {
    uint64_t next;
    struct cond turn;
};

struct restore_request {
    struct spool *message;
    uint8_t flags;
    const struct str *keywords;
    size_t keyword_count;
    int64_t date, save_date; /* INT64_MIN: now */
    /* The UID it had, 0: any. It gets that one unless it is below UIDNEXT, where UIDs are used up;
     * then the next one, which is here afterwards. */
    uint32_t uid;
    struct restore_order *order; /* NULL: none */
    uint64_t ticket;
    bool quota;  /* applies, as for mailbox_append */
    bool passed; /* private */
};
/* As mailbox_append, but quota does not apply unless it says so. A request with an order must be
 * called for every ticket. */
SUSPENDS bool mailbox_restore(struct mailbox *m, const char *id, struct restore_request *r,
                              struct err *e);

/* --- private: for deliver.c; NULL is allowed --- */

bool restore_waits(const struct restore_request *r);
SUSPENDS bool restore_wait(struct restore_request *r, struct err *e);
/* The next ticket's turn; waits for its own first if that has not come. */
SUSPENDS void restore_pass_turn(struct restore_request *r);
