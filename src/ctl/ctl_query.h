#pragma once
/*
 * A search over the mailboxes of one user or of all: args "user" or "all", and "query", the words
 * of IMAP search keys with MAILBOX (imap/search.h).
 */
#include "ctl/ctl_call.h"

#include "auth/directory.h"
#include "store/mailbox.h"

struct ctl_found {
    struct ctl_call *call;
    const struct account *account;
    struct mailbox *mailbox;
    const uint32_t *uids; /* ascending, at least one */
    size_t count;
};

struct ctl_query {
    /* Called for each mailbox in which something was found. A failure that is about this mailbox
     * only does not end the query. */
    SUSPENDS bool (*found)(void *arg, const struct ctl_found *f, struct err *e);
    /* NULL, or says which mailboxes are left out. */
    bool (*skips)(void *arg, const struct account *account, struct str name);
    void *arg;
    uint64_t messages; /* found so far */
    uint64_t failed;   /* mailboxes; each was told as an item with "error" */
};

SUSPENDS bool ctl_query_run(struct ctl_call *c, const json_t *args, struct ctl_query *q,
                            struct err *e);

/* {"user": ..., "mailbox": ...} */
json_t *ctl_mailbox_item(const struct account *account, struct str mailbox);
/* "\Seen $Junk" of a message. */
void ctl_add_flags(struct buf *b, const struct mailbox *m, const struct message *message);
