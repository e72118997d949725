#pragma once
/*
 * What happens in the mailboxes of an account, for sessions that want to hear of more than the one
 * they have selected (NOTIFY). One watcher stands for all mailboxes, so it costs nothing until
 * something happens in its own account.
 */
#include "store/mailbox.h"
#include "store/metadata_file.h"

enum account_event_kind {
    ACCOUNT_MESSAGES, /* of a mailbox */
    ACCOUNT_CREATED,  /* a mailbox; its missing parents first, each with an event */
    ACCOUNT_DELETED,
    ACCOUNT_RENAMED, /* with all below it, in one event */
    ACCOUNT_SUBSCRIBED,
    ACCOUNT_UNSUBSCRIBED,
    ACCOUNT_METADATA,
};

enum messages_change { MESSAGES_NEW = 1, MESSAGES_EXPUNGED = 2, MESSAGES_FLAGS = 4 };

struct account_event {
    enum account_event_kind kind;
    struct str name;         /* of the mailbox; METADATA: "" is the account */
    struct str old_name;     /* RENAMED */
    struct mailbox *mailbox; /* MESSAGES */
    unsigned messages;       /* MESSAGES: enum messages_change */
    uint32_t first_new;      /* MESSAGES_NEW: UIDs from here on, below mailbox_uid_next */
    const struct metadata_entry *entries; /* METADATA: what changed */
    size_t count;
};

/* fn is called on the loop, in the turn and in the fiber of the change; must not suspend. A zeroed
 * struct with fn and arg. */
struct account_watcher {
    void (*fn)(void *arg, const struct account_event *event);
    void *arg;
    struct account_watcher *previous, *next;
    struct store_account *account; /* NULL: not watching */
};
bool account_watch(struct store *s, const struct account *account, struct account_watcher *w,
                   struct err *e);
void account_unwatch(struct account_watcher *w);
