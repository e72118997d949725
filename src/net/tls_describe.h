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
    int64_t not_before, not_after; /* seconds since 1970 */
    /* Of the chain behind it the first to expire; 0: there is no chain. */
    int64_t chain_not_after;
};
/* How many certificates a server's context has: one, and those of the blocks `certificate`. */
size_t tls_context_count(const struct tls_context *c);
/* The file of one, "": that of the block tls; NULL: there is none. */
const char *tls_context_certificate_at(const struct tls_context *c, size_t i, struct arena *a,
                                       struct tls_certificate *certificate);
/* Of one of OpenSSL's contexts; private to net. */
struct ssl_ctx_st;
bool tls_describe_certificate(struct ssl_ctx_st *ssl, struct arena *a,
                              struct tls_certificate *certificate);
/* Of a server's context; texts in a, as the certificate has them. False: it has none. */
bool tls_context_certificate(const struct tls_context *c, struct arena *a,
                             struct tls_certificate *certificate);
