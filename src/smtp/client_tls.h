#pragma once
/*
 * Transport security of a connection to another server: what is wanted, and getting it.
 */
#include "smtp/client_options.h"
#include "smtp/client_session.h"

/* Decides what TLS with the host has to be like, before it is connected to: s->tls. False: it must
 * not be used for this message now, *f. Strings in a. */
SUSPENDS bool client_tls_prepare(struct client_session *s, const struct client_host *h,
                                 struct arena *a, struct client_failure *f);
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
/* Whether the message may go over the connection that is open. */
bool client_tls_is_good_for(const struct client_session *s, const struct transport_message *m);
/* "cipher=TLS_AES_256_GCM_SHA384 policy=dane verified=yes", for the log. In a. */
const char *client_tls_describe(const struct client_session *s, struct arena *a);

/* --- client_tls_result.c: counting for reports (RFC 8460) --- */

/* What was found in DNS and in the policy; usable: the host is connected to. */
void client_tls_count_decision(const struct client_session *s, bool usable);
/* After a handshake, good or not; why: of a failure. */
void client_tls_count_handshake(const struct client_session *s, bool ok, const char *why);
/* The server offers no TLS. */
void client_tls_count_missing(const struct client_session *s);
