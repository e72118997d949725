#pragma once
/*
 * The public keys of an issuer (JSON Web Key Set, RFC 7517) and signatures by them (RFC 7518, RFC
 * 8037). Pure: no file, no network. Private to auth.
 */
#include "auth/jwt.h"

struct jwt_keys;

/* NULL: no key set, *e in words for the operator. Keys that are not for signatures, of kinds or
 * sizes that are not supported, or malformed are left out. With one reference. */
struct jwt_keys *jwt_keys_parse(struct str document, struct err *e);
struct jwt_keys *jwt_keys_ref(struct jwt_keys *k);
/* NULL is allowed. */
void jwt_keys_unref(struct jwt_keys *k);
size_t jwt_keys_count(const struct jwt_keys *k);

/* RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA; nothing that a public key, or no
 * key, could sign. */
bool jwt_algorithm_is_known(const char *name);

/* A key that could have signed the token: of its id, if it names one, and of its algorithm. */
bool jwt_keys_fit(const struct jwt_keys *k, const struct jwt *t);
/* Whether one of those has. CPU-heavy (some 100 us); touches nothing but its arguments. */
bool jwt_keys_verify(const struct jwt_keys *k, const struct jwt *t);
