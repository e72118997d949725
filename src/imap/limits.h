#pragma once
/*
 * What a client can make the server hold or do, in one place. Sizes that an administrator may want
 * to change are settings (imap.h): line_max, command_max, append_size_max.
 */

/* Before login. RFC 3501 sets no minimum; RFC 2683 3.2.1.5 asks for lines of 8000 bytes. */
#define IMAP_ANONYMOUS_LINE_MAX      8192
#define IMAP_ANONYMOUS_COMMAND_MAX   16384
#define IMAP_ANONYMOUS_ARGUMENTS_MAX 100
#define IMAP_ANONYMOUS_BAD_MAX       5

/* After login. */
#define IMAP_ARGUMENTS_MAX 16384 /* in one command, lists and their elements counted */
#define IMAP_DEPTH_MAX     32    /* nested lists, and nested search keys */
#define IMAP_BAD_MAX       20    /* malformed commands one after the other */

#define IMAP_KEYWORD_MAX 100  /* bytes of a keyword's name */
#define IMAP_PATTERN_MAX 1024 /* bytes of a LIST pattern with its reference */
#define IMAP_ID_PAIRS    30   /* RFC 2971 3.3 */
#define IMAP_ID_VALUE    1024

/* Messages up to this size are read whole when a section or the structure is asked for; what is
 * larger is parsed on a worker and streamed in chunks. */
#define IMAP_MESSAGE_WHOLE (256 * 1024)
#define IMAP_CHUNK         (64 * 1024)
/* Large messages in memory at a time, over all sessions. */
#define IMAP_LARGE_AT_ONCE 2
/* A header that does not end within this is looked for by the message parser instead. */
#define IMAP_HEADER_READ_MAX (256 * 1024)
/* A command that computes lets the others run after this. */
#define IMAP_SLICE (2 * USEC_MSEC)
