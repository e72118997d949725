#pragma once
/*
 * Summaries on disk: the file `maild-cache` in a mailbox's directory. See docs/formats.md.
 *
 * A header says whose it is; blocks follow, each with up to SUMMARY_BLOCK messages, column by
 * column, so that one kind of field of many messages is read with few large reads. Blocks are only
 * appended. Every header and column has a checksum, every message its UID and size: whatever a
 * crash leaves behind, what is read is right or is not used. Nothing is synced.
 *
 * Place of a summary: offset of its block times 256 and its position in it; 0: none.
 */
#include "store/summary_record.h"
#include "store/uidlist.h"

#define SUMMARY_FILE_NAME    "maild-cache"
#define SUMMARY_FILE_VERSION 1
#define SUMMARY_BLOCK        256
#define SUMMARY_HEAD_MAX     4096 /* a block's header is not larger */

struct summary_identity {
    uint8_t guid[GUID_SIZE];
    uint32_t uid_validity;
};

struct summary_entry {
    uint64_t size; /* stored bytes of the message */
    uint32_t uid;
    struct summary_record *record;
};

/* A block's header, decoded. */
struct summary_block {
    uint64_t at, length; /* in the file */
    uint32_t count;
    struct {
        uint32_t offset, length, checksum; /* from the block's start */
    } columns[SUMMARY_FIELDS];
    uint32_t uids[SUMMARY_BLOCK];
    uint64_t sizes[SUMMARY_BLOCK];
};

/* --- pure --- */

void summary_file_header(struct buf *b, const struct summary_identity *id);
bool summary_file_is(struct str header, const struct summary_identity *id);
#define SUMMARY_FILE_HEADER 64

/* Appends the block of at most SUMMARY_BLOCK messages. */
void summary_block_format(struct buf *b, const struct summary_entry *entries, size_t count);
/* head: SUMMARY_HEAD_MAX bytes from the block's start, or up to the file's end. False: no block. */
bool summary_block_parse(struct str head, uint64_t at, struct summary_block *block);
/* bytes: the column as the header places it. Is it what was written? */
bool summary_column_check(const struct summary_block *block, unsigned field, struct str bytes);
/* Of a checked column. */
struct str summary_column_get(const struct summary_block *block, struct str bytes, uint32_t at);

/* --- blocking --- */

struct summary_blocks {
    struct summary_block *list; /* without what is no use to a scan of places */
    size_t count, capacity;
    uint64_t end; /* where the next one goes; 0: there is no file, or not one of this mailbox */
};
/* Reads the headers of all blocks. Behind a damaged one the file is cut. A file that is not there
 * or not the mailbox's has none. */
void summary_file_load(const char *path, const struct summary_identity *id,
                       struct summary_blocks *blocks);
void summary_blocks_free(struct summary_blocks *b);

/* Writes a block at *end, which moves; makes the file if *end is 0. *at: where the block is. */
bool summary_file_append(const char *path, const struct summary_identity *id,
                         const struct summary_entry *entries, size_t count, uint64_t *end,
                         uint64_t *at, struct err *e);

/* Writes the file anew with the summaries at these places, in their order. */
struct summary_move {
    uint64_t size, from, to; /* places; to is 0 when it could not be read */
    uint32_t uid;
};
bool summary_file_compact(const char *path, const struct summary_identity *id,
                          struct summary_move *moves, size_t count, uint64_t *end, size_t *blocks,
                          struct err *e);
