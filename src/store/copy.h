#pragma once
/*
 * Messages that come into a mailbox as links to files that are there already: of another mailbox
 * (COPY, MOVE), or of a directory (messages brought back after an expunge).
 */
#include "store/store_internal.h"

struct copy_item {
    const struct message_file *file; /* of the source; or NULL: */
    struct str path;                 /* the file */
    uint32_t uid;                    /* of the source; 0: it has none */
    /* The copy. Without a source mailbox the caller says flags, keywords and sizes. */
    struct message copy; /* keywords: letters, when there is no source mailbox */
    bool sync;           /* the file's bytes may not be durable yet */
    bool made, gone;     /* the link is there; there is no such file */
    bool reserved;       /* it has a UID */
    struct str base;     /* of the copy, in the job's names */
};

struct copy {
    struct mailbox *from; /* NULL: files of no mailbox */
    struct mailbox *to;
    const struct str *keywords; /* without a source mailbox: the letters' names */
    bool move;
    struct copy_without without;
    struct copy_item *items;
    size_t count;
    struct buf names;
    uint64_t modseq_to, modseq_from;
    int64_t now; /* seconds */
    bool ok;
    struct err error;
};

/* On a worker: makes the links in the target's tmp/, durable. Sets ok and error. */
void copy_run_link(void *arg);
/* The record, and when it is durable the messages. */
SUSPENDS bool copy_commit(struct copy *c, struct err *e);
/* Removes the links that did not become messages; frees what belongs to the copy. */
SUSPENDS void copy_end(struct copy *c);
