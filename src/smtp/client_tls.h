#pragma once
/*
 * Transport security of a connection to another server: what is wanted, and getting it.
 */
#include "smtp/client_session.h"

/* TLS from the first byte (RFC 8314). */
bool client_tls_is_implicit(const struct client_session *s);
/* Nothing may be said without. */
bool client_tls_is_required(const struct client_session *s);
/* The handshake on a connection that is ready for it. */
SUSPENDS bool client_tls_shake_hands(struct client_session *s, struct client_failure *f);
/* STARTTLS, where it is offered and wanted, and what has to be said again after it. */
SUSPENDS bool client_tls_start(struct client_session *s, struct client_failure *f);
/* What a message with REQUIRETLS has to be promised (RFC 8689 4.2.1); said under TLS. */
SUSPENDS bool client_tls_check_promise(struct client_session *s, struct client_failure *f);
/* TLS that has to be cannot be had. */
bool client_tls_is_missing(struct client_session *s, struct client_failure *f);
