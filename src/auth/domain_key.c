/*
 * A domain's private key as OpenSSL reads it. RFC 8301 3.2: signers use RSA of at least 1,024 bits
 * and should use 2,048; verifiers need not take more than 4,096. RFC 8463: Ed25519.
 */
#include "auth/domain_key.h"

#include "auth/domain.h"
#include "auth/limits.h"
#include "core/buf.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

static int no_passphrase(char *p, int size, int writing, void *arg)
{
    (void)p, (void)size, (void)writing, (void)arg;
    return -1;
}

/* NULL: it is none. */
static EVP_PKEY *read_key(struct str pem)
{
    if (pem.n == 0 || pem.n > DOMAIN_KEY_MAX)
        return NULL;
    BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.n);
    EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL) : NULL;
    BIO_free(bio);
    ERR_clear_error();
    return key;
}

static bool check(EVP_PKEY *key, struct err *e)
{
    int bits = EVP_PKEY_get_bits(key);
    if (EVP_PKEY_is_a(key, "ED25519"))
        return true;
    if (!EVP_PKEY_is_a(key, "RSA"))
        return err_set(e, ERR_PERM, "the key is neither RSA nor Ed25519");
    return (bits >= DOMAIN_KEY_RSA_MIN && bits <= DOMAIN_KEY_RSA_MAX) ||
           err_set(e, ERR_PERM, "the RSA key has %d bits: it takes %d to %d", bits,
                   DOMAIN_KEY_RSA_MIN, DOMAIN_KEY_RSA_MAX);
}

bool domain_key_check(struct str pem, struct err *e)
{
    EVP_PKEY *key = read_key(pem);
    bool ok =
        key ? check(key, e)
            : err_set(e, ERR_SYNTAX, "the key is no PEM of a private key without a passphrase");
    EVP_PKEY_free(key);
    return ok;
}

struct str domain_key_text(struct arena *a, struct str pem)
{
    EVP_PKEY *key = read_key(pem);
    struct str text = STR("");
    if (key && EVP_PKEY_is_a(key, "RSA"))
        text = arena_printf(a, "rsa %d", EVP_PKEY_get_bits(key));
    else if (key)
        text = STR("ed25519");
    EVP_PKEY_free(key);
    return text;
}

/* An RSA key with its algorithm, as X.509 has it; of Ed25519 the 32 bytes alone. */
static struct str public_bytes(EVP_PKEY *key, struct arena *a)
{
    size_t n = 32;
    if (EVP_PKEY_is_a(key, "ED25519")) {
        unsigned char *p = arena_alloc(a, n);
        bool ok = EVP_PKEY_get_raw_public_key(key, p, &n) == 1;
        return str_from((char *)p, ok ? n : 0);
    }
    unsigned char *der = NULL;
    int size = i2d_PUBKEY(key, &der);
    struct str copy = arena_str(a, str_from((char *)der, size > 0 ? (size_t)size : 0));
    OPENSSL_free(der);
    return copy;
}

struct str domain_key_record(struct arena *a, struct str pem)
{
    EVP_PKEY *key = read_key(pem);
    if (!key)
        return STR("");
    struct buf b = BUF_EMPTY;
    buf_printf(&b, "v=DKIM1; k=%s; p=", EVP_PKEY_is_a(key, "ED25519") ? "ed25519" : "rsa");
    buf_add_base64(&b, public_bytes(key, a));
    EVP_PKEY_free(key);
    struct str text = arena_str(a, buf_str(&b));
    buf_free(&b);
    return text;
}
