#pragma once
/*
 * A message on its way over a session, as the files see it that do the parts of it: client_mail.c
 * (transactions), client_ability.c (what the server must be able to do), client_body.c (the message
 * itself), client_outcome.c (results of recipients).
 */
#include "smtp/client_encoder.h"
#include "smtp/client_session.h"

/* Recipients of one transaction: what every server must take (RFC 5321 4.5.3.1.8). */
#define CLIENT_RECIPIENTS_MAX 100
/* A message up to this size leaves together with its envelope, where the server takes that. */
#define CLIENT_AT_ONCE_MAX ((size_t)64 * 1024)
/* What is read, converted and sent of a larger one at a time; the size of a chunk of BDAT. */
#define CLIENT_BLOCK ((size_t)64 * 1024)

enum client_recipient_state {
    CLIENT_OPEN,     /* to be asked */
    CLIENT_ASKED,    /* in the present transaction */
    CLIENT_ACCEPTED, /* with yes */
    CLIENT_SETTLED,  /* has its result */
};

struct client_mail {
    struct client_session *s;
    struct transport_message *m;
    struct spool *body; /* what is sent: m->body, or another form of it */
    uint64_t size_crlf;
    struct client_failure failure;
    uint8_t *state; /* by recipient: enum client_recipient_state */
    size_t *batch;  /* recipients of the present transaction */
    size_t batch_count, accepted;
    size_t batch_max; /* of the next one */
    struct client_encoder encoder;
    usec begun; /* sending of the body */
    bool use_utf8;
    bool at_once;  /* the message leaves with the envelope */
    bool in_group; /* several replies are owed */
    bool answered; /* the server has replied to something of this transaction */
    bool timed_out;
    bool again;    /* the same hosts may do better */
    bool in_doubt; /* the server may have the message */
};

/* --- client_outcome.c --- */

/* It has its result of this attempt; each has a text. */
bool client_outcome_is_known(const struct transport_recipient *r);

/* The present failure, for one; for all that were accepted; for all without a result. */
void client_outcome_fail(struct client_mail *x, size_t i);
void client_outcome_fail_accepted(struct client_mail *x);
void client_outcome_fail_rest(struct client_mail *x);
/* The server's reply: this one has it. */
void client_outcome_delivered(struct client_mail *x, size_t i);
size_t client_outcome_count(const struct client_mail *x, enum client_recipient_state state);

/* --- client_ability.c --- */

/* Recipients that this server could never take get their result, all when it is the message.
 * Prepares x->body. */
SUSPENDS void client_ability_check(struct client_mail *x);
/* The address as this server takes it, in m->arena. */
struct str client_ability_address(const struct client_mail *x, struct str address);

/* --- client_body.c --- */

/* Appends all of a small message to s->wire as one BDAT. False: it cannot be read. */
SUSPENDS bool client_body_add(struct client_mail *x);
/* After 354: the message and the dot. False: the connection is dead. */
SUSPENDS bool client_body_send_data(struct client_mail *x);
/* In chunks. *refused: the server wants no more of it, s->reply says why. */
SUSPENDS bool client_body_send_chunks(struct client_mail *x, bool *refused);
