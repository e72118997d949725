#pragma once
/*
 * JSON Web Tokens (RFC 7519) as their reader sees them: signed, in compact form (RFC 7515 7.1).
 * Nothing here believes a token: jwt_keys.h does when a key of the issuer has signed it, and
 * jwt_check says whether what it claims is for us and for now. Private to auth.
 */
#include "core/buf.h"
#include "core/err.h"
#include "core/settings.h"

#include <jansson.h>

struct jwt {
    json_t *header, *claims;
    const char *algorithm; /* "ES256"; of the header */
    const char *key_id;    /* NULL: the token does not say */
    struct str input;      /* what is signed: the first two parts as they came, borrowed */
    struct buf signature;
};

/* ERR_DENIED, reason for the log as text: "token_malformed", "token_critical", "token_type". The
 * token is borrowed as long as *t is used. */
bool jwt_parse(struct str token, struct jwt *t, struct err *e);
/* Also after a failure. */
void jwt_free(struct jwt *t);

/* Whether it looks like one: three parts, the first of which is a JSON object with an algorithm. */
bool jwt_is_one(struct str token);

struct jwt_rules {
    const char *issuer;          /* "": any */
    struct string_list audience; /* one of them must be meant; none: whoever is meant */
    struct string_list scope;    /* all of them */
    usec leeway;                 /* how far the issuer's clock may be from ours */
    bool complete;               /* issuer, audience and end must be named (RFC 9068 4) */
};

/* now: microseconds since 1970. ERR_DENIED: "token_issuer", "token_audience", "token_expired",
 * "token_not_yet_valid", "token_scope", "token_malformed". */
bool jwt_check(const json_t *claims, const struct jwt_rules *rules, usec now, struct err *e);

/* The claim that names the user; of an address that the issuer says it has not verified: none.
 * Borrowed from claims. ERR_DENIED "token_login". */
bool jwt_login(const json_t *claims, const char *claim, struct str *login, struct err *e);

/* Seconds since 1970 at which it ends; INT64_MAX: not said. */
int64_t jwt_end(const json_t *claims);

/* An object from untrusted text: not deep, no name twice. NULL: it is none. */
json_t *jwt_json(struct str text);
/* Without padding, and nothing else (RFC 7515 2). */
bool jwt_decode_base64(struct str text, struct buf *out);
