#pragma once
/*
 * Inside of the store: the way of messages into mailboxes, for deliver.c and append.c.
 *
 *   delivery_begin, targets' mailboxes and rooms, delivery_prepare, delivery_wait_for_accounts,
 *   delivery_commit (one or several deliveries as one), delivery_end
 */
#include "store/expunge.h"
#include "store/pending.h"
#include "store/store_internal.h"
#include "store/transfer.h"

struct delivery {
    struct store *store;
    struct spool *message;
    struct str prefix;
    uint8_t flags;
    const struct str *keywords;
    size_t keyword_count;
    int64_t date, save_date; /* INT64_MIN: now */
    struct pending *pending; /* targets with their mailboxes, referenced */
    char *path;              /* large: the file with all bytes */
    uint64_t size, size_crlf;
    bool again;        /* the message is delivered more than once: its file cannot be taken */
    const char *large; /* a file with all bytes that may be there, or NULL */
    struct restore_request *restore;         /* NULL: an ordinary one */
    const struct store_companion *companion; /* of an only delivery, which has records; or NULL */
};

/* Measures the message, names its file, and makes room for `count` targets, which the caller
 * fills. */
void delivery_begin(struct delivery *d, size_t count);
/* Drops the references; published messages hold their own. */
void delivery_end(struct delivery *d, bool published);

/* Earlier messages of a mailbox still wait for their files: no more promises. ERR_IO. */
bool delivery_is_writable(const struct mailbox *m, struct err *e);
/* ERR_QUOTA. `delivery`: with grace, and what the settings say for it. */
SUSPENDS bool delivery_reserve_room(const struct delivery *d, struct pending_target *t,
                                    bool delivery, struct err *e);
/* A large message is on disk afterwards, synced. */
SUSPENDS bool delivery_prepare(struct delivery *d, struct err *e);
/* Nothing else may be under way in the accounts when the record is written. *waited: something
 * was waited for, so look again. */
SUSPENDS bool delivery_wait_for_accounts(struct delivery *d, bool *waited, struct err *e);

/* All of them, and the expunge (NULL: none), or nothing. After true the messages are durable, in
 * their mailboxes, and told to watchers. */
SUSPENDS bool delivery_commit(struct delivery *list, size_t count, struct expunge *replaced,
                              struct err *e);
