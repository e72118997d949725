/*
 * Channel bindings: bytes that both ends of one TLS connection compute alike, and that differ from
 * those of every other connection (tls-exporter, RFC 9266; tls-unique, RFC 5929 3), or at least of
 * every other server (tls-server-end-point, RFC 5929 4: the hash of its certificate).
 *
 * Before TLS 1.3 the first two are sound only with the extended master secret (RFC 7627): without
 * it two connections can be made to agree. With TLS 1.3 tls-unique does not exist.
 *
 * In a resumed handshake no certificate is shown: what counts is the one of the handshake before,
 * and of several only the ticket can tell which one that was.
 */
#include "net/stream_private.h"
#include "net/tls_private.h"
#include "net/tls_session.h"

#include <openssl/err.h>

static bool add_exporter(struct buf *out, SSL *ssl)
{
    static const char label[] = "EXPORTER-Channel-Binding";
    unsigned char bytes[TLS_BINDING_SIZE];
    if (SSL_export_keying_material(ssl, bytes, sizeof(bytes), label, sizeof(label) - 1,
                                   (const unsigned char *)"", 0, 1) != 1)
        return false;
    buf_add(out, bytes, sizeof(bytes));
    return true;
}

/* The Finished message that came first: the client's, but in a resumed handshake the server's. */
static bool add_unique(struct buf *out, SSL *ssl)
{
    unsigned char bytes[EVP_MAX_MD_SIZE];
    bool own = SSL_session_reused(ssl);
    size_t n = own ? SSL_get_finished(ssl, bytes, sizeof(bytes))
                   : SSL_get_peer_finished(ssl, bytes, sizeof(bytes));
    if (n == 0 || n > sizeof(bytes))
        return false;
    buf_add(out, bytes, n);
    return true;
}

/* The hash of the certificate's signature, but SHA-256 where that is MD5, SHA-1 or none. */
static const EVP_MD *digest_of(const X509 *certificate)
{
    int digest = NID_undef;
    X509_get_signature_info((X509 *)certificate, &digest, NULL, NULL, NULL);
    if (digest == NID_undef || digest == NID_md5 || digest == NID_sha1 || digest == NID_md5_sha1)
        return EVP_sha256();
    return EVP_get_digestbynid(digest);
}

/* Of the certificate that this handshake has shown. */
static unsigned hash_shown(SSL *ssl, unsigned char bytes[EVP_MAX_MD_SIZE])
{
    unsigned n = 0;
    const X509 *certificate = SSL_get_certificate(ssl);
    const EVP_MD *digest = certificate ? digest_of(certificate) : NULL;
    return digest && X509_digest(certificate, digest, bytes, &n) == 1 ? n : 0;
}

static bool add_server_end_point(struct buf *out, SSL *ssl)
{
    unsigned char bytes[EVP_MAX_MD_SIZE];
    void *remembered = NULL;
    size_t n = 0;
    if (SSL_session_reused(ssl)) {
        if (SSL_SESSION_get0_ticket_appdata(SSL_get_session(ssl), &remembered, &n) != 1)
            return false;
        buf_add(out, remembered, n);
        return n > 0;
    }
    n = hash_shown(ssl, bytes);
    buf_add(out, bytes, n);
    return n > 0;
}

/* A ticket that follows a resumed handshake has the hash from the one before. */
static int on_ticket(SSL *ssl, void *arg)
{
    unsigned char bytes[EVP_MAX_MD_SIZE];
    (void)arg;
    if (SSL_session_reused(ssl))
        return 1;
    unsigned n = hash_shown(ssl, bytes);
    return n > 0 ? SSL_SESSION_set1_ticket_appdata(SSL_get_session(ssl), bytes, n) : 1;
}

void tls_binding_remember(SSL_CTX *ssl)
{
    SSL_CTX_set_session_ticket_cb(ssl, on_ticket, NULL, NULL);
}

bool stream_tls_channel_binding(const struct stream *s, const char *type, struct buf *bytes)
{
    if (!s->handshaken || s->broken)
        return false;
    bool new = SSL_version(s->ssl) >= TLS1_3_VERSION;
    bool unique = new || SSL_get_extms_support(s->ssl) == 1;
    bool ok = false;
    if (strcmp(type, "tls-exporter") == 0)
        ok = unique && add_exporter(bytes, s->ssl);
    else if (strcmp(type, "tls-unique") == 0)
        ok = !new &&unique &&add_unique(bytes, s->ssl);
    else if (strcmp(type, "tls-server-end-point") == 0)
        ok = add_server_end_point(bytes, s->ssl);
    ERR_clear_error();
    return ok;
}
