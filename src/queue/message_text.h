#pragma once
/*
 * The text of a message: the header lines in front (m->prefix) and the body (m->body). As long as
 * the journal alone has it, it is in memory; not for long, though: when there is much of it, it is
 * written into a text file. From then on it is in memory only while somebody uses it.
 */
#include "queue/queue_internal.h"

/* The caller holds m; prefix and body can be used until he lets go. ERR_SYNTAX, ERR_NOT_FOUND: the
 * text is damaged or gone, and the message is put on hold, with a line in the log. */
SUSPENDS bool message_open_text(struct queue_message *m, struct err *e);
/* Nobody holds it any more. */
void message_close_text(struct queue_message *m);

/* A new message's; prefix is copied, the reference to body is taken over. Before message_insert. */
void message_set_text(struct queue_message *m, struct str prefix, struct spool *body);
/* It is in and out of the table: its text counts. */
void message_text_counts(struct queue_message *m);
void message_text_counts_no_more(struct queue_message *m);

/* Writes the texts of messages that are accepted up to this record into files. */
SUSPENDS bool queue_write_texts(struct queue *q, lsn upto, struct err *e);
/* Texts are to be written when too many are in memory: asks for it. */
void queue_consider_texts(struct queue *q);
/* At start, instead. */
SUSPENDS bool queue_write_texts_if_many(struct queue *q, struct err *e);
/* Waits until there is room for another text in memory. ERR_NO_SPACE, ERR_TIMEOUT. */
SUSPENDS bool queue_text_room(struct queue *q, usec deadline, struct err *e);
/* Leaves text files that are mostly needless: what is needed of them is written anew. */
SUSPENDS bool queue_compact_texts(struct queue *q, struct err *e);

/* One at a time works on the files of the queue. */
SUSPENDS void queue_files_lock(struct queue *q);
void queue_files_unlock(struct queue *q);
