/*
 * TLS on a stream: OpenSSL over a BIO of our own, which is the stream's socket.
 *
 * The BIO sends with MSG_NOSIGNAL, counts bytes, and knows through `readable` that the socket is
 * empty, so that a record costs one system call and not a second one that says EAGAIN. OpenSSL
 * reads ahead (header and body in one call); what it holds back is seen by SSL_has_pending before a
 * stream is parked. With SSL_MODE_RELEASE_BUFFERS an idle connection has no record buffers.
 *
 * STARTTLS (RFC 3207 section 4.2, RFC 9051 section 6.2.1): what came in plain text before the
 * handshake must not be taken for something said under TLS. A client that sent more behind its
 * STARTTLS gets no handshake at all. Bytes that are still in the socket meet the handshake as
 * garbage and end it.
 *
 * After a fatal error OpenSSL allows no SSL_shutdown: `broken` is set and the stream only closes.
 * An end of the connection without close_notify is an end by the network: ERR_CLOSED.
 */
#include "net/stream_private.h"
#include "net/tls_expect.h"
#include "net/tls_private.h"

#include <assert.h>
#include <errno.h>
#include <openssl/err.h>

#define SMALL_RECORD 4096

/* --- the BIO --- */

static int bio_read(BIO *bio, char *p, size_t n, size_t *got)
{
    ssize_t r = stream_socket_read(BIO_get_data(bio), p, n);
    BIO_clear_retry_flags(bio);
    *got = r > 0 ? (size_t)r : 0;
    if (r < 0 && errno == EAGAIN)
        BIO_set_retry_read(bio);
    if (r == 0)
        BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
    return r > 0;
}

static int bio_write(BIO *bio, const char *p, size_t n, size_t *sent)
{
    ssize_t r = stream_socket_write(BIO_get_data(bio), p, n);
    BIO_clear_retry_flags(bio);
    *sent = r > 0 ? (size_t)r : 0;
    if (r < 0 && errno == EAGAIN)
        BIO_set_retry_write(bio);
    return r > 0;
}

static long bio_ctrl(BIO *bio, int command, long number, void *pointer)
{
    (void)number;
    (void)pointer;
    if (command == BIO_CTRL_EOF)
        return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0;
    return command == BIO_CTRL_FLUSH;
}

BIO_METHOD *stream_bio_method_new(void)
{
    BIO_METHOD *m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "stream");
    if (!m)
        return NULL;
    BIO_meth_set_read_ex(m, bio_read);
    BIO_meth_set_write_ex(m, bio_write);
    BIO_meth_set_ctrl(m, bio_ctrl);
    return m;
}

/* --- steps --- */

/* What a call that returned r <= 0 wants or how it failed. */
static enum io result(struct stream *s, int r)
{
    int cause = errno;
    switch (SSL_get_error(s->ssl, r)) {
    case SSL_ERROR_WANT_READ:
        return IO_WANT_READ;
    case SSL_ERROR_WANT_WRITE:
        return IO_WANT_WRITE;
    case SSL_ERROR_ZERO_RETURN:
        s->ended = true;
        return IO_ENDED;
    case SSL_ERROR_SSL:
        s->tls_error = ERR_peek_error();
        if (ERR_GET_REASON(s->tls_error) != SSL_R_UNEXPECTED_EOF_WHILE_READING) {
            s->broken = ERR_TLS;
            break;
        }
        cause = ECONNRESET;
        /* fall through */
    default:
        s->broken = ERR_CLOSED;
        s->socket_error = cause ? cause : ECONNRESET;
    }
    ERR_clear_error();
    return IO_BROKEN;
}

enum io stream_tls_read(struct stream *s, void *p, size_t n, size_t *got)
{
    ERR_clear_error();
    errno = 0;
    int r = SSL_read_ex(s->ssl, p, n, got);
    return r == 1 ? IO_DONE : result(s, r);
}

/* A buffer that is there already has the size of the time when it was made, which may have been for
 * nothing: reading a ticket of TLS 1.3 makes one. A larger record needs another. */
static long record_size(struct stream *s, size_t n)
{
    bool large = n > SMALL_RECORD;
    if (large && s->small_records && SSL_free_buffers(s->ssl) != 1)
        large = false;
    s->small_records = !large;
    return large ? SSL3_RT_MAX_PLAIN_LENGTH : SMALL_RECORD;
}

/* One record. OpenSSL makes a buffer for the largest that may come, and who waits holds that. Of
 * several records only the last need wake the peer. */
enum io stream_tls_write(struct stream *s, const void *p, size_t n, size_t *sent)
{
    ERR_clear_error();
    errno = 0;
    long most = record_size(s, n);
    SSL_set_max_send_fragment(s->ssl, most);
    SSL_set_split_send_fragment(s->ssl, most);
    s->more = n > SSL3_RT_MAX_PLAIN_LENGTH;
    int r = SSL_write_ex(s->ssl, p, n, sent);
    s->more = false;
    return r == 1 ? IO_DONE : result(s, r);
}

void stream_tls_goodbye(struct stream *s)
{
    if (!s->ssl || !s->handshaken)
        return;
    ERR_clear_error();
    SSL_shutdown(s->ssl);
    ERR_clear_error();
}

void stream_tls_free(struct stream *s)
{
    SSL_free(s->ssl);
    s->ssl = NULL;
    if (s->tls)
        tls_context_unref(s->tls);
    s->tls = NULL;
    SSL_SESSION_free(s->resume);
    s->resume = NULL;
}

