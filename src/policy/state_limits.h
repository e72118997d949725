#pragma once
/*
 * The limits of what the checks remember. All of it is filled by strangers: when a table is full
 * its oldest entries go.
 */
#include "core/clock.h"

/* Keys of one rule that counts, about 150 bytes each. */
#define RATE_KEYS_MAX 50000

/* Answers of lists in DNS that are kept, about 150 bytes each, and for how long. */
#define DNS_LIST_ANSWERS_MAX 20000
#define DNS_LIST_KEEP        (60 * USEC_SEC)
#define DNS_LIST_KEEP_MIN    (5 * USEC_SEC)
/* Addresses of one answer that are looked at. */
#define DNS_LIST_ADDRESSES_MAX 8
/* So many questions in a row without an answer, and the list is left alone for a while. */
#define DNS_LIST_FAILURES_MAX 5
#define DNS_LIST_PAUSE        (60 * USEC_SEC)
/* Zones that are known: those of the configurations since the start. */
#define DNS_LIST_ZONES_MAX 200
/* Bytes of a list's explanation. */
#define DNS_LIST_REASON_MAX 200

/* Names of an address that are looked at, and addresses of each. */
#define CLIENT_NAMES_MAX 5
/* The longest wait for all of it: for a rule, and where the name is only told. */
#define CLIENT_NAME_PATIENCE      (10 * USEC_SEC)
#define CLIENT_NAME_TELL_PATIENCE (2 * USEC_SEC)

/* Greylisting in memory, about 130 bytes an entry ... */
#define GREYLIST_MEMORY_MAX 100000
/* ... and on disk, about 300 bytes each. */
#define GREYLIST_ROWS_MAX    500000
#define GREYLIST_CLIENTS_MAX 100000
/* What is not written yet; more than that is only in memory. */
#define GREYLIST_UNWRITTEN_MAX 20000
/* Rows of one transaction: what the database is held for at a time. */
#define GREYLIST_SLICE 500
/* Bytes of an address that are kept for people to read. */
#define GREYLIST_TEXT_MAX 100
/* Waiting for the database; then mail goes on without it. */
#define GREYLIST_PATIENCE (5 * USEC_SEC)
/* Between two rounds of writing, and of looking for what has expired. */
#define GREYLIST_WRITE_PAUSE  (2 * USEC_SEC)
#define GREYLIST_EXPIRE_PAUSE (60 * USEC_SEC)
/* After the database failed, and between two warnings of it. */
#define GREYLIST_RETRY_PAUSE    (30 * USEC_SEC)
#define GREYLIST_COMPLAIN_PAUSE (600 * USEC_SEC)
