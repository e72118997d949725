/*
 * Whom the certificate of the other side names. It is believed only when OpenSSL could verify it
 * against the authorities of the context; a server asks for one only when it has such (tls.c).
 */
#include "net/stream_private.h"
#include "net/tls_private.h"

#include <openssl/x509v3.h>

#define NAME_MAX_BYTES 255

static bool add_name(struct buf *out, const ASN1_STRING *value)
{
    unsigned char *text = NULL;
    int n = ASN1_STRING_to_UTF8(&text, value);
    bool usable = n > 0 && n <= NAME_MAX_BYTES && !memchr(text, 0, (size_t)n);
    if (usable)
        buf_add(out, text, (size_t)n);
    OPENSSL_free(text);
    return usable;
}

static bool add_common_name(struct buf *out, X509 *certificate)
{
    X509_NAME *subject = X509_get_subject_name(certificate);
    int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    return at >= 0 && add_name(out, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
}

static bool add_host_name(struct buf *out, X509 *certificate)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    bool found = false;
    for (int i = 0; i < sk_GENERAL_NAME_num(names) && !found; i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        found = name->type == GEN_DNS && add_name(out, name->d.dNSName);
    }
    GENERAL_NAMES_free(names);
    return found;
}

bool stream_tls_peer_name(const struct stream *s, struct buf *name)
{
    X509 *certificate = s->handshaken ? SSL_get0_peer_certificate(s->ssl) : NULL;
    if (!certificate || SSL_get_verify_result(s->ssl) != X509_V_OK)
        return false;
    return add_common_name(name, certificate) || add_host_name(name, certificate);
}

/* --- logins --- */

/* Sessions are resumed for hours: what was valid then may have ended. */
static bool is_valid_now(const X509 *certificate)
{
    time_t now = (time_t)(clock_wall() / USEC_SEC);
    return X509_cmp_time(X509_get0_notBefore(certificate), &now) < 0 &&
           X509_cmp_time(X509_get0_notAfter(certificate), &now) > 0;
}

bool stream_tls_client_may_log_in(const struct stream *s)
{
    if (!s->handshaken || !s->tls || s->tls->clients == TLS_CLIENTS_ASKED)
        return false;
    const X509 *certificate = SSL_get0_peer_certificate(s->ssl);
    return certificate && SSL_get_verify_result(s->ssl) == X509_V_OK && is_valid_now(certificate);
}

static const ASN1_STRING *value_of(const GENERAL_NAME *name, enum tls_client_name kind)
{
    if (kind == TLS_CLIENT_EMAIL)
        return name->type == GEN_EMAIL ? name->d.rfc822Name : NULL;
    if (name->type != GEN_OTHERNAME || OBJ_obj2nid(name->d.otherName->type_id) != NID_ms_upn ||
        ASN1_TYPE_get(name->d.otherName->value) != V_ASN1_UTF8STRING)
        return NULL;
    return name->d.otherName->value->value.utf8string;
}

/* The first of its kind, usable or not: a second one does not stand in for it. */
static bool add_alternative_name(struct buf *out, X509 *certificate, enum tls_client_name kind)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    const ASN1_STRING *value = NULL;
    for (int i = 0; i < sk_GENERAL_NAME_num(names) && !value; i++)
        value = value_of(sk_GENERAL_NAME_value(names, i), kind);
    bool found = value && add_name(out, value);
    GENERAL_NAMES_free(names);
    return found;
}

bool stream_tls_client_name(const struct stream *s, enum tls_client_name kind, struct buf *name)
{
    X509 *certificate = s->handshaken ? SSL_get0_peer_certificate(s->ssl) : NULL;
    if (!certificate)
        return false;
    return kind == TLS_CLIENT_COMMON_NAME ? add_common_name(name, certificate)
                                          : add_alternative_name(name, certificate, kind);
}
