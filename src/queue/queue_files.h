#pragma once
/*
 * The spool directory, where messages wait that outlive a checkpoint of the journal:
 *
 *   state.NUMBER   who they are from and for, and what happened to them (state_log.h)
 *   text.NUMBER    their texts, many in a file (text_file.h)
 *   ID.msg         a large body (body_file.h)
 *   ID.env         an envelope, as older versions wrote it
 *   *.damaged      what could not be understood
 */
#include "queue/queue_internal.h"

/* Makes the directory, reads all that waits into the table. ERR_IO and the like when the directory
 * cannot be used; damaged files are no error. */
SUSPENDS bool queue_files_load(struct queue *q, struct err *e);
/* After the journal's replay: sets aside what is damaged, removes what nobody needs. Blocking:
 * start-up. */
void queue_files_tidy(struct queue *q);
void queue_files_free(struct queue *q);

/* At start: whether its large body is there, with the right size. */
bool queue_files_have_body(const struct queue_message *m);
/* m leaves the table: what files have of it goes at the checkpoint that covers the record. */
void queue_files_remove_later(struct queue_message *m, lsn done_lsn);
/* "PREFIX17" */
bool spool_name_number(const char *name, const char *prefix, uint32_t *number);

/* journal_consumer.checkpoint */
SUSPENDS bool queue_files_checkpoint(void *arg, lsn upto, struct err *e);
