#pragma once
/*
 * What somebody does with a user's mail, as lines of the log of actions (core/log.h): to find out
 * who deleted a message, when, and through what.
 */
#include "store/acl.h"
#include "store/mailbox.h"

struct actor {
    const char *component, *id; /* "imap" and its session */
    struct str login;
    const char *by;      /* the operator that it was done by in the user's place; NULL: nobody */
    struct str to_login; /* whose mailbox messages go to, if it is another user's */
};

/* "expunge user=<alice@example.test> mailbox=<INBOX> uids=3:7 count=5"; no line for none. UIDs
 * ascending; a long list is cut in the log, the count is not. The sink of the log (core/log.h) gets
 * the rest in lines of its own. */
void action_log_messages(struct actor a, const char *action, const struct mailbox *m,
                         const uint32_t *uids, size_t count);
/* "copy", "move": with the UIDs where they went to. */
void action_log_transfer(struct actor a, const char *action, const struct mailbox *from,
                         const struct mailbox *to, const uint32_t *source, const uint32_t *copies,
                         size_t count);
/* For the sink alone: "flags user=<...> mailbox=<INBOX> change=add flags="\Seen" uids=3 count=1".
 */
void action_log_flags(struct actor a, const struct mailbox *m, const struct flags_request *change);
/* "setacl user=<...> mailbox=<Public/Sales> identifier=<user=bob@example.test> rights=+lrs" */
void action_log_acl(struct actor a, struct str mailbox, const struct acl_identifier *id,
                    enum acl_change change, unsigned rights);
/* "rename user=<...> mailbox=<A> to=<B>"; `to` may be "". */
void action_log_folder(struct actor a, const char *action, struct str name, struct str to);
