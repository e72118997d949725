#pragma once
/*
 * Between verification (verify.h) and what asks other servers whether they would take a recipient
 * (smtp/client_probe). One call of the prober is one connection to the servers of a domain: when it
 * is open, the prober asks for addresses, a few at a time.
 */
#include "queue/transport.h"

enum probe_verdict {
    PROBE_UNKNOWN, /* what they start with: no server was reached, or it cannot say now */
    PROBE_ACCEPTED,
    PROBE_REFUSED, /* for good, in reply to RCPT */
};

/* Enhanced status: "5.1.1". */
#define PROBE_STATUS_SIZE 12

struct probe {
    struct str address;
    /* results */
    enum probe_verdict verdict;
    char status[PROBE_STATUS_SIZE]; /* "" : none */
    struct str text;                /* the server's words, or what went wrong; in the job's arena */
};

struct probe_job {
    struct transport_job where; /* destination, next_hop ...; message is NULL */
    struct str sender;          /* "" : null sender */
    struct arena *arena;        /* of the present batch */
    struct probe *probes;       /* none before the first probe_next */
    size_t count;
    /* Result: no server of the domain can be reached, and why. */
    bool unreachable;
    struct str why; /* in arena */
};

/* Takes over the results and fills in the next addresses of the same domain; waits for some to come
 * for a short while. False: there are none, the connection can be closed. */
SUSPENDS bool probe_next(struct probe_job *job);

/* Registers the prober. probe runs in a fiber, is cancelled at shutdown, and leaves the results of
 * the last batch in the job when it returns. */
void queue_set_prober(struct queue *q, SUSPENDS void (*probe)(void *arg, struct probe_job *job),
                      void *arg);
