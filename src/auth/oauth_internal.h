#pragma once
/*
 * What the files of OAuth share. Private to auth.
 */
#include "auth/jwt_keys.h"
#include "auth/oauth.h"
#include "core/lru.h"
#include "net/http_client.h"

struct auth;
struct auth_peer;

/* The keys of an issuer as they were last read. */
struct oauth_keys {
    struct jwt_keys *keys; /* NULL: none yet */
    usec read, tried;      /* clock_monotonic */
    bool reading, failed;  /* the last try failed */
    struct err error;      /* how */
    struct cond read_cond;
};

struct oauth_issuer {
    unsigned references; /* one of struct oauth, one of each check */
    struct oauth *oauth;
    struct config *config; /* holds the settings */
    const struct oauth_settings *settings;
    struct oauth_keys keys;
    struct lru *remembered; /* introspection: by the token's hash */
    size_t asking;
};

struct oauth {
    struct http_client *http;
    struct tls_context *tls;
    struct oauth_issuer **issuers;
    size_t count;
};

bool oauth_introspects(const struct oauth_issuer *i);
struct jwt_rules oauth_rules(const struct oauth_issuer *i);

/* --- oauth_keys.c --- */

/* The keys to check this token with, referenced. ERR_DENIED "token_key": there is none for it;
 * ERR_TEMP. */
SUSPENDS struct jwt_keys *oauth_find_keys(struct oauth_issuer *i, const struct jwt *t,
                                          struct err *e);

/* --- oauth_introspect.c --- */

SUSPENDS bool oauth_introspect(struct oauth_issuer *i, struct str token, struct arena *a,
                               struct str *login, struct err *e);
struct lru *oauth_memory_new(void);
