#pragma once
/*
 * What is known of a recipient in words. Its addresses lie packed in the message's memory; what was
 * said in the last attempt is shared by all recipients that were told the same.
 */
#include "queue/queue_internal.h"

#define RECIPIENT_ATTEMPTS_MAX 0xffffff
#define RECIPIENT_WORD_MAX     UINT16_MAX

/* Where it goes. The strings live as long as the message. */
struct str recipient_address(const struct queue_recipient *r);
/* The server of ours that has its mailbox, "host" or "host:port"; "" : not RECIPIENT_HOST. */
struct str recipient_host(const struct queue_recipient *r);
/* What is stored for the address: of a RECIPIENT_HOST, "HOST ADDRESS". */
struct str recipient_address_word(const struct queue_recipient *r);
/* The envelope's RCPT that led to it. */
struct str recipient_original(const struct queue_recipient *r);
/* Its ORCPT, decoded; "" : none. */
struct str recipient_requested(const struct queue_recipient *r);
/* What stood behind the separator of the address that led to the account; "" : nothing. */
struct str recipient_detail(const struct queue_recipient *r);
/* Of RECIPIENT_PUBLIC: the name of the mailbox. */
struct str recipient_mailbox(const struct queue_recipient *r);

/* Of the last attempt, until the next: what went wrong or the server's reply, its enhanced status
 * code, the server ("host[address]:port"). "" : nothing. */
struct str recipient_error(const struct queue_recipient *r);
struct str recipient_code(const struct queue_recipient *r);
struct str recipient_relay(const struct queue_recipient *r);

/* A reference to what was said, for who keeps it longer. NULL is allowed. */
struct said_words *said_ref(struct said_words *w);
void said_unref(struct queue *q, struct said_words *w);

struct recipient_words {
    struct str address; /* as it is stored */
    struct str original, requested, detail;
};
/* Once, of each of the message's recipients; their sizes were part of message_set_recipients. No
 * word may be longer than RECIPIENT_WORD_MAX. */
void recipient_set_words(struct queue_message *m, struct queue_recipient *r,
                         const struct recipient_words *w);
size_t recipient_words_size(const struct recipient_words *w);

/* Copied; the error is cut at QUEUE_ERROR_TEXT_MAX, the others at 255 bytes. */
void recipient_set_said(struct queue_message *m, struct queue_recipient *r, struct str error,
                        struct str code, struct str relay);
void recipient_forget_said(struct queue_message *m, struct queue_recipient *r);
