#pragma once
/*
 * Messages of the queue in memory: the table, and their binary form for the journal and for the
 * envelope files.
 */
#include "queue/queue_internal.h"

struct queue_message *message_new(struct queue *q);
/* Gives it room for `count` recipients, zeroed. */
void message_set_recipients(struct queue_message *m, size_t count);
/* Not in the table, not held. */
void message_free(struct queue_message *m);

/* NULL when there is none. */
struct queue_message *message_find(struct queue *q, struct str id);
/* Its id must not be in the table yet. */
void message_insert(struct queue_message *m);
/* Out of the table and every list; freed now, or when the last fiber that holds it lets go. */
void message_remove(struct queue_message *m);
void message_hold(struct queue_message *m);
void message_release(struct queue_message *m);
/* Its envelope file has to be written at the next checkpoint. */
void message_mark_dirty(struct queue_message *m);
/* Path of a file of it in the spool directory; suffix "msg" or "env". malloc'ed. */
char *message_path(const struct queue *q, const char *id, const char *suffix);

bool recipient_is_done(const struct queue_recipient *r);
const char *recipient_state_name(const struct queue_recipient *r);
/* Copies the texts (cut at QUEUE_ERROR_TEXT_MAX). */
void recipient_set_texts(struct queue_recipient *r, struct str error, struct str code,
                         struct str relay);

/* The envelope with the state of each recipient. */
void message_encode(struct buf *out, const struct queue_message *m);
/* Into a new message, without its body; NULL when the bytes are damaged. *body_size: bytes of the
 * body. */
struct queue_message *message_decode(struct queue *q, struct str bytes, uint64_t *body_size);
/* What message_encode gives, with version and checksum around it. */
void envelope_file_encode(struct buf *out, const struct queue_message *m);
struct queue_message *envelope_file_decode(struct queue *q, struct str bytes, uint64_t *body_size);
