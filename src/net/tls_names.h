#pragma once
/*
 * The certificates of a server beside that of the block tls, by the names that clients ask for.
 * Private to net.
 */
#include "net/tls.h"

#include <openssl/ssl.h>

struct tls_names;

/* Of the blocks `certificate`. Blocking; *e has the block's name and the file. */
struct tls_names *tls_names_new(const struct config *config, struct err *e);
/* NULL is allowed. */
void tls_names_free(struct tls_names *n);
/* Connections of this context, which n outlives, get what they ask for. */
void tls_names_serve(struct tls_names *n, SSL_CTX *ssl);
