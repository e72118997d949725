#pragma once
/*
 * Logging in at another server: the client's side of SASL (RFC 4422) with PLAIN (RFC 4616), LOGIN,
 * SCRAM-SHA-1 and SCRAM-SHA-256 (RFC 5802, 7677), both also bound to the TLS connection (-PLUS),
 * and XOAUTH2. Pure; nothing here suspends.
 */
#include "core/buf.h"
#include "core/err.h"

struct client_sasl;

/* All live as long as the exchange. */
struct client_credentials {
    const char *user;
    const char *password;  /* of XOAUTH2 the token */
    struct str binding;    /* "tls-exporter" of the connection; "" : cannot be had */
    struct str test_nonce; /* for the examples of the RFCs; "" : a random one */
};

/* The mechanism to use, one of ours. offered: the words of EHLO's AUTH. allowed: names in the order
 * of preference, separated by spaces or commas; "" : the best. NULL: there is none in common. */
const char *client_sasl_choose(struct str offered, struct str allowed, bool can_bind);

/* mechanism: from client_sasl_choose. */
struct client_sasl *client_sasl_new(const char *mechanism, const struct client_credentials *c);
void client_sasl_free(struct client_sasl *s);
/* The first response, appended. False: the mechanism has none. */
bool client_sasl_first(struct client_sasl *s, struct buf *response);
/* The response to a challenge, both without base64. With SCRAM it takes up to a second of
 * computing: for a worker. False: the server cannot be trusted or does something else. */
bool client_sasl_step(struct client_sasl *s, struct str challenge, struct buf *response,
                      struct err *e);
/* Whether the server may say now that we are logged in: with SCRAM it has to prove first that it
 * knows the password as well. */
bool client_sasl_is_complete(const struct client_sasl *s);
