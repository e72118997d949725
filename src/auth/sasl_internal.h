#pragma once
/*
 * One exchange, as the mechanisms see it. Private to auth.
 *
 * A mechanism finds out who the client is and whom it wants to be; what follows from that (may it,
 * the log, delays) is sasl.c's. It sets `user` as soon as the client has named itself, and when it
 * has proved to be that user: `account`, `as` and `proved`.
 */
#include "auth/auth_internal.h"
#include "net/stream.h"

struct sasl_mechanism {
    const char *name;
    size_t response_max; /* bytes */
    unsigned steps_max;  /* responses of the client */
    const char *digest;  /* SCRAM: "SCRAM-SHA-1" as verifiers are named; else NULL */
    const char *secret;  /* libsasl2's name of what it verifies with; NULL: nothing stored */
    bool binds;          /* SCRAM: to the channel */
    bool worker;         /* libsasl2 runs it on a worker: it may wait for files or the network */
    bool guesses; /* a failure is a guess at the user's password that auth_check did not see */
    bool no_nul;  /* a NUL in a response is malformed */
    /* It can work for this peer, who is secure. */
    bool (*available)(const struct auth *a, const struct auth_peer *peer);
    /* response.p is NULL only at the start, when the client sent none. CONTINUE: *challenge is set.
     * FAILED: ERR_DENIED with the reason for the log, one word; ERR_SYNTAX; ERR_TEMP;
     * ERR_CANCELLED. */
    SUSPENDS enum sasl_status (*step)(struct sasl *s, struct str response, struct str *challenge,
                                      struct err *e);
};

enum { SASL_EXCHANGE_CALLBACKS = 5, SASL_DETAIL_SIZE = 256 };

struct sasl {
    struct auth *auth;
    struct auth_peer peer;
    struct arena *arena;
    const struct sasl_mechanism *mechanism; /* NULL before sasl_start */
    usec begun;
    unsigned steps;
    size_t received;
    struct str user; /* as the client named itself */
    struct str as;   /* whom it wants to be; "": itself */
    bool proved;
    bool settled; /* proved and let in */
    bool done;
    struct account account; /* when proved */
    void *state;            /* of a mechanism of our own, in the arena */

    /* libsasl2's */
    sasl_conn_t *connection;
    bool started;
    sasl_callback_t callbacks[SASL_EXCHANGE_CALLBACKS];
    sasl_channel_binding_t binding;
    char detail[SASL_DETAIL_SIZE]; /* its last message */
    bool malformed;                /* a name is empty or too long */
    bool verified;                 /* the mechanism found the proof right */
    struct err verdict;            /* what a callback found out: ERR_NONE, or why not */
    struct str secret;             /* what the mechanism verifies with; p == NULL: not asked for */
    bool locked_out;
    const char *refused; /* the proof cannot be right, and why, in the log's one word */
    bool prepared;       /* SCRAM: the first message was looked at */
};

/* --- sasl.c --- */

/* s->account, for a login that the mechanism has proved. ERR_DENIED, ERR_TEMP, ERR_CANCELLED. */
SUSPENDS bool sasl_find_account(struct sasl *s, struct str login, struct err *e);

/* --- sasl_library.c --- */

SUSPENDS enum sasl_status sasl_library_step(struct sasl *s, struct str response,
                                            struct str *challenge, struct err *e);
/* A connection of the library for s, if there is none yet. */
bool sasl_library_open(struct sasl *s, const char *service, const char *host, struct err *e);
/* Without a name the library asks the resolver, and waits. */
#define SASL_NO_HOST "localhost"
void sasl_library_end(struct sasl *s);

/* --- sasl.c --- */

/* A mechanism with this digest and -PLUS. */
bool sasl_offers_binding(const struct auth *a, const struct auth_peer *peer, const char *digest);

/* --- sasl_secrets.c --- */

/* The stored secret of s->user for the mechanism, or one that nobody's password fits, into
 * s->secret; and s->account, s->verdict. False: s->verdict says why there is no answer. */
SUSPENDS bool sasl_find_secret(struct sasl *s);
bool sasl_secrets_held(const struct auth *a, const struct auth_peer *peer);

/* --- sasl_scram.c --- */

bool sasl_binding_available(const struct auth *a, const struct auth_peer *peer);
SUSPENDS enum sasl_status sasl_scram_step(struct sasl *s, struct str response,
                                          struct str *challenge, struct err *e);

/* --- sasl_kerberos.c --- */

bool sasl_kerberos_available(const struct auth *a, const struct auth_peer *peer);
/* The host in the name of this service of ours; NULL: there is no key. */
const char *sasl_kerberos_host(const struct auth *a, const struct kerberos *k, struct str service);
SUSPENDS enum sasl_status sasl_kerberos_step(struct sasl *s, struct str response,
                                             struct str *challenge, struct err *e);

/* --- sasl_external.c --- */

bool sasl_external_available(const struct auth *a, const struct auth_peer *peer);
SUSPENDS enum sasl_status sasl_external_step(struct sasl *s, struct str response,
                                             struct str *challenge, struct err *e);

/* --- oauth_sasl.c --- */

bool sasl_tokens_are_taken(const struct auth *a, const struct auth_peer *peer);
SUSPENDS enum sasl_status sasl_oauth_step(struct sasl *s, struct str response,
                                          struct str *challenge, struct err *e);
