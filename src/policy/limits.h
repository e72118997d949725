#pragma once
/*
 * Limits of the access policy that are not settings.
 */
#include "core/clock.h"

/* A table's file, its entries, one of its lines; patterns are tried one after the other. */
#define TABLE_FILE_MAX     ((size_t)512 * 1024 * 1024)
#define TABLE_ENTRIES_MAX  ((size_t)8 * 1000 * 1000)
#define TABLE_LINE_MAX     ((size_t)4096)
#define TABLE_PATTERNS_MAX ((size_t)10000)

/* What one pattern may do with one subject, and all of a table together. PCRE2's own limits are
 * 10,000,000 steps and 20 MB, which would be seconds. */
#define PATTERN_STEPS_MAX   50000
#define PATTERN_HEAP_MAX    1024 /* KiB */
#define PATTERN_TIME_MAX    (100 * USEC_MSEC)
#define PATTERN_SUBJECT_MAX ((size_t)1024)

/* The text of a reply, so that it fits into its line (RFC 5321 4.5.3.1.5: 512 with everything). */
#define POLICY_TEXT_MAX ((size_t)400)
/* Why a rule matched, as it stands in the log. */
#define POLICY_WHY_MAX ((size_t)300)
/* Rules with a header line, each of which a message can get once, and the value of one (RFC 5322
 * 2.1.1: 998 bytes a line). All of them fit before a message (QUEUE_HEADER_MAX: 64 KB). */
#define POLICY_TAGS_MAX   50
#define POLICY_HEADER_MAX ((size_t)900)
/* Addresses of a From field that are looked up, each of which can cost many questions. */
#define POLICY_AUTHORS_MAX 100
/* The longest delay of a rule, and clients that are delayed at a time: each holds a fiber. More
 * are answered at once. */
#define POLICY_DELAY_MAX   (300 * USEC_SEC)
#define POLICY_DELAYED_MAX 1000
