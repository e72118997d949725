/*
 * TLS contexts.
 *
 * Server: TLS 1.2 with ECDHE and AEAD ciphers only, or TLS 1.3; no renegotiation, no compression,
 * no session cache (sessions are resumed from tickets, so they cost no memory here), one ticket
 * per handshake with OpenSSL's default keys, which live as long as the context.
 *
 * Client: the same least version, but every cipher OpenSSL holds for secure. Mail servers encrypt
 * opportunistically (RFC 7435): where RSA key exchange is all the other side can do, the
 * alternative to it is plain text.
 *
 * The system's authorities take some hundred kilobytes and milliseconds: they are loaded when TLS
 * is begun with another server for the first time.
 */
#include "net/tls_names.h"
#include "net/tls_pairs.h"
#include "net/tls_private.h"

#include "core/disk.h"
#include "core/mem.h"
#include "core/worker.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdlib.h>

static const char server_ciphers[] = "ECDHE+AESGCM:ECDHE+CHACHA20";
static const char client_ciphers[] =
    "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM:DHE+CHACHA20:ECDHE:DHE:HIGH:!aNULL:!eNULL:!PSK:!SRP";
static const char groups[] = "X25519:P-256:P-384";

/* Where systems keep the authorities they trust. */
static const char *const system_ca_files[] = {
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
};

static const char *const protocols[] = {"TLSv1.2", "TLSv1.3", NULL};

#define FIELD(name) offsetof(struct tls_settings, name)

static const struct setting settings[] = {
    {"certificate", SETTING_PATHS, FIELD(certificate), "", 0, 0, NULL,
     "PEM file with the server's certificate and the chain behind it. Two, one with an RSA key and "
     "one with an ECDSA key: each client gets the one that it can use. Without one no listener can "
     "offer TLS."},
    {"key", SETTING_PATHS, FIELD(key), "", 0, 0, NULL,
     "PEM file with the private key, without passphrase; of several certificates as many, in the "
     "same order. Not set: in the certificate's file."},
    {"protocol_min", SETTING_CHOICE, FIELD(protocol_min), "TLSv1.2", 0, 0, protocols,
     "Oldest version of TLS that is spoken."},
    {"ca_file", SETTING_PATH, FIELD(ca_file), "", 0, 0, NULL,
     "PEM file with the authorities whose certificates are trusted when maild connects to others. "
     "Not set: the system's."},
    {"client_ca_file", SETTING_PATH, FIELD(client_ca_file), "", 0, 0, NULL,
     "PEM file with authorities: clients are asked for a certificate, and the name in one that "
     "these have signed stands in Received fields. Nobody is refused for it, but by a listener "
     "with "
     "client_certificates. Not set: clients are not asked."},
    {0},
};

const struct settings_block tls_settings_block = {
    .name = "tls",
    .help = "Certificate and versions of TLS, for all listeners and for outgoing connections.",
    .size = sizeof(struct tls_settings),
    .settings = settings,
};

static bool use_authorities(void *arg, BIO *bio, const char *path, struct err *e)
{
    SSL_CTX *ssl = arg;
    size_t count = 0;
    X509 *authority;
    for (; (authority = PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL)); count++) {
        bool added = X509_STORE_add_cert(SSL_CTX_get_cert_store(ssl), authority) == 1;
        X509_free(authority);
        if (!added)
            return tls_error(e, path, "a certificate cannot be used");
    }
    if (!tls_pem_at_end())
        return tls_error(e, path, "a certificate is damaged");
    return count > 0 || tls_error(e, path, "no certificate in this file");
}

/* The system's bundle; where there is none, OpenSSL's own idea of the place. */
static bool find_system_authorities(struct tls_context *c, struct err *e)
{
    struct stat st;
    for (size_t i = 0; i < sizeof(system_ca_files) / sizeof(system_ca_files[0]); i++) {
        if (disk_stat(system_ca_files[i], &st, NULL)) {
            c->system_authorities = system_ca_files[i];
            return true;
        }
    }
    return SSL_CTX_set_default_verify_paths(c->ssl) == 1 ||
           tls_error(e, "tls", "the system's certificate authorities cannot be found");
}

