/*
 * libldap's TLS library says of a certificate that it does not like no more than that. Whether a
 * connection is made is decided there; here the certificate is looked at again only to tell why it
 * was not (RFC 5280, RFC 6125): its time, its names, who signed it. The texts in it were written by
 * whoever runs the server: they are printed as ASCII and cut.
 */
#include "auth/ldap_certificate.h"

#include "auth/ldap_reason.h"
#include "auth/limits.h"
#include "core/buf.h"
#include "core/clock.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

static void add_printable(struct buf *out, struct str text)
{
    char clean[80];
    ldap_reason_text(text, (struct str){0}, clean, sizeof(clean));
    buf_add_c(out, clean);
}

/* Some of its DNS names, or the common name of one without. */
static void add_names(struct buf *out, X509 *x)
{
    GENERAL_NAMES *list = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
    int count = list ? sk_GENERAL_NAME_num(list) : 0, shown = 0;
    for (int i = 0; i < count && shown < LDAP_CERTIFICATE_NAMES_SHOWN; i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(list, i);
        if (name->type != GEN_DNS)
            continue;
        buf_add_c(out, shown++ ? ", " : "");
        add_printable(out, str_from((const char *)ASN1_STRING_get0_data(name->d.dNSName),
                                    (size_t)ASN1_STRING_length(name->d.dNSName)));
    }
    GENERAL_NAMES_free(list);
    char common[80] = "";
    X509_NAME_get_text_by_NID(X509_get_subject_name(x), NID_commonName, common, sizeof(common));
    if (shown == 0)
        add_printable(out, str_from_c(common[0] ? common : "no host"));
}

static void add_issuer(struct buf *out, X509 *x)
{
    char *name = X509_NAME_oneline(X509_get_issuer_name(x), NULL, 0);
    add_printable(out, str_from_c(name));
    OPENSSL_free(name);
}

static void add_time(struct buf *out, const ASN1_TIME *time)
{
    struct tm t;
    if (ASN1_TIME_to_tm(time, &t) == 1)
        buf_printf(out, "%04d-%02d-%02d %02d:%02d UTC", t.tm_year + 1900, t.tm_mon + 1, t.tm_mday,
                   t.tm_hour, t.tm_min);
}

static bool is_for(X509 *x, struct str host)
{
    char *text = strndup(host.p, host.n);
    bool ok = X509_check_ip_asc(x, text, 0) == 1 || X509_check_host(x, text, 0, 0, NULL) == 1;
    free(text);
    return ok;
}

/* X509_V_OK, or what a check says without the certificates between, which are not here. */
static int verify(X509 *x, const char *authorities)
{
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *context = X509_STORE_CTX_new();
    int result = X509_V_ERR_UNSPECIFIED;
    if (store && context && X509_STORE_load_file(store, authorities) == 1 &&
        X509_STORE_CTX_init(context, store, x, NULL) == 1) {
        X509_verify_cert(context);
        result = X509_STORE_CTX_get_error(context);
    }
    X509_STORE_CTX_free(context);
    X509_STORE_free(store);
    return result;
}

static bool explain_issuer(X509 *x, const char *authorities, struct buf *out)
{
    int result = verify(x, authorities);
    switch (result) {
    case X509_V_OK:
        return false;
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
        buf_printf(out, "the server's certificate is signed by itself, and not in %s", authorities);
        return true;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
        buf_add_c(out, "the server's certificate is signed by ");
        add_issuer(out, x);
        buf_printf(out, ", which no authority in %s vouches for", authorities);
        return true;
    default:
        buf_printf(out, "the server's certificate: %s", X509_verify_cert_error_string(result));
        return true;
    }
}

static bool explain(X509 *x, struct str host, const char *authorities, struct buf *out)
{
    time_t now = (time_t)(clock_wall() / USEC_SEC);
    if (X509_cmp_time(X509_get0_notAfter(x), &now) < 0) {
        buf_add_c(out, "the server's certificate expired ");
        add_time(out, X509_get0_notAfter(x));
        return true;
    }
    if (X509_cmp_time(X509_get0_notBefore(x), &now) > 0) {
        buf_add_c(out, "the server's certificate is not valid before ");
        add_time(out, X509_get0_notBefore(x));
        return true;
    }
    if (!is_for(x, host)) {
        buf_add_c(out, "the server's certificate is for ");
        add_names(out, x);
        buf_printf(out, ", not for %.*s", STR_ARG(str_head(host, 100)));
        return true;
    }
    return explain_issuer(x, authorities, out);
}

bool ldap_certificate_explain(struct str der, struct str host, const char *authorities,
                              struct err *e)
{
    const unsigned char *at = (const unsigned char *)der.p;
    X509 *x = d2i_X509(NULL, &at, (long)der.n);
    struct buf text = BUF_EMPTY;
    bool found = x && explain(x, host, authorities, &text);
    if (found)
        err_set(e, ERR_TLS, "TLS: %s", buf_c(&text));
    X509_free(x);
    buf_free(&text);
    return found;
}
