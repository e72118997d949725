#pragma once
/*
 * Messages of the queue in memory: the table, and their binary form for the journal and for the
 * envelope files.
 */
#include "queue/queue_internal.h"
#include "queue/recipient_words.h"

struct queue_message *message_new(struct queue *q);
/* Gives it room for `count` recipients, zeroed, and for so many bytes of their words
 * (recipient_words_size). */
void message_set_recipients(struct queue_message *m, size_t count, size_t words);
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

/* Nothing is to be done or told any more. */
bool recipient_is_done(const struct queue_recipient *r);
/* It has ended and the sender is to be told, if that is wanted. */
bool recipient_is_unreported(const struct queue_recipient *r);
const char *recipient_state_name(const struct queue_recipient *r);

/* The form that is written now; older ones are read. */
#define MESSAGE_VERSION 2
/* The envelope with the state of each recipient. */
void message_encode(struct buf *out, const struct queue_message *m);
/* Into a new message, without its body; NULL when the bytes are damaged. *body_size: bytes of the
 * body. */
struct queue_message *message_decode(struct queue *q, struct str bytes, unsigned version,
                                     uint64_t *body_size);
/* When its delivery could begin: its arrival, or the end of its hold. */
usec message_begin(const struct queue_message *m);
/* When it goes back to its sender. */
usec message_expires(const struct queue_message *m);
/* It waits for the time that its sender set (RFC 4865). */
bool message_is_held(const struct queue_message *m);
/* The time that its sender set does not matter any more. */
void message_end_sender_hold(struct queue_message *m);
/* Its time is over, and its sender wants it back then (BY=...;R, RFC 2852). */
bool message_is_too_late(const struct queue_message *m);

/* What message_encode gives, with version and checksum around it. */
void envelope_file_encode(struct buf *out, const struct queue_message *m);
struct queue_message *envelope_file_decode(struct queue *q, struct str bytes, uint64_t *body_size);
