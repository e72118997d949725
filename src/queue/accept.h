#pragma once
/*
 * What the parts of queue_accept (accept.c) share: targets and their outcome, hidden copies,
 * senders, and what goes into the journal.
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
    bool copy;            /* hidden: no recipient leads to it */
    struct str forwarder; /* domain of ours whose address sends it on; "" : none */
    struct str sender;    /* under which it leaves */
    bool role;            /* reached as postmaster or abuse */
    struct err *error;    /* of the last two outcomes */
};

/* One recipient's way to a target. */
struct use {
    const struct route_target *route; /* NULL: the recipient led nowhere, now or for good */
    uint32_t recipient, target;
};

struct acceptance {
    struct queue *queue;
    struct envelope *envelope;
    struct spool *message;
    bool per_recipient;
    struct arena *arena;
    struct use *uses; /* sorted by target, later by recipient */
    size_t use_count;
    struct target *targets;
    size_t target_count, target_room;
    size_t queued;
};

/* --- accept_copies.c --- */

/* Targets for the hidden copies that are wanted, unless they were made before. */
SUSPENDS void accept_add_copies(struct acceptance *x);
/* Marks those that have to be queued. progress: something of the message was taken. */
void accept_choose_copies(struct acceptance *x, bool progress);

/* --- accept_senders.c --- */

/* Sets the targets' senders. */
SUSPENDS void accept_choose_senders(struct acceptance *x);
/* Queues the targets that are marked, those with the same sender together. */
SUSPENDS bool accept_queue_targets(struct acceptance *x, struct err *e);

/* --- accept_queued.c --- */

/* Journals the message for the targets marked `queued`, and hands it to the scheduler. True:
 * durable. Targets with OUTCOME_PERMANENT are queued as failed, so that the report is as safe as
 * the mail. */
SUSPENDS bool accept_into_queue(struct queue *q, const struct envelope *envelope,
                                struct spool *message, const struct target *targets, size_t count,
                                struct err *e);
