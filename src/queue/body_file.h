#pragma once
/*
 * Large bodies: files of their own from the start, `ID.msg` in the spool directory.
 */
#include "queue/queue_internal.h"

/* The file of m as a spool that keeps it. */
struct spool *body_file_open(const struct queue_message *m);
/* m's body is that file. */
void body_file_attach(struct queue_message *m);
/* Puts the spool's file at ID.msg, durable with its name. */
SUSPENDS bool body_file_place(struct queue *q, const char *id, struct spool *body, struct err *e);
/* At once: for a message that was not accepted after all. */
SUSPENDS void body_file_drop(struct queue *q, const char *id);
