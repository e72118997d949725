#pragma once
/*
 * What became of a recipient in an attempt: the state that follows, its record, its log line.
 */
#include "queue/queue_internal.h"

/* How long what took. */
struct delays {
    usec waited; /* for its turn, a connection, a rate */
    usec set_up; /* of the connection */
    usec sent;   /* from then on */
};

struct attempt {
    enum transport_status status;
    struct str code, text, relay;
    const char *tls, *tls_policy;                       /* may be NULL */
    bool notify_passed, deliver_by_passed, handed_over; /* see transport_recipient */
    struct delays delays;
    struct delivered_to place;
};

/* The recipient was being sent. When the server stops, a deferral does not count as an attempt.
 * Returns the record's position; 0: there is none. */
lsn recipient_apply(struct queue_message *m, struct queue_recipient *r, const struct attempt *a);
/* Writes down that it is delivered before that is applied: a record that becomes durable with the
 * delivery's. more: see journal_append_more. */
lsn recipient_record_delivery(struct queue_message *m, struct queue_recipient *r,
                              const struct attempt *a, bool more);
/* One line for a recipient that is done or deferred. component: "smtp" or "queue". */
void recipient_log(const struct queue_message *m, const struct queue_recipient *r,
                   const struct attempt *a);
/* For the log: " delay=8.5 delays=0.1/0.2/0.2/8": all of it; until it was ready to be sent, waiting
 * for its turn, setting up the connection, sending. */
void delays_write(struct buf *out, usec all, const struct delays *d);
/* For the log: " account=<LOGIN> mailbox=<NAME> uid=N". */
void delivered_to_write(struct buf *out, const struct delivered_to *d);
/* "4.x.y" or "5.x.y" for an error of ours. */
const char *err_status_code(const struct err *e);
