#pragma once
/*
 * The store's limits, in one place.
 */

/* Letters 'a' to 'z' in a Maildir file name. */
#define KEYWORD_LETTERS 26
/* Keywords of one mailbox, combinations of them that its messages have, and the bytes of all
 * these. */
#define KEYWORDS_MAX           1000
#define KEYWORD_SETS_MAX       100000
#define KEYWORD_SETS_BYTES_MAX (16u * 1024 * 1024)
/* Bytes of a keyword, so that dovecot-keywords stays readable. */
#define KEYWORD_LENGTH_MAX 100
/* A name in a directory (NAME_MAX). */
#define FILE_NAME_MAX 255
/* Bytes of the host name in names of message files, and of such a name without its flags. */
#define HOSTNAME_MAX  100
#define BASE_NAME_MAX 220
/* Levels of mailboxes below each other. */
#define FOLDER_DEPTH_MAX 32
/* A mailbox name in the API, bytes of UTF-8. */
#define FOLDER_NAME_MAX 1000
/* Highest UID that is given out (Dovecot treats 2^32-1 as damage). */
#define UID_MAX 4294967293u

/* Files of ours that are read whole. */
#define INDEX_SIZE_MAX         (2048u * 1024 * 1024)
#define UIDLIST_SIZE_MAX       (512u * 1024 * 1024)
#define KEYWORDS_SIZE_MAX      (64u * 1024)
#define SUBSCRIPTIONS_SIZE_MAX (1024u * 1024)

/* Annotations of one mailbox, or of an account: how many, bytes of a value, and of all names and
 * values (RFC 5464 4.1 asks for 10 of 1024 bytes). */
#define METADATA_ENTRIES_MAX 200
#define METADATA_VALUE_MAX   (64u * 1024)
#define METADATA_SIZE_MAX    (512u * 1024)
#define METADATA_FILE_MAX    (1024u * 1024)

/* Access control lists: entries of one, bytes of a name in it, of the file, and lists remembered.
 * Another program's change is noticed after this time at the latest. */
#define ACL_ENTRIES_MAX 500
#define ACL_NAME_MAX    256
#define ACL_FILE_MAX    (192u * 1024)
#define ACL_MEMORY_MAX  5000
#define ACL_RECHECK     USEC_SEC

/* The index is written anew when its changes are more than half of it, but not for less than this,
 * or when there are this many of them. A message takes about so many bytes in it. */
#define INDEX_CHANGES_MIN   (64u * 1024)
#define INDEX_BLOCKS_MAX    2000
#define INDEX_MESSAGE_BYTES 130
/* A mailbox with so many messages that was loaded without it gets its index soon. */
#define INDEX_SOON 1000
/* How long after a change of a directory its time tells that there was no other. */
#define INDEX_SETTLE (25 * USEC_MSEC)

/* Delivered messages whose file is not written yet; beyond that deliveries wait. */
#define PENDING_FILES_MAX 500
#define PENDING_BYTES_MAX (64u * 1024 * 1024)
/* Files written by one hand-off to a worker, and hand-offs at a time. */
#define PENDING_BATCH   128
#define PENDING_WRITERS 2
/* A hand-off waits for so many, or so many bytes, or for so long: each wakes a thread and then the
 * loop. */
#define PENDING_GATHER       32
#define PENDING_GATHER_BYTES (256u * 1024)
#define PENDING_DELAY        (5 * USEC_MSEC)
/* After a failed write. */
#define PENDING_RETRY USEC_SEC
/* How long a delivery waits for the journal or for pending files before it is refused. */
#define READY_TIMEOUT (60 * USEC_SEC)

/* Messages of one COPY or MOVE, which happens as a whole; and of one of its records. */
#define COPY_MAX        100000
#define COPY_RECORD_MAX 2000
/* Records that are one change: an APPEND, and what it replaces. */
#define GROUP_RECORDS_MAX (MAILBOX_APPEND_MAX + 1)
/* UIDs of one record of flags or expunges: at most 10 bytes each. */
#define UIDS_RECORD_MAX 80000
/* Bytes of mailbox names in the record of one delivery, and mailboxes, which are all dealt with in
 * one turn of the loop; a delivery with more becomes several. */
#define DELIVERY_NAMES_MAX   (512u * 1024)
#define DELIVERY_TARGETS_MAX 500
/* Mailboxes that one hand-off to a worker opens for deliveries, and how many such at a time. */
#define OPENING_BATCH   50
#define OPENING_WORKERS 2

