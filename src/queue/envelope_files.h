#pragma once
/*
 * The spool directory: for each message that waits past a checkpoint `ID.env`, its envelope, and
 * `ID.msg`, its body.
 */
#include "queue/queue_internal.h"

/* Makes the directory, reads all envelopes into the table. ERR_IO and the like when the directory
 * cannot be used; damaged files are no error. */
SUSPENDS bool envelope_files_load(struct queue *q, struct err *e);
/* After the journal's replay: sets aside what is damaged, removes what nobody needs. Blocking:
 * start-up. */
void envelope_files_tidy(struct queue *q);
void envelope_files_free(struct queue *q);

/* m's body is the file ID.msg. */
void envelope_file_attach_body(struct queue_message *m, uint64_t size);
/* At start: whether that file is there, with this size. */
bool envelope_file_body_found(const struct queue_message *m, uint64_t size);
/* Puts the spool's file at ID.msg, durable with its name. */
SUSPENDS bool envelope_file_place_body(struct queue *q, const char *id, struct spool *body,
                                       struct err *e);
/* At once, without waiting: for a message that was not accepted after all. */
SUSPENDS void envelope_file_drop_body(struct queue *q, const char *id);
/* The message's files go at the checkpoint that covers the record. */
void envelope_files_remove_later(struct queue *q, const char *id, lsn done_lsn);

/* journal_consumer.checkpoint */
SUSPENDS bool envelope_files_checkpoint(void *arg, lsn upto, struct err *e);
