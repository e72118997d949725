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
    struct str host;                  /* of ours that has its mailbox: RECIPIENT_HOST; "" */
    struct str original;              /* the first recipient that led to it */
    struct str requested;             /* its ORCPT */
    const struct attempt_view *tries; /* what was tried for it before; oldest first */
    size_t try_count;
    unsigned notify;                /* of all recipients that led to it */
    enum recipient_success success; /* to be told when it is delivered here */
    const struct account *account;  /* NULL: not a mailbox of one */
    struct str mailbox;             /* a public one; "" : none */
    struct str detail;              /* of a plus-address: a mailbox of the account, maybe */
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

/* Messages that are made of one acceptance, in the order of their records. */
struct accept_batch {
    struct queue_message **list;
    size_t count;
    bool at_once;       /* making them does not suspend */
    const char *placed; /* id under which a large body lies already, for the first of them; NULL */
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
    struct accept_batch batch;
    usec begun;        /* on the monotonic clock */
    uint64_t size;     /* of the message as it is stored here */
    size_t companions; /* records of the envelope's companion */
    lsn last;          /* of all records of the queue; 0: none was appended */
};

/* --- accept_targets.c --- */

void accept_collect_targets(struct acceptance *x);
/* The time has not come that the sender set (RFC 4865): all of it waits, and goes through here
 * again then, with the addresses as they are by that time. */
void accept_collect_held(struct acceptance *x);
/* What has to be done for a target of a route. */
void accept_lead(struct acceptance *x, struct target *t, const struct route_target *to);
struct err *accept_copy_error(struct acceptance *x, const struct err *e);

/* --- accept_results.c --- */

/* Marks the targets that have to be queued, by their outcomes. */
void accept_choose_queued(struct acceptance *x);
void accept_unmark_queued(struct acceptance *x);
/* `failure` is why the queue could not take what was to be queued; NULL: it could. */
void accept_set_results(struct acceptance *x, const struct err *failure);
void accept_refuse_all(struct acceptance *x, const struct err *why);
/* One error for the whole: the first temporary one, so that the client tries again. True: all are
 * accepted. */
bool accept_whole_result(const struct acceptance *x, struct err *e);

/* --- accept_copies.c --- */

/* Targets for the hidden copies that are wanted, unless they were made before. */
SUSPENDS void accept_add_copies(struct acceptance *x);
/* Marks those of them that have to be queued. progress: something of the message was taken. */
void accept_choose_copies(struct acceptance *x, bool progress);

/* --- accept_senders.c --- */

/* Sets the targets' senders. */
SUSPENDS void accept_choose_senders(struct acceptance *x);
/* Makes messages of the targets that are marked, those with the same sender together. Suspends only
 * for large ones. */
SUSPENDS bool accept_make_messages(struct acceptance *x, struct err *e);

/* --- accept_queued.c --- */

/* Whether anything can be queued now. ERR_NO_SPACE, ERR_IO, ERR_TIMEOUT. */
SUSPENDS bool accept_room(struct queue *q, const struct envelope *envelope, struct err *e);
/* Puts a large body where the batch's first message will have it. Should that fail, it is tried
 * again when the message is made. */
SUSPENDS void accept_place(struct accept_batch *b, struct queue *q, const char *id,
                           struct spool *body);
/* One that no message has taken goes. */
SUSPENDS void accept_drop_placed(struct accept_batch *b, struct queue *q);
/* Makes messages of the targets, more than one if they are many, and adds them to the batch.
 * Targets with OUTCOME_PERMANENT are queued as failed, so that the report is as safe as the mail.
 * Suspends only for a large body that has to be placed; with at_once it fails instead. */
SUSPENDS bool accept_make(struct accept_batch *b, struct queue *q, const struct envelope *envelope,
                          struct spool *body, const struct target *targets, size_t count,
                          struct err *e);
/* Their records, all or none of which a replay has; more: with one that the caller appends next.
 * Returns the last. Not of an empty batch. */
lsn accept_append(struct accept_batch *b, bool more);
/* After the commit: they are handed to the scheduler, or taken back. id: of the transaction. */
SUSPENDS void accept_end(struct accept_batch *b, const char *id, bool ok);
/* They were not appended. */
SUSPENDS void accept_discard(struct accept_batch *b);
