#pragma once
/*
 * The summaries of one mailbox: which message has one, and where: in the file, or in a draft, a
 * block of the file that is not written yet. The loop's.
 *
 * struct message has the place: as in summary_file.h, or with SUMMARY_IN_DRAFT the draft's number
 * times 256 and the position in it.
 */
#include "store/store_internal.h"
#include "store/summary_file.h"

#define SUMMARY_IN_DRAFT ((uint64_t)1 << 63)

struct summary_draft {
    struct summary_draft *next;
    uint64_t number;
    struct summary_entry entries[SUMMARY_BLOCK]; /* each record is a reference */
    size_t count, bytes;
};

struct summary_cache {
    bool loaded;  /* the file's blocks are known */
    bool busy;    /* a worker loads, writes or compacts */
    bool started; /* a fiber writes the drafts */
    bool flush;   /* the last draft as well, though it is not full */
    bool keep;    /* writing the file anew failed: not again */
    struct cond changed;
    uint64_t end;             /* of the file; 0: there is none */
    size_t blocks, summaries; /* in it, of expunged messages as well */
    uint64_t generation;      /* grows when places change their meaning */
    struct summary_draft *first, *last, *writing;
    bool waiting; /* in the store's list of mailboxes with drafts: between these */
    struct mailbox *older, *newer;
    struct summary_builder *builder; /* NULL: none is at work */
    uint64_t builders;               /* that there have been */
    uint64_t next_number;
};

/* Keeps the summary (takes a reference of its own). It may be dropped: when there are too many, or
 * when the file cannot be written. */
void summary_put(struct mailbox *m, uint32_t uid, struct summary_record *record);
/* When there are too many: waits for those of this mailbox that are being written. False:
 * cancelled. */
SUSPENDS bool summary_wait_for_room(struct mailbox *m, struct err *e);
/* The record of a place in a draft; NULL: not there (any more). */
struct summary_record *summary_find_draft(const struct mailbox *m, uint64_t place);
/* Finds out what the file has. */
SUSPENDS void summary_load(struct mailbox *m);
/* The block cannot be read: its messages have no summary. */
void summary_drop_block(struct mailbox *m, uint64_t at);
/* The file is gone, or not ours: nothing is in it. */
void summary_drop_file(struct mailbox *m);
/* Begins to write drafts, all or full ones. A failure is none: they are built again. */
void summary_write(struct mailbox *m, bool all);
/* The mailbox leaves memory. */
void summary_free(struct mailbox *m);

struct summary_identity summary_identity_of(const struct mailbox *m);
/* The message of that UID; *hint: where it is probably, and is then behind it. */
struct message *summary_find_message(struct mailbox *m, uint32_t uid, size_t *hint);

/* The summary at a place of the file, with the reader's fields, if it is that of the message: good
 * until the next call. */
SUSPENDS bool summary_read_place(struct summary_reader *r, uint64_t place, uint32_t uid,
                                 uint64_t size, struct summary_record *record);

/* --- what is missing (summary_build.c) --- */

/* Reads the message; a reference, or NULL with ERR_NOT_FOUND, ERR_IO. What it builds is kept. */
SUSPENDS struct summary_record *summary_build_one(struct mailbox *m, uint32_t uid, struct err *e);
/* Begins to build those of the list that are missing; none may be at work. Returns its number; 0:
 * it was not begun. */
uint64_t summary_build_many(struct mailbox *m, const uint32_t *uids, size_t count);
/* If that one is still at work, it shall end. */
void summary_build_stop(struct mailbox *m, uint64_t number);
/* Will one at work build it? Then summaries->changed tells when. */
bool summary_is_coming(const struct mailbox *m, uint32_t uid);

/* --- copies (summary_copy.c) --- */

struct summary_copy {
    uint64_t place, size; /* of the original */
    uint32_t uid, copy;
};
/* Takes summaries along. Does not suspend: what is in the file is copied behind. Zero places are
 * passed over. */
void summary_copy(struct mailbox *from, struct mailbox *to, const struct summary_copy *list,
                  size_t count);
