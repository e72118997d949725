#pragma once
/*
 * Dates of RFC 5322 (3.3, 4.3), IMAP (RFC 3501 date-time) and RFC 3339.
 */
#include "core/buf.h"
#include "core/clock.h"

/* Seconds since 1970 UTC from a Date header, lenient; *zone (minutes east of UTC, may be NULL).
 * False: not a date. */
bool date_parse_header(struct str value, int64_t *seconds, int *zone);
/* "Sat, 21 Nov 2026 08:56:41 +0000" in the local zone. */
void date_write_header(struct buf *out, int64_t seconds);
/* "21-Nov-2026 08:56:41 +0000" with or without quotes around: INTERNALDATE, APPEND. */
bool date_parse_imap(struct str text, int64_t *seconds);
/* Without the quotes, in the local zone. */
void date_write_imap(struct buf *out, int64_t seconds);
/* "21-Nov-2026" as days since 1970 (SEARCH SINCE ...). */
bool date_parse_imap_day(struct str text, int64_t *day);
/* "2026-11-21T08:56:41Z", "2026-11-21t08:56:41.5+01:00" (RFC 3339 5.6; the fraction is cut off). */
bool date_parse_rfc3339(struct str text, int64_t *seconds);
/* In UTC. */
void date_write_rfc3339(struct buf *out, int64_t seconds);
/* Day number of a time in a zone: what SEARCH compares (time zones disregarded as the RFC says). */
int64_t date_day(int64_t seconds, int zone_minutes);
