/*
 * Expectations, told to OpenSSL before a handshake and read from it afterwards.
 *
 * With nothing to be checked OpenSSL verifies all the same and remembers the result; the handshake
 * goes on whatever it is (SSL_VERIFY_NONE), and the result is there for who wants to know what
 * would have been if more had been asked for.
 *
 * DANE (RFC 7671, for mail RFC 7672 3): of a server named by its own key (DANE-EE) neither names
 * nor dates are looked at, since the record says all (RFC 7672 3.1.1). Under an authority of the
 * domain's owner (DANE-TA) the chain must be good and carry one of the names. PKIX usages would
 * need authorities that mail servers do not have in common: such records cannot be used (3.1.3).
 * The authorities of the context count for nothing then.
 *
 * A resumed session shows no certificate. What its first handshake found stands in it, and the
 * certificate of then: both are looked at again. A session is not resumed under DANE, whose
 * records may have changed since.
 */
#include "net/tls_expect.h"

#include "net/stream_private.h"
#include "net/tls_private.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#define USAGE_TA 2
#define USAGE_EE 3

static bool add_record(SSL *ssl, const struct dns_tlsa *r)
{
    if (r->usage != USAGE_TA && r->usage != USAGE_EE)
        return false;
    bool usable = SSL_dane_tlsa_add(ssl, r->usage, r->selector, r->matching,
                                    (const unsigned char *)r->data.p, r->data.n) == 1;
    ERR_clear_error();
    return usable;
}

static bool expect_records(SSL *ssl, const struct tls_expectation *x)
{
    size_t usable = 0;
    if (SSL_dane_enable(ssl, x->names[0]) != 1)
        return false;
    SSL_dane_set_flags(ssl, DANE_FLAG_NO_DANE_EE_NAMECHECKS);
    for (size_t i = 1; i < x->name_count; i++)
        if (SSL_add1_host(ssl, x->names[i]) != 1)
            return false;
    for (size_t i = 0; i < x->tlsa_count; i++)
        usable += add_record(ssl, &x->tlsa[i]);
    return usable > 0;
}

static bool expect_names(SSL *ssl, const struct tls_expectation *x)
{
    if (x->name_count == 1 && X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), x->names[0]) == 1)
        return true;
    ERR_clear_error();
    for (size_t i = 0; i < x->name_count; i++)
        if (SSL_add1_host(ssl, x->names[i]) != 1)
            return false;
    return true;
}

bool tls_expect(SSL *ssl, const struct tls_expectation *x)
{
    bool checked = x->check != TLS_CHECK_NOTHING;
    SSL_set_verify(ssl, checked ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (checked && x->name_count == 0)
        return false;
    bool told = x->check == TLS_CHECK_DANE ? expect_records(ssl, x) : expect_names(ssl, x);
    return (told || !checked) && (!x->sni || SSL_set_tlsext_host_name(ssl, x->sni) == 1);
}

/* Of a resumed session: the certificate of its first handshake. */
static bool still_fits(SSL *ssl, const struct tls_expectation *x)
{
    X509 *certificate = SSL_get0_peer_certificate(ssl);
    if (SSL_get_verify_result(ssl) != X509_V_OK || !certificate)
        return false;
    for (size_t i = 0; i < x->name_count; i++)
        if (X509_check_ip_asc(certificate, x->names[i], 0) == 1 ||
            X509_check_host(certificate, x->names[i], 0, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS,
                            NULL) == 1)
            return true;
    return false;
}

bool tls_meets(SSL *ssl, const struct tls_expectation *x)
{
    bool fits = true;
    switch (x->check) {
    case TLS_CHECK_NOTHING:
        break;
    case TLS_CHECK_NAMES:
        fits = !SSL_session_reused(ssl) || still_fits(ssl, x);
        break;
    case TLS_CHECK_DANE:
        fits = SSL_get_verify_result(ssl) == X509_V_OK &&
               SSL_get0_dane_authority(ssl, NULL, NULL) >= 0;
        break;
    }
    ERR_clear_error();
    return fits;
}

static bool was_refused(const struct stream *s)
{
    return s->broken == ERR_TLS && ERR_GET_REASON(s->tls_error) == SSL_R_CERTIFICATE_VERIFY_FAILED;
}

enum tls_verdict stream_tls_verdict(const struct stream *s)
{
    if (!s->ssl)
        return TLS_UNKNOWN;
    if (!s->handshaken && !was_refused(s))
        return TLS_FAILED;
    switch (SSL_get_verify_result(s->ssl)) {
    case X509_V_OK:
        return s->tls_named ? TLS_VERIFIED : TLS_UNKNOWN;
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return TLS_EXPIRED;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        return TLS_OTHER_NAME;
    case X509_V_ERR_DANE_NO_MATCH:
        return TLS_NO_RECORD_FITS;
    default:
        return TLS_UNTRUSTED;
    }
}

const char *stream_tls_verdict_text(const struct stream *s)
{
    switch (stream_tls_verdict(s)) {
    case TLS_UNKNOWN:
    case TLS_FAILED:
        return "";
    default:
        return X509_verify_cert_error_string(SSL_get_verify_result(s->ssl));
    }
}

size_t tls_usable_records(struct tls_context *c, const struct dns_tlsa *records, size_t count)
{
    SSL *ssl = SSL_new(c->ssl);
    size_t usable = 0;
    if (ssl && SSL_dane_enable(ssl, NULL) == 1)
        for (size_t i = 0; i < count; i++)
            usable += add_record(ssl, &records[i]);
    SSL_free(ssl);
    ERR_clear_error();
    return usable;
}

void tls_record_write(struct buf *out, const struct dns_tlsa *record)
{
    buf_printf(out, "%u %u %u ", record->usage, record->selector, record->matching);
    buf_add_hex(out, record->data);
}