/* What both sides have in common. */
static struct tls_context *new_context(const struct tls_settings *s, bool server, struct err *e)
{
    struct tls_context *c = MEM_NEW(struct tls_context);
    atomic_init(&c->references, 1);
    c->server = server;
    c->ssl = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
    c->bio_method = stream_bio_method_new();
    int version = s->protocol_min == 1 ? TLS1_3_VERSION : TLS1_2_VERSION;
    if (!c->ssl || !c->bio_method || SSL_CTX_set_min_proto_version(c->ssl, version) != 1 ||
        SSL_CTX_set_cipher_list(c->ssl, server ? server_ciphers : client_ciphers) != 1 ||
        SSL_CTX_set1_groups_list(c->ssl, groups) != 1) {
        tls_error(e, "tls", "OpenSSL cannot be set up");
        tls_context_unref(c);
        return NULL;
    }
    SSL_CTX_set_mode(c->ssl, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                 SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_options(c->ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_read_ahead(c->ssl, 1);
    SSL_CTX_set_session_cache_mode(c->ssl, SSL_SESS_CACHE_OFF);
    return c;
}

/* Whatever the certificate is, the connection goes on; SSL_get_verify_result remembers. */
static int go_on(int ok, X509_STORE_CTX *store)
{
    (void)ok;
    (void)store;
    return 1;
}

static bool ask_clients(SSL_CTX *ssl, const char *path, struct err *e)
{
    if (!path || path[0] == '\0')
        return true;
    SSL_CTX_set_verify(ssl, SSL_VERIFY_PEER, go_on);
    return tls_with_pem(path, use_authorities, ssl, e);
}

/* The same in all contexts of a server: OpenSSL refuses to go on with a session of another one. */
static void set_session_id(SSL_CTX *ssl)
{
    static const unsigned char id[] = "maild";
    SSL_CTX_set_session_id_context(ssl, id, sizeof(id) - 1);
}

SSL_CTX *tls_new_server_ssl(struct err *e)
{
    SSL_CTX *ssl = SSL_CTX_new(TLS_server_method());
    if (!ssl) {
        tls_error(e, "tls", "OpenSSL cannot be set up");
        return NULL;
    }
    set_session_id(ssl);
    return ssl;
}

struct tls_context *tls_server_context_of(const struct config *config, struct err *e)
{
    struct tls_context *c = tls_server_context(config_block(config, &tls_settings_block), e);
    if (!c)
        return NULL;
    c->names = tls_names_new(config, e);
    if (!c->names) {
        tls_context_unref(c);
        return NULL;
    }
    tls_names_serve(c->names, c->ssl);
    return c;
}

struct tls_context *tls_server_context(const struct tls_settings *s, struct err *e)
{
    if (s->certificate.count == 0) {
        err_set(e, ERR_PERM, "tls: certificate is not set");
        return NULL;
    }
    struct tls_context *c = new_context(s, true, e);
    if (!c)
        return NULL;
    set_session_id(c->ssl);
    SSL_CTX_set_num_tickets(c->ssl, 1);
    SSL_CTX_set_options(c->ssl, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    tls_binding_remember(c->ssl);
    c->pairs = tls_pairs_read(&s->certificate, &s->key, e);
    bool ok = c->pairs && ask_clients(c->ssl, s->client_ca_file, e);
    for (size_t i = 0; ok && i < c->pairs->count; i++)
        ok = tls_pair_use(&c->pairs->list[i], c->ssl, e);
    if (!ok) {
        err_prefix(e, "tls");
        tls_context_unref(c);
        return NULL;
    }
    return c;
}

struct tls_context *tls_client_context(const struct tls_settings *s, struct err *e)
{
    struct tls_context *c = new_context(s, false, e);
    if (!c)
        return NULL;
    if (SSL_CTX_dane_enable(c->ssl) != 1) {
        tls_error(e, "tls", "OpenSSL cannot do DANE");
        tls_context_unref(c);
        return NULL;
    }
    bool trusting = s->ca_file[0] ? tls_with_pem(s->ca_file, use_authorities, c->ssl, e)
                                  : find_system_authorities(c, e);
    if (!trusting) {
        tls_context_unref(c);
        return NULL;
    }
    return c;
}

struct loading {
    struct tls_context *context;
    bool ok;
    struct err error;
};

static void load_on_worker(void *arg)
{
    struct loading *l = arg;
    struct tls_context *c = l->context;
    l->ok = tls_with_pem(c->system_authorities, use_authorities, c->ssl, &l->error);
}

bool tls_context_trust(struct tls_context *c, struct err *e)
{
    while (c->loading)
        cond_wait_certain(&c->loaded);
    if (!c->system_authorities)
        return true;
    struct loading l = {.context = tls_context_ref(c)};
    c->loading = true;
    worker_run(WORKER_DISK, load_on_worker, &l);
    c->loading = false;
    if (l.ok)
        c->system_authorities = NULL;
    cond_broadcast(&c->loaded);
    tls_context_unref(c);
    return l.ok || err_set(e, ERR_TEMP, "%s", l.error.text);
}

struct tls_context *tls_context_for_clients(struct tls_context *c, enum tls_clients clients)
{
    struct tls_context *view = MEM_NEW(struct tls_context);
    atomic_init(&view->references, 1);
    view->parent = tls_context_ref(c);
    view->ssl = c->ssl;
    view->bio_method = c->bio_method;
    view->server = true;
    view->clients = clients;
    return view;
}

struct tls_context *tls_context_ref(struct tls_context *c)
{
    atomic_fetch_add(&c->references, 1);
    return c;
}

void tls_context_unref(struct tls_context *c)
{
    if (!c || atomic_fetch_sub(&c->references, 1) > 1)
        return;
    if (c->parent) {
        tls_context_unref(c->parent);
    } else {
        SSL_CTX_free(c->ssl);
        tls_names_free(c->names);
        tls_pairs_free(c->pairs);
        BIO_meth_free(c->bio_method);
    }
    free(c);
}
