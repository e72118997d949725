/*
 * OpenSSL keeps no sessions for us: with TLS 1.3 a server gives tickets at any time after the
 * handshake, and the newest is with the connection until somebody asks for it, best at its end.
 */
#include "net/stream_private.h"
#include "net/tls_session.h"

#include <openssl/err.h>

struct tls_session *stream_tls_session(const struct stream *s)
{
    SSL_SESSION *session = s->handshaken && !s->broken ? SSL_get1_session(s->ssl) : NULL;
    if (session && !SSL_SESSION_is_resumable(session)) {
        SSL_SESSION_free(session);
        session = NULL;
    }
    return (struct tls_session *)session;
}

void tls_session_free(struct tls_session *t)
{
    SSL_SESSION_free((SSL_SESSION *)t);
}

void stream_resume_tls(struct stream *s, struct tls_session *t)
{
    SSL_SESSION *session = (SSL_SESSION *)t;
    if (SSL_SESSION_up_ref(session) != 1)
        return;
    SSL_SESSION_free(s->resume);
    s->resume = session;
}

bool stream_tls_is_resumed(const struct stream *s)
{
    return s->handshaken && SSL_session_reused(s->ssl);
}

bool stream_tls_binding(const struct stream *s, unsigned char binding[TLS_BINDING_SIZE])
{
    static const char label[] = "EXPORTER-Channel-Binding";
    if (!s->handshaken || SSL_version(s->ssl) < TLS1_3_VERSION)
        return false;
    bool ok = SSL_export_keying_material(s->ssl, binding, TLS_BINDING_SIZE, label,
                                         sizeof(label) - 1, (const unsigned char *)"", 0, 1) == 1;
    ERR_clear_error();
    return ok;
}
