#pragma once
/*
 * The mechanisms OAUTHBEARER (RFC 7628) and XOAUTH2 (Google's, without an RFC): one exchange.
 * Private to auth; sasl.c begins it, logs how it ends and delays failures.
 */
#include "auth/auth_internal.h"

struct oauth_exchange;

/* Offered when an issuer is configured. */
#define OAUTH_MECHANISMS "OAUTHBEARER XOAUTH2"
bool oauth_has_mechanism(const char *name);

/* Lives in the arena. */
struct oauth_exchange *oauth_exchange_new(struct auth *a, const char *mechanism,
                                          struct arena *arena);
/* A response of the client, p == NULL: none yet. CONTINUE: *challenge; DONE: *account; FAILED: *e
 * with the reason for the log. *user: as the client named itself, or the token does, for the log.
 */
SUSPENDS enum sasl_status oauth_exchange_step(struct oauth_exchange *x, struct str response,
                                              struct str *challenge, struct str *user,
                                              struct account *account, struct err *e);
