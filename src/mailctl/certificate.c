/*
 * A server's certificate as clients will judge it: the first of its file is the server's own, the
 * others are shown with it, and one of the authorities has to vouch for the last (RFC 5280 6). What
 * is wrong with the dates is left out of that, since there are clearer words for it.
 */
#include "mailctl/certificate.h"

#include "core/buf.h"
#include "core/disk.h"
#include "net/tls_expect.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <time.h>

#define CERTIFICATE_FILE_MAX ((size_t)4 * 1024 * 1024)
#define NAMES_MAX            1000

/* Where systems keep the authorities that they trust, beside OpenSSL's own place. */
static const char system_bundle[] = "/etc/ssl/certs/ca-certificates.crt";

static struct str name_text(X509_NAME *name, struct arena *a)
{
    unsigned char *utf8 = NULL;
    int at = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
    int n = at < 0 ? -1
                   : ASN1_STRING_to_UTF8(&utf8,
                                         X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
    struct str text = STR("");
    if (n >= 0) {
        text = arena_str(a, str_from((char *)utf8, (size_t)n));
        OPENSSL_free(utf8);
        return text;
    }
    char *line = X509_NAME_oneline(name, NULL, 0);
    if (line)
        text = arena_str(a, str_from_c(line));
    OPENSSL_free(line);
    return text;
}

static void take_names(X509 *x, struct arena *a, struct certificate *out)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
    int count = sk_GENERAL_NAME_num(names);
    out->names = arena_array(a, count > 0 ? (size_t)count : 1, sizeof(*out->names));
    for (int i = 0; i < count && i < NAMES_MAX; i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type == GEN_DNS)
            out->names[out->name_count++] =
                arena_lower(a, str_from((const char *)ASN1_STRING_get0_data(name->d.dNSName),
                                        (size_t)ASN1_STRING_length(name->d.dNSName)));
    }
    GENERAL_NAMES_free(names);
}

static int64_t seconds_of(const ASN1_TIME *t)
{
    struct tm tm;
    return ASN1_TIME_to_tm(t, &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

static struct str take_der(unsigned char *der, int size, struct arena *a)
{
    struct str bytes = arena_str(a, str_from((char *)der, size > 0 ? (size_t)size : 0));
    OPENSSL_free(der);
    return bytes;
}

static void take_part(X509 *x, struct arena *a, struct certificate *out)
{
    unsigned char *whole = NULL, *key = NULL;
    struct certificate_part *part = &out->parts[out->part_count++];
    int whole_size = i2d_X509(x, &whole);
    int key_size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), &key);
    part->whole = take_der(whole, whole_size, a);
    part->key = take_der(key, key_size, a);
}

static struct str digest_of(struct str bytes, const EVP_MD *md, unsigned char *out)
{
    unsigned int n = 0;
    bool ok = EVP_Digest(bytes.p, bytes.n, out, &n, md, NULL) == 1;
    return str_from((char *)out, ok ? n : 0);
}

static void take_records(struct arena *a, struct certificate *out)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    struct buf b = BUF_EMPTY;
    const struct dns_tlsa key = {3, 1, 1, digest_of(out->parts[0].key, EVP_sha256(), digest)};
    tls_record_write(&b, &key);
    out->tlsa = arena_str(a, buf_str(&b));
    buf_free(&b);
    struct str whole = digest_of(out->parts[0].whole, EVP_sha256(), digest);
    out->whole = (struct dns_tlsa){3, 0, 1, arena_str(a, whole)};
}

bool certificate_fits(const struct certificate *c, const struct dns_tlsa *r)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    if ((r->usage != 2 && r->usage != 3) || r->selector > 1 || r->matching > 2)
        return false;
    for (size_t i = r->usage == 3 ? 0 : 1; i < (r->usage == 3 ? 1 : c->part_count); i++) {
        struct str bytes = r->selector == 1 ? c->parts[i].key : c->parts[i].whole;
        if (r->matching > 0)
            bytes = digest_of(bytes, r->matching == 1 ? EVP_sha256() : EVP_sha512(), digest);
        if (str_equal(bytes, r->data))
            return true;
    }
    return false;
}

