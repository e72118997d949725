#pragma once
/*
 * Certificates of a server with their keys. Private to net.
 */
#include "net/tls_describe.h"
#include "net/tls_private.h"

#define TLS_KINDS_MAX 8 /* of keys that a server can have */

struct tls_pair {
    const char *path; /* of the certificate */
    X509 *certificate;
    STACK_OF(X509) * chain;
    EVP_PKEY *key;
    int kind; /* of the key: OpenSSL takes one of each into a context */
};

struct tls_pairs {
    size_t count;
    struct tls_pair list[];
};

/* key: none, or as many as certificates. Blocking; NULL with *e, which names the file: missing,
 * unreadable, key does not match, two with a key of the same kind. */
struct tls_pairs *tls_pairs_read(const struct string_list *certificate,
                                 const struct string_list *key, struct err *e);
/* NULL is allowed. */
void tls_pairs_free(struct tls_pairs *p);
/* What the handshake of a context with it may show; it goes on without p. */
bool tls_pair_use(const struct tls_pair *p, SSL_CTX *ssl, struct err *e);
