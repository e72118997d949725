#pragma once
/*
 * Messages of the queue in memory: the table, and their binary form for the journal and for the
 * envelope files.
 */
#include "queue/queue_internal.h"
#include "queue/recipient_words.h"

struct queue_message *message_new(struct queue *q);
/* Copies the strings. */
void message_set_envelope(struct queue_message *m, struct str sender, struct str login,
                          struct str component, const struct envelope_options *options);
/* Gives it room for `count` recipients, zeroed, and for so many bytes of their words
 * (recipient_words_size). */
void message_set_recipients(struct queue_message *m, size_t count, size_t words);
/* Not in the table, not held. */
void message_free(struct queue_message *m);

/* NULL when there is none. */
struct queue_message *message_find(struct queue *q, struct str id);
/* About what it takes, without its text. */
size_t message_memory(const struct queue_message *m);
/* Those in the table take more than the settings allow: nothing new is to come. */
bool message_table_is_full(const struct queue *q);
/* Its id must not be in the table yet. */
void message_insert(struct queue_message *m);
/* Out of the table and every list; freed now, or when the last fiber that holds it lets go. */
void message_remove(struct queue_message *m);
void message_hold(struct queue_message *m);
void message_release(struct queue_message *m);
/* The state log has to hear of it at the next checkpoint. */
void message_mark_dirty(struct queue_message *m);
/* Of one that was decoded without it. */
void message_drop_prefix(struct queue_message *m);
/* Path of a file of it in the spool directory; suffix "msg" or "env". malloc'ed. */
char *message_path(const struct queue *q, const char *id, const char *suffix);

/* Nothing is to be done or told any more. */
bool recipient_is_done(const struct queue_recipient *r);
/* It has ended and the sender is to be told, if that is wanted. */
bool recipient_is_unreported(const struct queue_recipient *r);
const char *recipient_state_name(const struct queue_recipient *r);

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
