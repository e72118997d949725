#pragma once
/*
 * A verb that says more than its answer, or takes more than its arguments: lists too long for one
 * line, the bytes of messages, and how far it is. What stands on the socket between the request and
 * the answer are lines as well:
 *
 *   {"progress": 120, "of": 5000}             how far it is
 *   {"item": {...}}                           one of a list
 *   {"item": {...}, "bytes": 4096}            followed by that many raw bytes
 *   {"item": {...}, "bytes": 262144, "more": true}   a part; then come
 *   {"bytes": 262144, "more": true} ...       further parts, the last one without "more"
 *   {"bytes": 0, "broken": "..."}             or this: the rest cannot be read
 *
 * Items go the other way in the same form, behind the request, and end with {"end": true}.
 */
#include "ctl/ctl.h"

#include "core/clock.h"
#include "core/str.h"

struct account;
struct stream;

/* Bytes of one part. */
#define CTL_PART_MAX ((size_t)256 * 1024)
/* A peer may read or write as slowly as a pipe to a tape does, but not for ever. */
#define CTL_STREAM_TIMEOUT (3600 * USEC_SEC)
#define CTL_USER_TIMEOUT   (300 * USEC_SEC)
/* Computing without a pause. */
#define CTL_SLICE (2 * USEC_MSEC)

struct ctl_call {
    const struct ctl_context *context;
    struct ctl *ctl;
    struct stream *stream;
    const struct account *own; /* of a user who asks for his own; NULL: an administrator */
    bool unread;      /* by the verb: items may be left, the connection is over after the answer */
    usec told, slice; /* private */
};

/* item is taken. A failure means that nobody listens any more. */
SUSPENDS bool ctl_send_item(struct ctl_call *c, json_t *item, struct err *e);
/* item NULL: a further part of the bytes of the one before. */
SUSPENDS bool ctl_send_bytes(struct ctl_call *c, json_t *item, struct str bytes, bool more,
                             struct err *e);
/* Instead of a further part: there are none, and why. */
SUSPENDS bool ctl_send_broken(struct ctl_call *c, const struct err *why, struct err *e);
/* Says how far it is, not more than twice a second; of 0: nobody knows. Lets others run. */
SUSPENDS bool ctl_progress(struct ctl_call *c, uint64_t done, uint64_t of, struct err *e);

/* Lets others run when it has computed for a while. */
SUSPENDS bool ctl_breathe(struct ctl_call *c, struct err *e);

struct ctl_incoming {
    json_t *item; /* NULL: the end, or a further part */
    bool end, more;
    size_t bytes; /* to be read with ctl_receive_bytes before the next item */
};
/* Frees what `in` held; zeroed at first. */
SUSPENDS bool ctl_receive(struct ctl_call *c, struct ctl_incoming *in, struct err *e);
/* The next piece of the bytes, borrowed until the next call; empty when there are no more, further
 * parts included. */
SUSPENDS bool ctl_receive_bytes(struct ctl_call *c, struct ctl_incoming *in, struct str *piece,
                                struct err *e);
void ctl_incoming_free(struct ctl_incoming *in);

/* --- who is meant: "user" or "all" in args --- */

struct arena;
/* One account, or all in their order; last the public one, if it has mailboxes. */
SUSPENDS bool ctl_accounts(const struct ctl_context *c, const json_t *args, struct arena *a,
                           struct account **list, size_t *count, struct err *e);
/* args["user"] only; "public" is the account of the public mailboxes. */
SUSPENDS bool ctl_account(const struct ctl_context *c, const json_t *args, struct arena *a,
                          struct account *account, struct err *e);
