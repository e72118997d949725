#pragma once
/*
 * The queue's limits that are no settings, in one place. RFC 5321 4.5.3.1 minima beside them.
 */
#include <stddef.h>

/* Recipients of one transaction with another server; RFC 5321 4.5.3.1.8: servers take 100. */
#define QUEUE_TRANSACTION_RECIPIENTS 100
/* Messages over one connection before it is given back. */
#define QUEUE_CONNECTION_MESSAGES 100
/* Header block of the original that goes into a report or to an operator. */
#define QUEUE_HEADER_MAX (64 * 1024)
/* Text kept of what went wrong with a recipient. */
#define QUEUE_ERROR_TEXT_MAX 1000
/* Encoded envelope of one message in the queue; a longer list of recipients is divided among
 * several messages. With a body of SPOOL_MEMORY_MAX it fits into a record of the journal. */
#define QUEUE_ENVELOPE_RECORD_MAX ((size_t)640 * 1024)
/* An envelope file larger than this is not one of ours. */
#define QUEUE_ENVELOPE_MAX ((size_t)256 * 1024 * 1024)
/* Envelope files (of older versions) that one worker call reads. */
#define QUEUE_FILES_BATCH 256
/* Recipients that one report tells about; of more there are several reports. */
#define QUEUE_REPORT_RECIPIENTS 5000
/* From so many on a report is made by a worker: it takes longer than a turn of the loop may. */
#define QUEUE_REPORT_QUICK 20
/* Double bounces that the postmaster gets in an hour; the others stand in the log. */
#define QUEUE_DOUBLE_BOUNCES_PER_HOUR 50
/* Text files: about so many, from so large on; a place in one is a number of 32 bits. */
#define QUEUE_TEXT_FILES    128
#define QUEUE_TEXT_FILE_MIN ((uint64_t)64 * 1024 * 1024)
#define QUEUE_TEXT_FILE_MAX ((uint64_t)2 * 1024 * 1024 * 1024)
/* Texts that are written with one call. */
#define QUEUE_TEXT_BATCH ((size_t)1024 * 1024)
/* Texts of waiting messages in memory before they are written into files; beyond the second,
 * accepting waits. */
#define QUEUE_TEXTS_IN_MEMORY     ((size_t)16 * 1024 * 1024)
#define QUEUE_TEXTS_IN_MEMORY_MAX ((size_t)64 * 1024 * 1024)
/* After a failure to write them. */
#define QUEUE_TEXTS_RETRY (10 * USEC_SEC)
/* Bytes of the state log that one call reads or writes. */
#define QUEUE_STATE_BLOCK ((size_t)1024 * 1024)
/* The state log is written anew when more than it held at first was added, and more than this. */
#define QUEUE_STATE_GROWTH_MIN ((uint64_t)4 * 1024 * 1024)
/* Destinations and routes that operators have paused. */
#define QUEUE_PAUSED_MAX 1000
/* Deferrals in a row before a fiber lets others run. */
#define QUEUE_STEPS_PER_TURN 50
/* Recipients deferred in a row, without an attempt, before others run. */
#define QUEUE_DEFERRALS_PER_TURN 100
/* Recipients of a message that count as one more message in a walk. */
#define QUEUE_RECIPIENTS_PER_STEP 50
/* Messages that a walk over all of them visits before others run. */
#define QUEUE_MESSAGES_PER_TURN 200
/* Of the route table. */
#define QUEUE_ROUTES_MAX 1000
/* Blocks "copy", and addresses in one. */
#define QUEUE_COPIES_MAX 100
/* Blocks "rewrite", and a table of one. */
#define QUEUE_REWRITES_MAX      100
#define QUEUE_REWRITE_TABLE_MAX ((size_t)64 * 1024 * 1024)
/* A file of credentials: some hundred thousand lines. */
#define QUEUE_CREDENTIALS_MAX ((size_t)32 * 1024 * 1024)
