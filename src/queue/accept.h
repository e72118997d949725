#pragma once
/*
 * The two halves of queue_accept (accept.c): targets and their outcome, and what goes into the
 * journal of them (accept_remote.c).
 */
#include "queue/queue_internal.h"

enum outcome {
    OUTCOME_REMOTE, /* to be queued */
    OUTCOME_DELIVERED,
    OUTCOME_TEMPORARY,
    OUTCOME_PERMANENT,
};

/* A final address, once, however many recipients led to it. */
struct target {
    struct str address;
    struct str original;            /* the first recipient that led to it */
    struct str requested;           /* its ORCPT */
    unsigned notify;                /* of all recipients that led to it */
    enum recipient_success success; /* to be told when it is delivered here */
    const struct account *account;  /* NULL: not a mailbox */
    enum recipient_kind kind;       /* if it is queued */
    enum outcome outcome;
    bool queued;
    bool role;         /* reached as postmaster or abuse */
    struct err *error; /* of the last two outcomes */
};

/* Journals the message for the targets marked `queued`, and hands it to the scheduler. True:
 * durable. Targets with OUTCOME_PERMANENT are queued as failed, so that the report is as safe as
 * the mail. */
SUSPENDS bool accept_into_queue(struct queue *q, const struct envelope *envelope,
                                struct spool *message, const struct target *targets, size_t count,
                                struct err *e);