static X509_STORE *open_store(const char *ca_file)
{
    X509_STORE *store = X509_STORE_new();
    if (!store)
        return NULL;
    if (ca_file[0])
        X509_STORE_load_file(store, ca_file);
    else if (X509_STORE_load_file(store, system_bundle) != 1)
        X509_STORE_set_default_paths(store);
    return store;
}

static void verify(X509 *x, STACK_OF(X509) * chain, const char *ca_file, struct arena *a,
                   struct certificate *out)
{
    X509_STORE *store = open_store(ca_file);
    X509_STORE_CTX *context = X509_STORE_CTX_new();
    bool ok = store && context && X509_STORE_CTX_init(context, store, x, chain) == 1;
    if (ok) {
        X509_STORE_CTX_set_purpose(context, X509_PURPOSE_SSL_SERVER);
        X509_VERIFY_PARAM_set_flags(X509_STORE_CTX_get0_param(context), X509_V_FLAG_NO_CHECK_TIME);
        ok = X509_verify_cert(context) == 1;
    }
    out->problem = STR("");
    if (!ok)
        out->problem =
            arena_str(a, str_from_c(X509_verify_cert_error_string(
                             context ? X509_STORE_CTX_get_error(context) : X509_V_ERR_OUT_OF_MEM)));
    X509_STORE_CTX_free(context);
    X509_STORE_free(store);
    ERR_clear_error();
}

static void take(X509 *x, STACK_OF(X509) * chain, const char *ca_file, struct arena *a,
                 struct certificate *out)
{
    *out = (struct certificate){.path = out->path, .tlsa = STR("")};
    out->subject = name_text(X509_get_subject_name(x), a);
    out->issuer = name_text(X509_get_issuer_name(x), a);
    out->begins = seconds_of(X509_get0_notBefore(x));
    out->expires = seconds_of(X509_get0_notAfter(x));
    out->key_kind = EVP_PKEY_get_base_id(X509_get0_pubkey(x));
    out->self_signed = X509_self_signed(x, 0) == 1;
    out->parts = arena_array(a, (size_t)sk_X509_num(chain) + 1, sizeof(*out->parts));
    take_part(x, a, out);
    for (int i = 0; i < sk_X509_num(chain); i++)
        take_part(sk_X509_value(chain, i), a, out);
    take_names(x, a, out);
    take_records(a, out);
    verify(x, chain, ca_file, a, out);
}

bool certificate_read(const char *path, const char *ca_file, struct arena *a,
                      struct certificate *out, struct err *e)
{
    struct buf content = BUF_EMPTY;
    bool ok = disk_read_file(path, CERTIFICATE_FILE_MAX, &content, e);
    BIO *bio = ok ? BIO_new_mem_buf(content.n > 0 ? content.p : "", (int)content.n) : NULL;
    STACK_OF(X509) *chain = sk_X509_new_null();
    X509 *x = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL, *next;
    while (x && chain && (next = PEM_read_bio_X509(bio, NULL, NULL, NULL)))
        if (sk_X509_push(chain, next) <= 0)
            X509_free(next);
    ERR_clear_error();
    out->path = arena_c(a, str_from_c(path));
    if (x && chain)
        take(x, chain, ca_file, a, out);
    else if (ok)
        ok = err_set(e, ERR_SYNTAX, "%s: no certificate in this file", path);
    X509_free(x);
    sk_X509_pop_free(chain, X509_free);
    BIO_free(bio);
    if (content.n > 0)
        OPENSSL_cleanse(content.p, content.n); /* the key may be in it */
    buf_free(&content);
    return ok;
}

bool certificate_names_exactly(const struct certificate *c, struct str host)
{
    for (size_t i = 0; i < c->name_count; i++)
        if (str_equal_nocase(c->names[i], host))
            return true;
    return false;
}

bool certificate_names(const struct certificate *c, struct str host)
{
    ptrdiff_t dot = str_find_char(host, '.');
    for (size_t i = 0; i < c->name_count && dot > 0; i++)
        if (str_starts_with(c->names[i], STR("*.")) &&
            str_equal_nocase(str_skip(c->names[i], 1), str_skip(host, (size_t)dot)))
            return true;
    return certificate_names_exactly(c, host);
}
