#pragma once
/*
 * What TLS with the mail servers of a domain would have to be like now, and why: for operators.
 * Nothing is sent, no server is connected to but that of a policy.
 */
#include "queue/route_explain.h"
#include "smtp/client_security.h"
#include "smtp/client_tls_policy.h"

struct client_tls_host {
    const char *name;
    uint16_t port;
    bool host_secure; /* DNSSEC vouches for it, or our administrator */
    bool usable;
    struct client_tls_decision tls;
    struct str problem; /* why it is not usable */
};

struct client_tls_explanation {
    struct route_way way; /* of postmaster at the domain */
    bool mx_secure;
    struct mta_sts_answer sts;
    struct client_tls_host *hosts;
    size_t host_count;
};

/* Asks directory and DNS; fetches a policy that is new, with `refresh` in any case. In a. *e: there
 * is no such domain. */
SUSPENDS bool client_tls_explain(struct client_security *s, struct queue *q, struct str domain,
                                 bool refresh, struct arena *a, struct client_tls_explanation *x,
                                 struct err *e);
