#pragma once
/*
 * The store's records in the journal: type, and form of the payload (little-endian, buf.h).
 */
#include "core/arena.h"
#include "core/journal.h"
#include "store/keywords.h"
#include "store/uidlist.h"

#define RECORD_VERSION 2 /* 1 is read as well: what [brackets] hold is not in it */

enum record_type {
    /* u32 n, n times (mailbox, u32 uid [, u64 modseq]); str base name; u8 flags; u32 n, n keyword
     * names; u64 date [, u64 save date]; u64 size, u64 size with CRLF; str file in the spool
     * directory, or "" and the message's bytes to the end */
    RECORD_DELIVER = 1,
    /* mailbox; u8 enum flags_change; u8 flags; u32 n, n keyword names [, u64 modseq]; UIDs */
    RECORD_FLAGS = 2,
    /* mailbox; [u64 modseq; u64 time, seconds;] UIDs; u64 time again, or 0: nothing is kept
     * (version 1: maybe missing) */
    RECORD_EXPUNGE = 3,
    /* mailbox from, mailbox to; u8 move; u8 last; [u64 modseq to, u64 modseq from, u64 time;] u32
     * n, n keyword names; [u32 n, n sets of keywords: u32 n, n times u16 position among the names;]
     * u32 n, n times (u32 uid from, u32 uid to, u8 flags, u32 position + 1 among the sets (version
     * 1: bits of the names), u64 size, u64 size with CRLF [, u64 date], str base name). A COPY of
     * many messages is several records in a row; it happened when the last one is there. */
    RECORD_COPY = 4,
    /* mailbox */
    RECORD_DELETE = 5,
    /* u32 n, n times (mailbox under its old name, str new name) */
    RECORD_RENAME = 6,
    /* What another program did to files (since version 2): mailbox; u64 modseq; u64 time, seconds;
     * u32 n, n names of the keyword letters below; u32 n, n times (u32 uid, u8 flags and u32
     * letters that came, u8 flags and u32 letters that went); u32 n, n times (u32 uid, u8 flags,
     * u32 letters, u64 size, u64 size with CRLF, str base name) of new messages; UIDs of messages
     * whose files are gone */
    RECORD_FOREIGN = 7,
    /* u32 n: the n records that follow without a gap are one. They happened when the last of them
     * is there. */
    RECORD_GROUP = 8,
    /* INBOX of accounts that had no Maildir: u32 n, n times (str home, 16 bytes GUID, u32
     * UIDVALIDITY) */
    RECORD_INBOXES = 9,
};

/* str home, str name, 16 bytes GUID. */
struct record_mailbox {
    struct str home, name;
    uint8_t guid[GUID_SIZE];
};

void record_add_mailbox(struct buf *b, struct str home, struct str name,
                        const uint8_t guid[GUID_SIZE]);
void record_read_guid(struct reader *r, uint8_t guid[GUID_SIZE]);
void record_read_mailbox(struct reader *r, struct record_mailbox *m);

/* A sorted list of UIDs as u32 number of ranges, then per range the gap to the one before and its
 * length, in base 128. */
void record_add_uids(struct buf *b, const uint32_t *uids, size_t count);
/* In `a`; r->bad when it is not well-formed. */
uint32_t *record_read_uids(struct reader *r, struct arena *a, size_t *count);

/* Names of a set. */
void record_add_keywords(struct buf *b, const struct keyword_table *k, uint32_t set);
struct str *record_read_names(struct reader *r, struct arena *a, size_t *count);
