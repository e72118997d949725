#pragma once
/* The context as stream_tls.c and tls.c see it. */
#include "core/fiber.h"
#include "net/tls.h"

#include <openssl/ssl.h>
#include <stdatomic.h>

struct tls_context {
    atomic_uint references; /* made on workers, dropped on the loop */
    SSL_CTX *ssl;
    BIO_METHOD *bio_method; /* a stream as OpenSSL's transport */
    bool server;
    struct tls_pairs *pairs; /* a server's certificates of the block tls */
    struct tls_names *names; /* more certificates; NULL: none */
    enum tls_clients clients;
    struct tls_context *parent;     /* whose ssl and bio_method these are; NULL: its own */
    const char *system_authorities; /* a client's: the file; NULL: they are loaded */
    bool loading;
    struct cond loaded;
};

/* Before a server's certificate is looked at. ERR_TEMP: the authorities cannot be read. */
SUSPENDS bool tls_context_trust(struct tls_context *c, struct err *e);

/* For other certificates of the server, and nothing else. */
SSL_CTX *tls_new_server_ssl(struct err *e);

/* --- tls_pem.c --- */
/* "path: what: OpenSSL's reason"; empties OpenSSL's queue of errors. False. */
bool tls_error(struct err *e, const char *path, const char *what);
/* Opens the PEM file and lets `use` take from it what it needs. Blocking. */
bool tls_with_pem(const char *path,
                  bool (*use)(void *arg, BIO *bio, const char *path, struct err *e), void *arg,
                  struct err *e);
/* True at the regular end of a PEM file; clears the error that marks it. */
bool tls_pem_at_end(void);

/* --- stream_tls_binding.c --- */
/* Tickets of the context know which certificate was shown. */
void tls_binding_remember(SSL_CTX *ssl);

/* The methods by which OpenSSL reads and writes a struct stream (the BIO's data). */
BIO_METHOD *stream_bio_method_new(void);

struct tls_expectation;
/* --- tls_expect.c --- */
/* Before the handshake; false: no name or record that OpenSSL could use. */
bool tls_expect(SSL *ssl, const struct tls_expectation *x);
/* After it: what the handshake alone does not make sure. */
bool tls_meets(SSL *ssl, const struct tls_expectation *x);
