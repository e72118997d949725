#pragma once
/*
 * What a client can make the server hold or do, in one place. Sizes that an administrator may want
 * to change are settings (imap.h): line_max, command_max, append_size_max.
 */

/* Before login. RFC 3501 sets no minimum; RFC 2683 3.2.1.5 asks for lines of 8000 bytes, and the
 * 30 pairs of ID (RFC 2971 3.3) may take 32 KB. */
#define IMAP_ANONYMOUS_LINE_MAX      (36 * 1024)
#define IMAP_ANONYMOUS_COMMAND_MAX   (36 * 1024)
#define IMAP_ANONYMOUS_ARGUMENTS_MAX 100
#define IMAP_ANONYMOUS_BAD_MAX       5

/* After login. */
#define IMAP_ARGUMENTS_MAX 16384 /* in one command, lists and their elements counted */
#define IMAP_DEPTH_MAX     32    /* nested lists */
#define IMAP_SEARCH_DEPTH  200   /* nested search keys: clients chain OR by the dozen */
#define IMAP_BAD_MAX       20    /* malformed commands one after the other */

/* NOTIFY: groups, mailboxes named in them, and mailboxes with news that the client has not taken
 * yet. */
#define IMAP_NOTIFY_GROUPS_MAX 100
#define IMAP_NOTIFY_NAMES_MAX  1000
#define IMAP_NOTIFY_NEWS_MAX   1000

/* Of a literal that comes unasked, where LITERAL- is announced (RFC 7888 section 5). */
#define IMAP_LITERAL_MINUS_MAX 4096

#define IMAP_KEYWORD_MAX 100  /* bytes of a keyword's name */
#define IMAP_PATTERN_MAX 1024 /* bytes of a LIST pattern with its reference */
#define IMAP_ID_PAIRS    30   /* RFC 2971 3.3 */
#define IMAP_ID_VALUE    1024

/* Bytes of the messages of one APPEND (or of one message, if it may be larger), and what of them is
 * kept in memory while they arrive. */
#define IMAP_APPEND_TOTAL_MAX  (UINT64_C(1) * 1024 * 1024 * 1024)
#define IMAP_APPEND_MEMORY_MAX (512 * 1024)
/* Pieces of one message (CATENATE). */
#define IMAP_CATENATE_PARTS_MAX 1000

/* Messages up to this size are read whole when a section or the structure is asked for; what is
 * larger is parsed on a worker and streamed in chunks. */
#define IMAP_MESSAGE_WHOLE (256 * 1024)
#define IMAP_CHUNK         (64 * 1024)
/* A large section goes out in pieces that, with CRLF, fill full TLS records (of 16 KB) or nearly.
 * They are small until a client has taken so many of them without being waited for so long. */
#define IMAP_CHUNK_FAST  (126 * 1024)
#define IMAP_CHUNK_SLOW  (4 * 1024 - 256)
#define IMAP_SLOW_CLIENT (20 * USEC_MSEC)
#define IMAP_FAST_PIECES 64
/* Search keys of one command that look into messages. */
#define IMAP_SEARCH_KEYS_MAX 500
/* Messages of a search that are held at a time. */
#define IMAP_SEARCH_PORTION 4096
/* With more keys that look into messages, headers are searched on workers only. */
#define IMAP_SEARCH_KEYS_HERE 8
/* Bytes of a message times keys that look into it: more is refused. */
#define IMAP_SEARCH_WORK_MAX (UINT64_C(4) * 1024 * 1024 * 1024)
/* Bytes of a text by which messages are sorted; below 65536. */
#define IMAP_SORT_KEY_MAX 512
/* THREAD: references of one message that count, the last ones; identifiers in all; and steps of the
 * search for loops. */
#define IMAP_THREAD_REFERENCES_MAX  128
#define IMAP_THREAD_IDENTIFIERS_MAX 2000000
#define IMAP_THREAD_STEPS_MAX       50000000
/* Results that are kept up to date (RFC 5267) in a session; with more messages in those there are,
 * or in a sorted one, there will be no other; and bytes of a search program. */
#define IMAP_UPDATES_MAX        16
#define IMAP_UPDATE_RESULTS_MAX 200000
#define IMAP_UPDATE_SORTED_MAX  50000
#define IMAP_UPDATE_MEMORY_MAX  ((size_t)4 * 1024 * 1024)
/* Seconds after which OLDER and YOUNGER are looked at again in them. */
#define IMAP_UPDATE_AGES 60
/* Ranges of UIDs that a saved result (RFC 5182) may have. */
#define IMAP_SAVED_MAX 250000
/* Large messages in memory at a time, over all sessions. */
#define IMAP_LARGE_AT_ONCE 2
/* Of a message larger than this the structure is that of its first part. */
#define IMAP_PARSE_MAX ((uint64_t)256 * 1024 * 1024)
/* Header fields are looked for in this much of a header. */
#define IMAP_HEADER_MAX (256 * 1024)
/* A command that computes lets the others run after this. */
#define IMAP_SLICE (USEC_MSEC / 2)
