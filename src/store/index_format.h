#pragma once
/*
 * The file maild-index of a mailbox: what it holds, so that it is loaded without a look at its
 * directories, and what no other file knows (modification sequences, save dates, keywords without
 * letters, the history of expunges). A header, a snapshot, then blocks of changes. Pure.
 *
 * Numbers are in the machine's order: a file from another kind of machine is as good as damaged.
 */
#include "store/dir_listing.h"
#include "store/mailbox_content.h"

#define INDEX_HEADER_SIZE 200
#define INDEX_BLOCK_HEAD  24

struct index_header {
    uint64_t length;   /* of the file: what is behind was not finished */
    uint64_t snapshot; /* position of the first block of changes */
    uint8_t guid[GUID_SIZE];
    uint32_t uid_validity, uid_next;
    uint64_t modseq;
    uint64_t messages, size, size_crlf; /* totals */
    uint32_t unseen, deleted, recent;
    struct index_stamps stamps;
    bool young; /* the stamps could hide a change: see dir_stamp_is_young */
};

/* What it says about the content: from its counts and stamps. */
void index_header_fill(struct index_header *h, const struct mailbox_content *c);
/* Writes exactly INDEX_HEADER_SIZE bytes. */
void index_add_header(struct buf *b, const struct index_header *h);
bool index_read_header(struct str bytes, struct index_header *h);

enum index_block_type { INDEX_SNAPSHOT = 1, INDEX_CHANGES = 2 };

/* What the file has already, for a block of changes. */
struct index_since {
    uint64_t modseq;
    uint32_t keyword_changes;
    size_t sets;
};

/* A block: begin, state, messages, end. Returns the block's position in b. */
size_t index_begin_block(struct buf *b, enum index_block_type type);
/* All but the messages. since: NULL in a snapshot. The UIDs expunged since then must be in the
 * content's history. */
void index_add_state(struct buf *b, const struct mailbox_content *c,
                     const struct index_since *since);
/* Whole messages, ascending; file: a struct message_file. */
void index_add_messages(struct buf *b, const struct message *messages, size_t count);
void index_end_block(struct buf *b, size_t block);

/* Cuts the next block off *bytes. False when it is not whole. */
bool index_next_block(struct str *bytes, enum index_block_type *type, struct str *payload);
/* Applies a block; false when it does not fit (the content is of no use then). Expunged messages
 * stay, with file NULL, until index_finish. */
bool index_apply_block(struct mailbox_content *c, enum index_block_type type, struct str payload);
void index_finish(struct mailbox_content *c);
