#pragma once
/*
 * The mailboxes of an account as they are at one moment, for a backup: what is expunged, moved,
 * renamed or deleted while they are read does not matter.
 */
#include "store/mailbox.h"

struct snapshot;

struct snapshot_mailbox {
    struct mailbox *mailbox; /* may have been renamed or deleted meanwhile */
    struct str name, id;     /* id: as mailbox_id */
    uint32_t uid_validity, uid_next;
    uint64_t modseq;
    const struct message *messages;
    size_t count;
};

/* names: canonical; what does not exist (any more) is left out. Dates of the messages are known.
 * One that cannot be read is left out as well, and among the failures. */
SUSPENDS struct snapshot *snapshot_take(struct store *s, const struct account *account,
                                        const struct str *names, size_t count, struct err *e);
struct snapshot_failure {
    struct str name;
    struct err error;
};
const struct snapshot_failure *snapshot_failures(const struct snapshot *s, size_t *count);
const struct snapshot_mailbox *snapshot_mailboxes(const struct snapshot *s, size_t *count);
/* The keywords that a message had, with spaces between them. */
struct str snapshot_keywords(const struct snapshot *s, size_t mailbox, const struct message *m);
/* As message_open. ERR_NOT_FOUND: its file is gone without an expunge. Each message once. */
SUSPENDS bool snapshot_open(struct snapshot *s, size_t mailbox, size_t message,
                            struct message_reader **r, struct err *e);
/* NULL is allowed. */
SUSPENDS void snapshot_free(struct snapshot *s);
