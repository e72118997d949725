#pragma once
/*
 * Delivered messages whose files are not written yet. The journal holds them; a writer makes the
 * files, many per hand-off to a worker. Until then they are read from memory.
 */
#include "store/message_file.h"
#include "store/quota.h"

struct pending;

struct pending_target {
    struct pending *pending;
    struct mailbox *mailbox;   /* a reference */
    struct message_file *file; /* the name it will have; set when published */
    uint32_t uid, keywords;
    uint64_t modseq;
    struct quota_count reserved; /* until it counts */
    bool expunged;
    struct leaving_file leaving; /* of an expunged one */
};

struct pending {
    struct pending *previous, *next;
    size_t refs; /* the list, readers */
    lsn lsn;
    struct spool *message; /* a reference */
    struct str prefix;     /* in front of it */
    struct str base;       /* base name of the file, the same in all mailboxes */
    char *path; /* large messages: the file with prefix and message in the spool directory */
    uint64_t size, size_crlf;
    int64_t date;
    uint8_t flags;
    usec retry_at; /* after a failure: not before */
    bool writing, listed;
    size_t count;
    struct pending_target targets[]; /* then the bytes of prefix and base */
};

/* One reference. Targets are the caller's to fill. */
struct pending *pending_new(struct spool *message, struct str prefix, struct str base,
                            size_t count);
struct pending *pending_ref(struct pending *p);
void pending_unref(struct pending *p);
/* Takes over the caller's reference: the file is written soon. In the journal's order. */
void pending_add(struct store *s, struct pending *p);
/* The message is expunged before its file is there. */
void pending_expunge(struct pending_target *t, const struct leaving_file *leaving);
/* Position of the oldest that is not written; UINT64_MAX when there is none. */
lsn pending_oldest(const struct store *s);
/* Writes what failed again at once. */
void pending_try_again(struct store *s);
/* Somebody waits for files: they are not gathered any longer. */
void pending_hurry(struct store *s);
/* Until all files of the mailbox are written. ERR_TIMEOUT, ERR_CANCELLED. */
SUSPENDS bool pending_wait(struct mailbox *m, usec deadline, struct err *e);
/* At the store's end: forgets what could not be written (the journal has it). */
void pending_drop_all(struct store *s);