/* maildirsize (Dovecot starts it anew at 5,120 bytes) and the like. */
#define QUOTA_FILE_MAX (64u * 1024)
/* Accounts whose quota files are written by one hand-off; and that a checkpoint counts because they
 * have a maildirsize that nobody asked for yet. */
#define QUOTA_FLUSH_BATCH 256
#define QUOTA_LEARN_MAX   200

/* Files in tmp/ older than this belong to nobody (maildir(5): 36 hours). */
#define TMP_LIFETIME (36 * 3600 * USEC_SEC)

/* Directories below each other on the way from the store's path to a home. */
#define HOME_DEPTH_MAX 8
/* Expunged messages are removed so many at a time, homes are looked for in so many directories, and
 * between two such slices is a pause so many times as long. */
#define PURGE_SLICE 1000
#define HOMES_SLICE 200
#define PURGE_PAUSE 4
/* Messages that are brought back by one record. */
#define UNDELETE_SLICE 500
/* How often what was kept long enough is removed, all homes are looked through, the free space is
 * looked at. */
#define PURGE_INTERVAL      (3600 * USEC_SEC)
#define PURGE_WALK_INTERVAL (24 * 3600 * USEC_SEC)
#define HOUSE_INTERVAL      (20 * USEC_SEC)

/* A checkpoint passes over a mailbox whose names and lists could not be written this often, for
 * another reason than a full disk. Message bodies are never passed over. */
#define FLUSH_FAILURES_MAX 3
/* The same while another program holds its lock: longer than a lock that was left is respected. */
#define FLUSH_LOCKED_MAX 30

/* Scans: what one hand-off to a worker has of messages and of bytes, a few milliseconds of work. A
 * message with more bytes goes alone, and of these only so many are in memory at a time, and only
 * so much of each. */
#define SCAN_SLICE_MESSAGES 64
#define SCAN_SLICE_BYTES    ((size_t)1024 * 1024)
#define SCAN_LARGE_AT_ONCE  2
#define SCAN_LARGE_MAX      ((size_t)256 * 1024 * 1024)
/* Memory for looking into a message that is not given back after each. */
#define SCAN_ARENA ((size_t)32 * 1024)
/* Of a header: the first read, and what is looked at. */
#define SCAN_HEADER_FIRST ((size_t)8 * 1024)
#define SCAN_HEADER_MAX   ((size_t)256 * 1024)
/* A file takes longer than this to open and read: it was not in memory. And asking for it to be
 * read ahead takes less than that: it was. */
#define SCAN_COLD ((usec)60)
#define SCAN_WARM ((usec)8)

/* Summaries: the largest that is kept, bytes of a block when it is written though not full, and of
 * all that wait to be written. Some may wait for their blocks to become full: so many bytes, or so
 * many for each mailbox that has any. */
#define SUMMARY_RECORD_MAX     ((size_t)256 * 1024)
#define SUMMARY_BLOCK_BYTES    ((size_t)1024 * 1024)
#define SUMMARY_DRAFTS_MAX     ((size_t)32 * 1024 * 1024)
#define SUMMARY_WAITING        ((size_t)512 * 1024)
#define SUMMARY_WAITING_OF_ONE ((size_t)16 * 1024)

/* The file of what was set aside (set_aside.c): less than a journal of its greatest size holds. */
#define SET_ASIDE_FILE_MAX ((size_t)16 * 1024 * 1024 * 1024)

/* Mailboxes whose directories the kernel watches at a time, two watches each. */
#define FOREIGN_WATCHED_MAX 20000
/* From another program's change to its merge: renames come in numbers. */
#define FOREIGN_DELAY (50 * USEC_MSEC)
/* The same for a file that was made in place and is not whole yet, maybe. */
#define FOREIGN_CREATED_DELAY (500 * USEC_MSEC)
/* Between two merges of a mailbox: this, and this many times as long as the last one took. */
#define FOREIGN_INTERVAL (100 * USEC_MSEC)
#define FOREIGN_REST     20
/* After a merge that failed. */
#define FOREIGN_RETRY (5 * USEC_SEC)
/* How often selected mailboxes that are not watched are looked at. */
#define FOREIGN_POLL (10 * USEC_SEC)
/* Messages of one record of a merge. */
#define FOREIGN_RECORD_MAX 2000