/* --- handshake --- */

static bool handshake_error(struct stream *s, struct err *e)
{
    if (s->broken == ERR_TLS && ERR_GET_REASON(s->tls_error) == SSL_R_CERTIFICATE_VERIFY_FAILED)
        return err_set(e, ERR_TLS, "%s: certificate: %s", s->peer,
                       X509_verify_cert_error_string(SSL_get_verify_result(s->ssl)));
    stream_report(s, e);
    return err_prefix(e, "handshake");
}

static bool handshake(struct stream *s, struct err *e)
{
    usec deadline = deadline_in(s->timeout);
    for (;;) {
        if (s->broken)
            return handshake_error(s, e);
        ERR_clear_error();
        errno = 0;
        int r = SSL_do_handshake(s->ssl);
        if (r == 1)
            break;
        enum io want = result(s, r);
        if (want == IO_ENDED)
            s->broken = ERR_CLOSED;
        if (want == IO_ENDED || want == IO_BROKEN)
            return handshake_error(s, e);
        if (!stream_wait(s, want, deadline, e)) {
            s->broken = s->broken ? s->broken : e ? e->kind : ERR_CLOSED;
            return err_prefix(e, "handshake");
        }
    }
    s->handshaken = true;
    s->hub->stats.tls++;
    return true;
}

/* Plain text is over: everything said is sent, nothing heard is kept. */
static bool leave_plain_text(struct stream *s, struct err *e)
{
    assert(!s->ssl);
    if (!stream_flush(s, e))
        return false;
    if (s->in_offset < s->in.n || s->skipping) {
        buf_clear(&s->in);
        s->in_offset = 0;
        s->broken = ERR_TLS;
        return err_set(e, ERR_TLS, "%s: plain text after STARTTLS", s->peer);
    }
    return true;
}

static bool attach(struct stream *s, struct tls_context *c, struct err *e)
{
    BIO *bio = BIO_new(c->bio_method);
    s->ssl = SSL_new(c->ssl);
    if (!s->ssl || !bio) {
        BIO_free(bio);
        SSL_free(s->ssl);
        s->ssl = NULL;
        return err_set(e, ERR_TEMP, "%s: no memory for TLS", s->peer);
    }
    BIO_set_data(bio, s);
    BIO_set_init(bio, 1);
    SSL_set_bio(s->ssl, bio, bio);
    if (s->secret)
        SSL_set_options(s->ssl, SSL_OP_CLEANSE_PLAINTEXT);
    s->tls = tls_context_ref(c);
    return true;
}

/* In place of the context's, which lets everybody go on. */
static int as_verified(int ok, X509_STORE_CTX *store)
{
    (void)store;
    return ok;
}

/* A session that began where no certificate was needed does not go on here. */
static void require_certificate(SSL *ssl)
{
    static const unsigned char id[] = "maild, certificate required";
    SSL_set_verify(ssl, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, as_verified);
    SSL_set_session_id_context(ssl, id, sizeof(id) - 1);
}

bool stream_start_tls_server(struct stream *s, struct tls_context *c, struct err *e)
{
    if (!leave_plain_text(s, e) || !attach(s, c, e))
        return false;
    if (c->clients == TLS_CLIENTS_REQUIRED)
        require_certificate(s->ssl);
    SSL_set_accept_state(s->ssl);
    return handshake(s, e);
}

bool stream_start_tls_expecting(struct stream *s, struct tls_context *c,
                                const struct tls_expectation *x, struct err *e)
{
    if (!leave_plain_text(s, e) || (!tls_context_trust(c, e) && x->check == TLS_CHECK_NAMES) ||
        !attach(s, c, e))
        return false;
    if (!tls_expect(s->ssl, x)) {
        ERR_clear_error();
        s->broken = ERR_TLS;
        return err_set(e, ERR_TLS, "%s: no name or record TLS could use: %s", s->peer,
                       x->name_count > 0 ? x->names[0]
                       : x->sni          ? x->sni
                                         : "none");
    }
    s->tls_named = x->name_count > 0;
    if (s->resume && x->check != TLS_CHECK_DANE && SSL_set_session(s->ssl, s->resume) != 1)
        ERR_clear_error(); /* a full handshake, then */
    SSL_set_connect_state(s->ssl);
    if (!handshake(s, e))
        return false;
    if (tls_meets(s->ssl, x))
        return true;
    s->broken = ERR_TLS;
    return err_set(e, ERR_TLS, "%s: the certificate is not the one that is expected", s->peer);
}

bool stream_start_tls_client(struct stream *s, struct tls_context *c, const char *sni,
                             const char *verify_name, struct err *e)
{
    const struct tls_expectation x = {.check = verify_name ? TLS_CHECK_NAMES : TLS_CHECK_NOTHING,
                                      .sni = sni,
                                      .names = &verify_name,
                                      .name_count = verify_name ? 1 : 0};
    return stream_start_tls_expecting(s, c, &x, e);
}

bool stream_is_tls(const struct stream *s)
{
    return s->handshaken;
}

const char *stream_tls_version(const struct stream *s)
{
    return s->handshaken ? SSL_get_version(s->ssl) : NULL;
}

const char *stream_tls_cipher(const struct stream *s)
{
    return s->handshaken ? SSL_get_cipher_name(s->ssl) : NULL;
}
