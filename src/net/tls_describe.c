/*
 * Reading names and dates out of a certificate (RFC 5280 sections 4.1.2.5 and 4.2.1.6). The texts
 * are whoever's who made the certificate; a name with a NUL in it is left out.
 */
#include "net/tls_describe.h"

#include "net/tls_pairs.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <time.h>

#define NAMES_MAX 100

static int64_t seconds_of(const ASN1_TIME *time)
{
    struct tm tm;
    return time && ASN1_TIME_to_tm(time, &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

static struct str text_of(const ASN1_STRING *s, struct arena *a)
{
    struct str text =
        str_from((const char *)ASN1_STRING_get0_data(s), (size_t)ASN1_STRING_length(s));
    return memchr(text.p, '\0', text.n) ? STR("") : arena_str(a, text);
}

static struct str entry_of(const X509_NAME *name, int nid, struct arena *a)
{
    int at = X509_NAME_get_index_by_NID(name, nid, -1);
    return at < 0 ? STR("") : text_of(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)), a);
}

static struct str address_of(const ASN1_OCTET_STRING *s, struct arena *a)
{
    char text[INET6_ADDRSTRLEN];
    int n = ASN1_STRING_length(s);
    if ((n != 4 && n != 16) ||
        !inet_ntop(n == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(s), text, sizeof(text)))
        return STR("");
    return arena_str(a, str_from_c(text));
}

static struct str general_name(const GENERAL_NAME *g, struct arena *a)
{
    if (g->type == GEN_DNS)
        return text_of(g->d.dNSName, a);
    return g->type == GEN_IPADD ? address_of(g->d.iPAddress, a) : STR("");
}

static void add_name(struct tls_certificate *c, struct str name)
{
    if (name.n > 0 && c->name_count < NAMES_MAX)
        c->names[c->name_count++] = name;
}

static void read_names(X509 *x, struct arena *a, struct tls_certificate *c)
{
    GENERAL_NAMES *list = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
    c->names = arena_array(a, NAMES_MAX, sizeof(*c->names));
    for (int i = 0; list && i < sk_GENERAL_NAME_num(list); i++)
        add_name(c, general_name(sk_GENERAL_NAME_value(list, i), a));
    GENERAL_NAMES_free(list);
    if (c->name_count == 0)
        add_name(c, entry_of(X509_get_subject_name(x), NID_commonName, a));
}

static void read_issuer(X509 *x, struct arena *a, struct tls_certificate *c)
{
    const X509_NAME *issuer = X509_get_issuer_name(x);
    c->issuer = entry_of(issuer, NID_commonName, a);
    if (c->issuer.n == 0)
        c->issuer = entry_of(issuer, NID_organizationName, a);
    c->self_signed = X509_NAME_cmp(issuer, X509_get_subject_name(x)) == 0;
}

static int64_t chain_end(STACK_OF(X509) * chain)
{
    int64_t first = 0;
    for (int i = 0; i < sk_X509_num(chain); i++) {
        int64_t end = seconds_of(X509_get0_notAfter(sk_X509_value(chain, i)));
        first = first == 0 || end < first ? end : first;
    }
    return first;
}

const char *tls_key_type(int kind)
{
    switch (kind) {
    case EVP_PKEY_RSA:
        return "RSA";
    case EVP_PKEY_RSA_PSS:
        return "RSA-PSS";
    case EVP_PKEY_EC:
        return "ECDSA";
    case EVP_PKEY_ED25519:
        return "Ed25519";
    case EVP_PKEY_ED448:
        return "Ed448";
    default:
        return "other";
    }
}

void tls_describe_pair(const struct tls_pair *p, struct arena *a,
                       struct tls_certificate *certificate)
{
    X509 *x = p->certificate;
    *certificate = (struct tls_certificate){.key_type = tls_key_type(p->kind),
                                            .key_bits = EVP_PKEY_get_bits(p->key)};
    read_names(x, a, certificate);
    read_issuer(x, a, certificate);
    certificate->not_before = seconds_of(X509_get0_notBefore(x));
    certificate->not_after = seconds_of(X509_get0_notAfter(x));
    certificate->chain_not_after = chain_end(p->chain);
    ERR_clear_error();
}
