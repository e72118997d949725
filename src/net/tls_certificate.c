/*
 * A self-signed certificate, so that a new installation speaks TLS from its first minute. P-256:
 * every client knows it and it costs the server a tenth of RSA. Names are put into the
 * subjectAltName as DNS names or IP addresses (RFC 5280 section 4.2.1.6), built as structures, not
 * as text that OpenSSL would parse. It may sign nothing (CA:FALSE), so who trusts it trusts this
 * server only.
 */
#include "net/tls.h"

#include "core/clock.h"
#include "core/disk.h"
#include "core/random.h"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#define DAY_SECONDS     86400
#define COMMON_NAME_MAX 64 /* ub-common-name, RFC 5280 appendix A */
#define DNS_NAME_MAX    253

static bool failed(struct err *e, const char *what)
{
    unsigned long code = ERR_peek_last_error();
    const char *reason = code ? ERR_reason_error_string(code) : NULL;
    err_set(e, ERR_PERM, "self-signed certificate: %s%s%s", what, reason ? ": " : "",
            reason ? reason : "");
    ERR_clear_error();
    return false;
}

static GENERAL_NAME *general_name(const char *name)
{
    GENERAL_NAME *g = GENERAL_NAME_new();
    if (!g)
        return NULL;
    ASN1_OCTET_STRING *address = a2i_IPADDRESS(name);
    ERR_clear_error();
    if (address) {
        GENERAL_NAME_set0_value(g, GEN_IPADD, address);
        return g;
    }
    ASN1_IA5STRING *text = ASN1_IA5STRING_new();
    if (!text || !ASN1_STRING_set(text, name, (int)strlen(name))) {
        ASN1_STRING_free(text);
        GENERAL_NAME_free(g);
        return NULL;
    }
    GENERAL_NAME_set0_value(g, GEN_DNS, text);
    return g;
}

static bool add_names(X509 *x, const char *const *names, size_t count, struct err *e)
{
    GENERAL_NAMES *list = sk_GENERAL_NAME_new_null();
    bool ok = list != NULL;
    for (size_t i = 0; ok && i < count; i++) {
        if (names[i][0] == '\0' || strlen(names[i]) > DNS_NAME_MAX ||
            !str_is_ascii(str_from_c(names[i]))) {
            sk_GENERAL_NAME_pop_free(list, GENERAL_NAME_free);
            return err_set(e, ERR_PERM, "self-signed certificate: not a name: \"%.255s\"",
                           names[i]);
        }
        GENERAL_NAME *g = general_name(names[i]);
        ok = g && sk_GENERAL_NAME_push(list, g) > 0;
        if (!ok)
            GENERAL_NAME_free(g);
    }
    ok = ok && X509_add1_ext_i2d(x, NID_subject_alt_name, list, 0, X509V3_ADD_DEFAULT) == 1;
    sk_GENERAL_NAME_pop_free(list, GENERAL_NAME_free);
    return ok || failed(e, "names");
}

static bool add_extension(X509 *x, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, x, x, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    bool ok = extension && X509_add_ext(x, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return ok;
}

static bool set_subject(X509 *x, const char *name)
{
    X509_NAME *subject = X509_get_subject_name(x);
    const char *common = strlen(name) <= COMMON_NAME_MAX ? name : "maild";
    return X509_NAME_add_entry_by_NID(subject, NID_commonName, MBSTRING_UTF8,
                                      (const unsigned char *)common, -1, -1, 0) == 1 &&
           X509_set_issuer_name(x, subject) == 1;
}

static bool set_serial(X509 *x)
{
    unsigned char bytes[16];
    random_bytes(bytes, sizeof(bytes));
    bytes[0] = (unsigned char)((bytes[0] & 0x7f) | 0x40); /* positive, and always of this length */
    BIGNUM *number = BN_bin2bn(bytes, sizeof(bytes), NULL);
    bool ok = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(x));
    BN_free(number);
    return ok;
}

static bool fill(X509 *x, EVP_PKEY *key, const char *const *names, size_t count, int days,
                 struct err *e)
{
    time_t now = (time_t)(clock_wall() / USEC_SEC);
    bool ok = X509_set_version(x, X509_VERSION_3) == 1 && set_serial(x) &&
              ASN1_TIME_set(X509_getm_notBefore(x), now - DAY_SECONDS) &&
              ASN1_TIME_set(X509_getm_notAfter(x), now + (time_t)days * DAY_SECONDS) &&
              X509_set_pubkey(x, key) == 1 && set_subject(x, names[0]) &&
              add_extension(x, NID_basic_constraints, "critical,CA:FALSE") &&
              add_extension(x, NID_key_usage, "critical,digitalSignature") &&
              add_extension(x, NID_ext_key_usage, "serverAuth,clientAuth") &&
              add_extension(x, NID_subject_key_identifier, "hash");
    if (!ok)
        return failed(e, "fields");
    if (!add_names(x, names, count, e))
        return false;
    return X509_sign(x, key, EVP_sha256()) > 0 || failed(e, "signature");
}

/* Writes what is in the memory BIO; empties it with care. */
static bool write_pem(BIO *bio, const char *path, mode_t mode, struct err *e)
{
    char *p = NULL;
    long n = BIO_get_mem_data(bio, &p);
    bool ok = n > 0 && disk_replace_file(path, str_from(p, (size_t)n), mode, e);
    if (n > 0)
        OPENSSL_cleanse(p, (size_t)n);
    return ok;
}

static bool write_files(X509 *x, EVP_PKEY *key, const char *certificate_path, const char *key_path,
                        struct err *e)
{
    BIO *key_bio = BIO_new(BIO_s_mem()), *x_bio = BIO_new(BIO_s_mem());
    bool ok = key_bio && x_bio &&
              PEM_write_bio_PrivateKey(key_bio, key, NULL, NULL, 0, NULL, NULL) == 1 &&
              PEM_write_bio_X509(x_bio, x) == 1;
    if (!ok)
        failed(e, "PEM");
    ok = ok && write_pem(key_bio, key_path, 0600, e) && write_pem(x_bio, certificate_path, 0644, e);
    BIO_free(key_bio);
    BIO_free(x_bio);
    return ok;
}

bool tls_make_self_signed(const char *certificate_path, const char *key_path,
                          const char *const *names, size_t count, int days, struct err *e)
{
    if (count == 0 || days <= 0)
        return err_set(e, ERR_PERM, "self-signed certificate: a name and a duration are needed");
    ERR_clear_error();
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *x = X509_new();
    bool ok = key && x ? fill(x, key, names, count, days, e) : failed(e, "key");
    ok = ok && write_files(x, key, certificate_path, key_path, e);
    X509_free(x);
    EVP_PKEY_free(key);
    return ok;
}
