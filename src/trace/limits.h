#pragma once
/*
 * The limits of the event store, all in one place.
 */
#include <stddef.h>

/* Lines on their way to the writer; what does not fit is dropped and counted. Twice: one is being
 * filled while the other is written. */
#define TRACE_BUFFER_MAX ((size_t)2 * 1024 * 1024)
/* The writer gathers lines for so long (microseconds). */
#define TRACE_GATHER 50000
/* Files are compressed while there are no more lines than these (bytes) at a time: mail comes
 * first. */
#define TRACE_CALM_BYTES ((size_t)32 * 1024)

/* Text of a file; then the next one is begun, as it is for each hour. */
#define TRACE_VOLUME_MAX ((size_t)16 * 1024 * 1024)
/* Text of a block: what is read at least. */
#define TRACE_BLOCK_SIZE ((size_t)64 * 1024)
/* A block that claims more is damaged. */
#define TRACE_BLOCK_MAX (2 * TRACE_BLOCK_SIZE)
/* Different terms of a block; with more it ends sooner. */
#define TRACE_BLOCK_TERMS 3072
/* The index of a file. */
#define TRACE_INDEX_MAX ((size_t)16 * 1024 * 1024)
/* A file of lines that is larger is none of ours. */
#define TRACE_FILE_MAX  ((size_t)128 * 1024 * 1024)
#define TRACE_FILES_MAX 100000

/* Left to the mail when the disk gets full. */
#define TRACE_SPACE_RESERVED ((unsigned long long)32 * 1024 * 1024)

/* --- of one question --- */

/* Stories that are told, and rows of a list. */
#define STORY_MESSAGES_MAX 1000
/* Ids and places that are followed, and events, of one story. */
#define STORY_IDS_MAX    2000
#define STORY_PLACES_MAX 2000
#define STORY_EVENTS_MAX 20000
/* Bytes of all that is told. */
#define STORY_BYTES_MAX ((size_t)64 * 1024 * 1024)
/* How often what was found leads to something else. */
#define STORY_ROUNDS_MAX 20
