#pragma once
/* The context as stream_tls.c and tls.c see it. */
#include "net/tls.h"

#include <openssl/ssl.h>
#include <stdatomic.h>

struct tls_context {
    atomic_uint references; /* made on workers, dropped on the loop */
    SSL_CTX *ssl;
    BIO_METHOD *bio_method; /* a stream as OpenSSL's transport */
    bool server;
};

/* The methods by which OpenSSL reads and writes a struct stream (the BIO's data). */
BIO_METHOD *stream_bio_method_new(void);
