#pragma once
/*
 * The queue's records in the journal.
 *
 * They can be replayed over any later state of the same message: an ACCEPT of a message that is
 * there is skipped, and results only go forward (more attempts, waiting to done).
 */
#include "queue/queue_internal.h"

/* more: what is appended next belongs to it, see journal_append_more. */
/* The message with its body (unless that is a file in the spool directory). Sets m->accept_lsn;
 * the caller commits. */
void journal_log_accept(struct queue_message *m, bool more);
/* The state of one recipient. What is lost is tried (and perhaps delivered) again, never forgotten.
 * Returns the record's position. */
lsn journal_log_result(struct queue_message *m, struct queue_recipient *r);
/* The same, ahead: r is as it will be when what comes with the record is durable. Returns its
 * position. */
lsn journal_log_delivery(struct queue_message *m, const struct queue_recipient *r, bool more);
/* What the sender has been told of the delay (warned, told_late). */
void journal_log_warned(struct queue_message *m);
/* on_hold, and whether its sender still wants it held. Returns the record's position. */
lsn journal_log_hold(struct queue_message *m);
/* The message is done. Returns the record's position. */
lsn journal_log_done(struct queue_message *m);

/* journal_consumer.replay */
SUSPENDS bool journal_replay_record(void *arg, const struct journal_record *r, struct err *e);
