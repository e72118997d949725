/*
 * Certificates of a server with their keys. One context may have several, each with a key of
 * another kind: OpenSSL shows the one that the client's signature algorithms (RFC 8446 section
 * 4.2.3) allow, ECDSA before RSA if both do. Of a kind it keeps but the last that it was given,
 * which is why two are an error here.
 *
 * A key with a passphrase is refused: nobody is there to type it.
 */
#include "net/tls_pairs.h"

#include "core/mem.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>

static int no_passphrase(char *buffer, int size, int writing, void *arg)
{
    (void)buffer;
    (void)size;
    (void)writing;
    *(bool *)arg = true;
    return -1;
}

static bool take_chain(void *arg, BIO *bio, const char *path, struct err *e)
{
    struct tls_pair *p = arg;
    X509 *next;
    p->certificate = PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL);
    if (!p->certificate)
        return tls_error(e, path, "no certificate in this file");
    while ((next = PEM_read_bio_X509(bio, NULL, NULL, NULL)))
        if (sk_X509_push(p->chain, next) <= 0) {
            X509_free(next);
            return tls_error(e, path, "no memory");
        }
    return tls_pem_at_end() || tls_error(e, path, "a certificate of the chain is damaged");
}

static bool take_key(void *arg, BIO *bio, const char *path, struct err *e)
{
    struct tls_pair *p = arg;
    bool asked = false;
    p->key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, &asked);
    if (!p->key && asked) {
        ERR_clear_error();
        return err_set(e, ERR_PERM,
                       "%s: the private key has a passphrase; remove it with \"openssl pkey\"",
                       path);
    }
    if (!p->key)
        return tls_error(e, path, "no private key in this file");
    p->kind = EVP_PKEY_get_base_id(p->key);
    return X509_check_private_key(p->certificate, p->key) == 1 ||
           tls_error(e, path, "the private key does not belong to the certificate");
}

bool tls_pair_use(const struct tls_pair *p, SSL_CTX *ssl, struct err *e)
{
    return SSL_CTX_use_cert_and_key(ssl, p->certificate, p->key, p->chain, 1) == 1 ||
           tls_error(e, p->path, "this certificate cannot be used");
}

/* Alone, so that an error names its file and not another's. */
static bool is_usable(const struct tls_pair *p, struct err *e)
{
    SSL_CTX *ssl = tls_new_server_ssl(e);
    bool ok = ssl && tls_pair_use(p, ssl, e);
    SSL_CTX_free(ssl);
    return ok;
}

static bool read_pair(struct tls_pair *p, const char *certificate, const char *key, struct err *e)
{
    p->path = mem_dup(certificate, strlen(certificate));
    p->chain = sk_X509_new_null();
    return tls_with_pem(certificate, take_chain, p, e) && tls_with_pem(key, take_key, p, e) &&
           is_usable(p, e);
}

static bool is_first_of_kind(const struct tls_pairs *p, size_t i, struct err *e)
{
    for (size_t k = 0; k < i; k++)
        if (p->list[k].kind == p->list[i].kind)
            return err_set(e, ERR_PERM,
                           "%s and %s: both have a key of the same kind (%s), so clients could "
                           "get but one of them; take one out, or give it a block certificate "
                           "with names of its own",
                           p->list[k].path, p->list[i].path, tls_key_type(p->list[i].kind));
    return true;
}

struct tls_pairs *tls_pairs_read(const struct string_list *certificate,
                                 const struct string_list *key, struct err *e)
{
    size_t count = certificate->count;
    if (key->count > 0 && key->count != count) {
        err_set(e, ERR_PERM, "there are %zu certificates and %zu keys: each needs its own", count,
                key->count);
        return NULL;
    }
    struct tls_pairs *p = mem_zero(sizeof(*p) + count * sizeof(p->list[0]));
    for (size_t i = 0; i < count; i++) {
        p->count = i + 1;
        if (!read_pair(&p->list[i], certificate->items[i],
                       key->count > 0 ? key->items[i] : certificate->items[i], e) ||
            !is_first_of_kind(p, i, e)) {
            tls_pairs_free(p);
            return NULL;
        }
    }
    return p;
}

void tls_pairs_free(struct tls_pairs *p)
{
    for (size_t i = 0; p && i < p->count; i++) {
        X509_free(p->list[i].certificate);
        sk_X509_pop_free(p->list[i].chain, X509_free);
        EVP_PKEY_free(p->list[i].key);
        free((char *)p->list[i].path);
    }
    free(p);
}
