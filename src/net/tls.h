#pragma once
/*
 * TLS contexts (OpenSSL): certificate and key for servers, verification for clients. A context is
 * reference counted; a reload makes a new one, connections keep theirs.
 */
#include "core/err.h"
#include "core/settings.h"

struct tls_context;

struct tls_settings {
    /* PEM chains, of each kind of key (RSA, ECDSA ...) one, and as many keys in the same order;
     * no keys: in the certificates' files. */
    struct string_list certificate, key;
    int protocol_min;           /* 0: TLS 1.2, 1: TLS 1.3 */
    const char *ca_file;        /* for verification as a client; "" : the system's */
    const char *client_ca_file; /* authorities of clients; "" : they are not asked */
};
extern const struct settings_block tls_settings_block; /* "tls" */

/* One of more certificates of a server: net/tls_names.c. */
struct certificate_settings {
    const char *name;
    struct string_list names;            /* none: the certificate's */
    struct string_list certificate, key; /* as in tls_settings */
};
extern const struct settings_block certificate_settings_block; /* "certificate", named */

/* Blocking. ERR_PERM with the file's name and OpenSSL's reason (missing, unreadable, key does not
 * match). */
struct tls_context *tls_server_context(const struct tls_settings *s, struct err *e);
/* The same with the blocks `certificate` of the configuration. */
struct tls_context *tls_server_context_of(const struct config *config, struct err *e);
/* Certificates that clients of a name do not get because of another with a key of the same kind:
 * a sentence for each name, up to some; NULL: no more. */
const char *tls_context_shadowed_at(const struct tls_context *c, size_t i);
struct tls_context *tls_client_context(const struct tls_settings *s, struct err *e);
/* Certificates of clients, beside that a server with client_ca_file asks all of them. */
enum tls_clients {
    TLS_CLIENTS_ASKED,    /* what they show says nothing about who may log in */
    TLS_CLIENTS_OPTIONAL, /* a client with a valid one may log in as whom it names */
    TLS_CLIENTS_REQUIRED, /* and one without has no connection */
};
/* A server's context with this rule; a reference. */
struct tls_context *tls_context_for_clients(struct tls_context *c, enum tls_clients clients);
struct tls_context *tls_context_ref(struct tls_context *c);
void tls_context_unref(struct tls_context *c);

/* Makes a self-signed P-256 certificate for the names (the first is the CN), valid for `days`,
 * and its key (mode 0600) as PEM files. Blocking. */
bool tls_make_self_signed(const char *certificate_path, const char *key_path,
                          const char *const *names, size_t count, int days, struct err *e);
