#pragma once
/*
 * The queue for operators: finding messages, and what can be done with those that are found. With
 * 100,000 messages and more nothing here does its work in one turn of the loop: who asks takes the
 * messages one after the other and lets others run between them.
 */
#include "queue/queue.h"

/* States of a message; a message with many recipients may be in several. */
enum queue_message_state {
    QUEUE_STATE_NEW = 1,      /* nobody has been tried yet */
    QUEUE_STATE_DEFERRED = 2, /* somebody waits for another try */
    QUEUE_STATE_SENDING = 4,
    QUEUE_STATE_HELD = 8,    /* by an operator */
    QUEUE_STATE_FUTURE = 16, /* by its sender, until a time (RFC 4865) */
    QUEUE_STATE_PAUSED = 32, /* somebody waits whose destination is paused */
    QUEUE_STATE_REPORT = 64, /* a report to its sender could not be made yet */
};
/* "held"; 0 when there is no such state. */
unsigned queue_state_find(struct str name);
/* The i-th state, NULL behind the last one. */
const char *queue_state_name(size_t i, unsigned *state);

/* Which messages: those that everything fits that is given. Zeroed: all. What is asked about
 * recipients (recipient, domain, reason) must fit one of them together, that is not done yet.
 *
 * An address is given as it is, as a pattern with "*", as "@domain", or "<>" for the null sender.
 * Case does not matter. */
struct queue_filter {
    struct str sender, recipient;
    struct str domain; /* of a recipient, or "*.example.org" */
    struct str reason; /* stands in the text of its last failure */
    struct str login;
    struct str route;               /* a recipient goes by this rule */
    usec age_least, age_most;       /* 0: any */
    uint64_t size_least, size_most; /* 0: any */
    unsigned states;                /* any of these */
};

/* --- one after the other --- */

struct queue_walk;

/* f is borrowed. As many messages as there are now are looked at, oldest first. */
struct queue_walk *queue_walk_begin(struct queue *q, const struct queue_filter *f);
/* The id of the next message that matches; false: there is none. Between two calls the queue may
 * change as it likes. */
SUSPENDS bool queue_walk_next(struct queue_walk *w, char id[ID_SIZE]);
/* How many were looked at, and how many there were at the beginning. */
void queue_walk_progress(const struct queue_walk *w, uint64_t *done, uint64_t *of);
void queue_walk_end(struct queue_walk *w);

/* --- what is done with them --- */

enum queue_action {
    QUEUE_RETRY,   /* due now, all recipients that wait */
    QUEUE_HOLD,    /* nothing is tried until it is released */
    QUEUE_RELEASE, /* ends that; of a message that is named also what its sender asked for */
    QUEUE_DELETE,  /* without telling the sender */
    QUEUE_FLUSH,   /* due now, those of a destination */
    QUEUE_REQUEUE, /* its addresses are looked up again, as when it came */
};

struct queue_operation {
    struct queue *queue;
    enum queue_action action;
    bool named;             /* by id, not found by what it is like */
    const char *who;        /* for the log */
    struct str destination; /* QUEUE_FLUSH: its key, its domain, or "rule NAME" */
    lsn last;               /* of its records; 0: none */
};
/* False: ERR_NOT_FOUND, or ERR_DENIED when there is nothing to do (it is held, it is not held). */
bool queue_operate(struct queue_operation *o, const char *id, struct err *e);
/* What was done is durable. */
SUSPENDS bool queue_operation_commit(struct queue_operation *o, struct err *e);

/* --- pauses --- */

/* What operators have stopped: all sending, or that to single destinations or routes. Mail here and
 * reports go on. It holds over a restart.
 *
 * A pause is named by a key: "" for everything, else that of a destination (destination_key.h), or
 * "rule NAME" for all destinations of a route; a domain also means what goes to its servers by a
 * route. Case does not matter. */
struct queue_pause_info {
    struct str key;
    usec since; /* wall clock */
    struct str by;
};
/* ERR_EXISTS: it is paused already; ERR_LIMIT: too many. Durable when it returns true. */
SUSPENDS bool queue_pause(struct queue *q, struct str key, struct str by, struct err *e);
/* With key "" everything that is paused goes on. ERR_NOT_FOUND: it is not paused. */
SUSPENDS bool queue_resume(struct queue *q, struct str key, struct str by, struct err *e);
/* Into a, in their order. */
void queue_list_paused(const struct queue *q, struct arena *a, struct queue_pause_info **list,
                       size_t *count);
