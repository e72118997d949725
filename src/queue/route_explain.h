#pragma once
/*
 * Where a message would go and why, step by step: for operators. Nothing is sent.
 */
#include "queue/routes.h"

struct queue;

struct route_step {
    const char *what; /* "directory", "route NAME", "relay host", "MX" */
    bool decides;
    struct str why;
};

struct route_host {
    struct str name;    /* "mx.far.example", or a socket's path */
    struct str address; /* numeric; "" : none, then `problem` */
    uint16_t port;      /* 0: a socket */
    int preference;     /* of the MX record; -1: none */
    bool fallback;
    struct str problem;
};

enum route_outcome { ROUTE_GOES_OUT, ROUTE_STAYS_HERE, ROUTE_IS_DROPPED, ROUTE_GOES_NOWHERE };

/* The way of one final address. */
struct route_way {
    struct str recipient;
    enum route_outcome outcome;
    struct route_step *steps;
    size_t step_count;
    struct str text;   /* of what does not go out: the mailbox, or why not */
    struct str sender; /* under which it leaves; "" : its own */
    struct str key;    /* of the destination; "" : none */
    struct next_hop hop;
    struct pacing pacing;
    struct route_host *hosts;
    size_t host_count;
};

/* The recipient's ways: several when it is a list; of a long one the first few. Asks directory and
 * DNS. In a. *e: the address is none. */
SUSPENDS bool route_explain(struct queue *q, const struct route_question *question, struct arena *a,
                            struct route_way **ways, size_t *count, struct err *e);
/* The routes of the present configuration. */
const struct route_table *queue_route_table(const struct queue *q);
const char *next_hop_tls_name(enum next_hop_tls tls);
