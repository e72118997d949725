#pragma once
/*
 * Reports to the sender of a message (RFC 3461, RFC 3464): made of what is known of some of its
 * recipients, and sent as mail from the null sender.
 */
#include "mime/report.h"
#include "queue/queue_internal.h"

/* What one report tells about. */
enum report_kind {
    REPORT_OF_FAILURE,
    REPORT_OF_SUCCESS, /* delivered, relayed, expanded: see recipient->success */
    REPORT_OF_DELAY,
    REPORT_OF_LATENESS, /* deliver_by has passed (RFC 2852 4.1.3) */
};

/* About the recipients with these indices. True: the report is accepted, or there is nobody to tell
 * it to. False: to be tried again. */
SUSPENDS bool report_send(struct queue_message *m, enum report_kind kind,
                          const uint32_t *recipients, size_t count, struct err *e);
