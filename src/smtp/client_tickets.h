#pragma once
/*
 * TLS sessions of servers that mail was sent to, so that the next handshake is short (one round
 * trip less with TLS 1.2, no certificates and signatures with either). Bounded in number and time.
 */
#include "core/str.h"
#include "net/tls_session.h"

/* Places; two servers that fall on one take turns. */
#define CLIENT_TICKETS_MAX 256
/* What was verified then counts no longer than this. */
#define CLIENT_TICKET_LIFE (3600 * USEC_SEC)

struct client_tickets;

struct client_tickets *client_tickets_new(void);
void client_tickets_free(struct client_tickets *t);

/* key: the server, and all that was asked of its certificate. Borrowed until the next call; NULL:
 * none. */
struct tls_session *client_tickets_find(struct client_tickets *t, struct str key);
/* Takes the session over; NULL is allowed. */
void client_tickets_keep(struct client_tickets *t, struct str key, struct tls_session *session);
void client_tickets_forget(struct client_tickets *t, struct str key);
