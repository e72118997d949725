#pragma once
/*
 * Bearer tokens of OAuth 2.0 in place of passwords: who issues them, and whom a token names. An
 * issuer's tokens are checked here with its keys (JWT, RFC 9068) or by asking it (introspection,
 * RFC 7662). Several issuers may be configured.
 */
#include "core/arena.h"
#include "core/fiber.h"
#include "core/settings.h"
#include "net/dns.h"
#include "net/tls.h"

struct oauth;

struct oauth_settings {
    const char *name;
    const char *issuer;
    const char *jwks_url, *jwks_file, *introspection_url; /* one of them */
    const char *client_id, *client_secret;
    struct string_list audience, scope, algorithms;
    const char *login_claim;
    const char *openid_configuration; /* "": ISSUER/.well-known/openid-configuration */
    usec leeway, timeout;
    usec keys_lifetime, keys_stale; /* of keys: asked again after; used at most */
    usec cache_lifetime;            /* of an introspection's answer */
};
extern const struct settings_block oauth_settings_block; /* "oauth NAME" */

struct oauth_context {
    struct loop *loop;
    struct dns *dns;
};

/* Asks nobody before the first token comes. */
struct oauth *oauth_new(const struct oauth_context *c, const struct config *config,
                        struct tls_context *tls);
/* No check may be under way. NULL is allowed. */
void oauth_free(struct oauth *o);
/* Checks under way end with what they began with. */
void oauth_reload(struct oauth *o, const struct config *config, struct tls_context *tls);
/* At least one issuer is configured. NULL is allowed. */
bool oauth_is_configured(const struct oauth *o);

/* Whom the token names, as a login, in a. ERR_DENIED: the reason for the log, one word
 * ("token_expired", "token_signature" ...); ERR_TEMP: the issuer cannot be asked; ERR_CANCELLED. */
SUSPENDS bool oauth_check(struct oauth *o, struct str token, struct arena *a, struct str *login,
                          struct err *e);

/* What a refused client is told (RFC 7628 3.2.2): of the first issuer. "" when there is none. */
struct oauth_hint {
    const char *scope;
    const char *openid_configuration;
};
struct oauth_hint oauth_hint(const struct oauth *o, struct arena *a);
