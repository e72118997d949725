#pragma once
/*
 * What a server's certificate says of itself, for people who must renew it in time.
 */
#include "core/arena.h"
#include "net/tls.h"

#include <stdint.h>

struct tls_certificate {
    struct str *names; /* subjectAltName: DNS names and addresses; without any the CN */
    size_t name_count;
    struct str issuer; /* its CN, or O */
    bool self_signed;
    const char *key_type; /* "RSA", "ECDSA" ... */
    int key_bits;
    int64_t not_before, not_after; /* seconds since 1970 */
    /* Of the chain behind it the first to expire; 0: there is no chain. */
    int64_t chain_not_after;
};
/* How many certificates a server's context has: those of the block tls, and behind them those of
 * the blocks `certificate`. */
size_t tls_context_count(const struct tls_context *c);
/* The file of one; texts in a, as the certificate has them. */
const char *tls_context_certificate_at(const struct tls_context *c, size_t i, struct arena *a,
                                       struct tls_certificate *certificate);
/* "RSA" for EVP_PKEY_RSA. */
const char *tls_key_type(int kind);
/* Private to net. */
struct tls_pair;
void tls_describe_pair(const struct tls_pair *p, struct arena *a,
                       struct tls_certificate *certificate);
