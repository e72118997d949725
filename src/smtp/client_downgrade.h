#pragma once
/*
 * Messages with 8-bit text for servers without 8BITMIME (RFC 6152 3).
 */
#include "queue/transport.h"
#include "smtp/client_failure.h"

/* *body: a reference to what can be sent, m->body itself when it has 7 bits already; *size_crlf is
 * its size with the prefix. False: *f. */
SUSPENDS bool client_downgrade(const struct transport_message *m, struct spool **body,
                               uint64_t *size_crlf, struct client_failure *f);
