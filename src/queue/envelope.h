#pragma once
/*
 * What an accepted message brings beside its text: who it is from and for, and what the client
 * asked for with the parameters of MAIL and RCPT.
 */
#include "core/arena.h"
#include "core/buf.h"
#include "core/clock.h"
#include "core/err.h"
#include "core/journal.h"
#include "core/random.h"

struct route;
struct envelope;

/* RET (RFC 3461 4.3) */
enum dsn_return { DSN_RETURN_UNSET, DSN_RETURN_HEADERS, DSN_RETURN_FULL };

/* NOTIFY (RFC 3461 4.1); 0: not said, then a failure is reported and a delay may be. */
enum dsn_notify {
    NOTIFY_NEVER = 1, /* stands alone */
    NOTIFY_SUCCESS = 2,
    NOTIFY_FAILURE = 4,
    NOTIFY_DELAY = 8,
};

/* Parameters of MAIL that go with the message. Zeroed: nothing was asked for. Times are wall clock;
 * 0: none. */
struct envelope_options {
    enum dsn_return dsn_return;
    struct str envelope_id;  /* ENVID, decoded */
    bool require_tls;        /* REQUIRETLS (RFC 8689) */
    bool tls_optional;       /* "TLS-Required: No" in the header (RFC 8689 4.1): no policy about TLS
                                of a recipient's domain is to keep it back */
    usec hold_until;         /* HOLDFOR, HOLDUNTIL (RFC 4865) */
    struct str hold_request; /* as it was asked for: "for;3600", "until;2030-01-01T00:00:00Z" */
    usec deliver_by;         /* BY (RFC 2852) */
    bool deliver_by_return;  /* too late: back to the sender; else the sender is told */
    bool deliver_by_trace;
    int priority; /* MT-PRIORITY (RFC 6710): -9 to 9 */
};

/* " priority=3 deliver_by=2030-01-01T00:00:00Z;R", for logs and operators: what was asked for. */
void envelope_options_write(struct buf *out, const struct envelope_options *o);

/* "SUCCESS,FAILURE"; nothing for 0. */
void dsn_notify_write(struct buf *out, unsigned notify);

struct attempt_view;
struct envelope_recipient {
    struct str address;            /* as given in RCPT */
    struct route *route;           /* from route_recipient, in the transaction's arena */
    unsigned notify;               /* enum dsn_notify */
    struct str original_recipient; /* ORCPT, decoded: "rfc822;address"; "" : none */
    /* Of a message that goes through here once more: what was tried before (attempts.h). */
    const struct attempt_view *tries;
    size_t try_count;
    /* result of queue_accept */
    bool accepted;
    struct err *error; /* in the route's arena; NULL: accepted */
};

/* Records of the caller that are to become durable with the message's: a crash leaves both or none.
 * Called when it is known which recipients will be accepted; not at all when nothing is written. */
struct envelope_companion {
    void *arg;
    size_t (*count)(void *arg, const struct envelope *envelope); /* how many there are */
    /* Appends them with journal_append_more, but for the last if `more` is false; returns that. */
    lsn (*append)(void *arg, const struct envelope *envelope, bool more);
};

struct envelope {
    char id[ID_SIZE];  /* of the transaction: in the Received header, every log line and the 250 */
    struct str sender; /* "" : null sender */
    struct envelope_recipient *recipients;
    size_t recipient_count;
    bool smtputf8, body_8bit;
    struct envelope_options options;
    struct str login;      /* authenticated user, or "" */
    const char *component; /* "smtpd", "submission", "lmtpd" */
    usec begun;            /* on the monotonic clock; 0: when it is accepted */
    bool copied;           /* hidden copies were made of it */
    bool notice;           /* to our postmaster: when it cannot be delivered nobody is told */
    bool unattended; /* nobody waits for the answer: failures go into the queue, from where they are
                        reported; not with per_recipient */
    /* Header lines to stand in front (Received ...), LF; Return-Path is added for local copies
     * only. */
    struct str prefix;
    const struct envelope_companion *companion; /* NULL: none */
};
