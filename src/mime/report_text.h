#pragma once
/*
 * The part of a report that people read. Internal to mime.
 */
#include "mime/report.h"

/* The diagnostic is a reply of the remote server ("550 ..."), not our word about it. */
bool report_quotes_server(const struct report_recipient *p);
/* UTF-8, lines of at most 72 characters where words allow it, LF. */
void report_write_text(struct buf *out, const struct report *r);
/* "Your message could not be delivered": the subject of the report. */
const char *report_subject(const struct report *r);
/* Text of others on one line: control characters and runs of space become one space, well-formed
 * UTF-8, at most max bytes. */
void report_add_clean(struct buf *out, struct str s, size_t max);
