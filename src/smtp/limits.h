#pragma once
/*
 * Limits of the SMTP server that are not settings, with the RFC's minimum.
 */
#include "core/clock.h"

/* A command line with CRLF. RFC 5321 4.5.3.1.4: at least 512; RFC 4954 4: AUTH 12288. */
#define SMTP_LINE_MAX 12290
/* What one read of message data may buffer. */
#define SMTP_DATA_CHUNK (64 * 1024)
/* The header block of a message, one field of it (a list of a thousand addresses), and fields. */
#define SMTP_HEADER_MAX (256 * 1024)
#define SMTP_FIELD_MAX  (128 * 1024)
#define SMTP_FIELDS_MAX 1000
/* An address in a field that we wrote ourselves. */
#define SMTP_ADDRESS_TEXT_MAX 1024
/* An announced message that is too large is read to its end, so that the client hears why, up to
 * this many times the limit. */
#define SMTP_OVERSIZE_FACTOR 2
/* Mailboxes and addresses that the recipients of one message may lead to, beyond one for each: a
 * list with many members may be named again and again. */
#define SMTP_TARGETS_MAX 20000
/* How long the servers of relay domains are waited for, for all recipients of a message together,
 * and RCPTs that have arrived behind the present one and are asked for with it. */
#define SMTP_VERIFY_PATIENCE (30 * USEC_SEC)
#define SMTP_LOOK_AHEAD_MAX  100
/* ENVID and ORCPT as written. RFC 3461 5.4: at least 100 and 500. */
#define SMTP_ENVID_MAX 256
#define SMTP_ORCPT_MAX 1024
/* HOLDUNTIL, seconds since 1970: the year 9999. */
#define SMTP_HOLD_UNTIL_MAX ((int64_t)253402300799)
/* Name in HELO and EHLO. RFC 5321 4.5.3.1.2: 255. */
#define SMTP_HELO_MAX 255
/* Of a Message-ID, in the log. */
#define SMTP_LOGGED_ID_MAX 250
/* One BDAT chunk. */
#define SMTP_CHUNK_MAX ((uint64_t)1 << 40)
/* Commands that bring no message further (NOOP, RSET, VRFY, empty BDAT ...) between two messages;
 * each one more counts as an error. */
#define SMTP_IDLE_COMMANDS_MAX 100
/* The value of an attribute of XCLIENT and XFORWARD, as it is written; as documented. */
#define SMTP_ATTRIBUTE_MAX 255
