#pragma once
/*
 * Delivery status notifications: multipart/report as RFC 3461, 3462 (6522) and 3464 describe it,
 * with a text that a person understands. Builds bytes only.
 *
 * A report may tell about thousands of recipients. Its text then explains each reason once and
 * names some of the addresses; the part for programs has all of them, with words of at most
 * REPORT_WORDS_SHORT bytes. That takes a while: not on the loop.
 */
#include "core/arena.h"
#include "core/buf.h"
#include "core/clock.h"

enum report_action {
    REPORT_FAILED,
    REPORT_DELAYED,
    REPORT_DELIVERED,
    REPORT_RELAYED,
    REPORT_EXPANDED
};

struct report_recipient {
    struct str address;   /* as the sender's server named it to us */
    struct str passed_to; /* where it leads, when that is another address; or "" */
    struct str original;  /* ORCPT, decoded ("rfc822;..."), or "" */
    enum report_action action;
    struct str status;        /* "5.1.1" */
    struct str diagnostic;    /* reply of the remote server, or why; one line */
    struct str remote_host;   /* "" when no remote server was involved */
    int64_t last_attempt;     /* seconds since 1970 */
    int64_t will_retry_until; /* REPORT_DELAYED, else 0 */
    int64_t next_attempt;     /* REPORT_DELAYED; 0: not known */
};

struct report {
    struct str reporting_host; /* our name */
    struct str postmaster;     /* From: address */
    struct str to;             /* the original sender */
    struct str message_id;     /* of the report, without <> */
    struct str queue_id;       /* of the original */
    struct str envelope_id;    /* ENVID, or "" */
    int64_t arrival, now;      /* seconds since 1970 */
    int64_t deliver_by;        /* RFC 2852; 0: none */
    struct str hold_request;   /* RFC 4865: "for;3600", or "" */
    struct str contact;        /* words of the administrator about who helps, or "" */
    /* A double bounce: it goes to the postmaster, since the message has no sender who could be
     * told; or its sender cannot be told, for this reason. */
    bool to_postmaster;
    struct str sender, refusal;
    const struct report_recipient *recipients;
    size_t recipient_count;
    struct str original_header; /* header block of the original, LF */
    bool whole;                 /* the original's body follows (RET=FULL) */
    bool eight_bit;             /* of the body, if it does */
    bool utf8; /* original needs SMTPUTF8: message/global-delivery-status (RFC 6533) */
};

/* The message with LF line ends in two pieces, between which the bytes of the original's body
 * stand when it is returned whole. message_id must not be known to the author of that body: the
 * boundary is made of it. */
void report_write_start(struct buf *out, const struct report *r);
void report_write_end(struct buf *out, const struct report *r);
