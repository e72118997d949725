/*
 * What makes a signature good (RFC 7515 5.2): the algorithm is one of ours, a key of the issuer is
 * of that algorithm's kind, and OpenSSL says yes. The key decides what can be asked of it: an
 * algorithm of the token that its key is not made for finds no key, so a token cannot have an RSA
 * key used as the secret of an HMAC, nor "none" used at all (RFC 8725 2.1): neither is in the
 * table.
 *
 * A key set is small and its keys are made once (OpenSSL checks that a point is on its curve).
 */
#include "auth/jwt_keys.h"

#include "auth/limits.h"
#include "core/mem.h"

#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <stdlib.h>
#include <string.h>

enum key_kind { KEY_RSA, KEY_EC, KEY_ED };

static const struct algorithm {
    const char *name;
    enum key_kind kind;
    const char *digest; /* NULL: the signature's own */
    bool pss;
    const char *curve; /* KEY_EC: as in "crv" */
    size_t half;       /* KEY_EC: bytes of each number of the signature */
} algorithms[] = {
    {"RS256", KEY_RSA, "SHA256", false, NULL, 0},
    {"RS384", KEY_RSA, "SHA384", false, NULL, 0},
    {"RS512", KEY_RSA, "SHA512", false, NULL, 0},
    {"PS256", KEY_RSA, "SHA256", true, NULL, 0},
    {"PS384", KEY_RSA, "SHA384", true, NULL, 0},
    {"PS512", KEY_RSA, "SHA512", true, NULL, 0},
    {"ES256", KEY_EC, "SHA256", false, "P-256", 32},
    {"ES384", KEY_EC, "SHA384", false, "P-384", 48},
    {"ES512", KEY_EC, "SHA512", false, "P-521", 66},
    {"EdDSA", KEY_ED, NULL, false, NULL, 0},
};

struct jwt_key {
    EVP_PKEY *key;
    enum key_kind kind;
    char *id;                    /* NULL: none */
    char *algorithm;             /* the only one it is for; NULL: any of its kind */
    char curve[sizeof("P-256")]; /* KEY_EC */
};

struct jwt_keys {
    unsigned references;
    struct jwt_key *list;
    size_t count;
};

static const struct algorithm *algorithm_named(const char *name)
{
    for (size_t i = 0; i < sizeof(algorithms) / sizeof(*algorithms); i++)
        if (strcmp(algorithms[i].name, name) == 0)
            return &algorithms[i];
    return NULL;
}

bool jwt_algorithm_is_known(const char *name)
{
    return algorithm_named(name) != NULL;
}

/* --- keys --- */

static const char *member(const json_t *key, const char *name)
{
    return json_string_value(json_object_get(key, name));
}

static bool decode_member(const json_t *key, const char *name, struct buf *out)
{
    const json_t *value = json_object_get(key, name);
    return json_is_string(value) &&
           jwt_decode_base64(str_from(json_string_value(value), json_string_length(value)), out) &&
           out->n > 0;
}

static EVP_PKEY *key_from(const char *type, OSSL_PARAM_BLD *build)
{
    OSSL_PARAM *parameters = OSSL_PARAM_BLD_to_param(build);
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    EVP_PKEY *key = NULL;
    if (!parameters || !context || EVP_PKEY_fromdata_init(context) != 1 ||
        EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, parameters) != 1)
        key = NULL;
    EVP_PKEY_CTX_free(context);
    OSSL_PARAM_free(parameters);
    return key;
}

static EVP_PKEY *rsa_from(struct str n, struct str exponent)
{
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    BIGNUM *modulus = BN_bin2bn((const unsigned char *)n.p, (int)n.n, NULL);
    BIGNUM *power = BN_bin2bn((const unsigned char *)exponent.p, (int)exponent.n, NULL);
    EVP_PKEY *key = NULL;
    int bits = modulus ? BN_num_bits(modulus) : 0;
    if (build && power && bits >= TOKEN_RSA_MIN && bits <= TOKEN_RSA_MAX && BN_is_odd(power) &&
        !BN_is_one(power) && OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, modulus) &&
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, power))
        key = key_from("RSA", build);
    BN_free(modulus);
    BN_free(power);
    OSSL_PARAM_BLD_free(build);
    return key;
}

static EVP_PKEY *make_rsa(const json_t *json)
{
    struct buf n = BUF_EMPTY, exponent = BUF_EMPTY;
    EVP_PKEY *key = NULL;
    if (decode_member(json, "n", &n) && decode_member(json, "e", &exponent) &&
        n.n <= TOKEN_RSA_MAX / 8 + 1 && exponent.n <= TOKEN_RSA_EXPONENT_MAX)
        key = rsa_from(buf_str(&n), buf_str(&exponent));
    buf_free(&n);
    buf_free(&exponent);
    return key;
}

static EVP_PKEY *ec_from(const char *curve, struct str point)
{
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    EVP_PKEY *key = NULL;
    if (build && OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, curve, 0) &&
        OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point.p, point.n))
        key = key_from("EC", build);
    OSSL_PARAM_BLD_free(build);
    return key;
}

/* RFC 7518 6.2.1: both numbers have the full length. */
static EVP_PKEY *make_ec(const json_t *json, const char *curve)
{
    struct buf x = BUF_EMPTY, y = BUF_EMPTY;
    EVP_PKEY *key = NULL;
    for (size_t i = 0; curve && i < sizeof(algorithms) / sizeof(*algorithms); i++) {
        const struct algorithm *a = &algorithms[i];
        if (!a->curve || strcmp(a->curve, curve) != 0)
            continue;
        buf_add_char(&x, 4); /* uncompressed (SEC 1, 2.3.3) */
        if (decode_member(json, "x", &x) && decode_member(json, "y", &y) && x.n == a->half + 1 &&
            y.n == a->half) {
            buf_add_str(&x, buf_str(&y));
            key = ec_from(curve, buf_str(&x));
        }
    }
    buf_free(&x);
    buf_free(&y);
    return key;
}

/* RFC 8037 2 */
static EVP_PKEY *make_ed(const json_t *json, const char *curve)
{
    struct buf x = BUF_EMPTY;
    EVP_PKEY *key = NULL;
    if (curve && (strcmp(curve, "Ed25519") == 0 || strcmp(curve, "Ed448") == 0) &&
        decode_member(json, "x", &x))
        key = EVP_PKEY_new_raw_public_key_ex(NULL, curve, NULL, (const unsigned char *)x.p, x.n);
    buf_free(&x);
    return key;
}

static bool is_for_signatures(const json_t *json)
{
    const json_t *use = json_object_get(json, "use"),
                 *operations = json_object_get(json, "key_ops");
    if (use && (!json_is_string(use) || strcmp(json_string_value(use), "sig") != 0))
        return false;
    for (size_t i = 0; i < json_array_size(operations); i++) {
        const char *name = json_string_value(json_array_get(operations, i));
        if (name && strcmp(name, "verify") == 0)
            return true;
    }
    return !operations;
}

static char *copy_member(const json_t *json, const char *name)
{
    const char *text = member(json, name);
    return text ? mem_dup(text, strlen(text)) : NULL;
}

static bool make_key(const json_t *json, struct jwt_key *k)
{
    const char *type = member(json, "kty"), *curve = member(json, "crv");
    *k = (struct jwt_key){.kind = KEY_RSA};
    if (!type || !is_for_signatures(json))
        return false;
    if (strcmp(type, "RSA") == 0) {
        k->key = make_rsa(json);
    } else if (strcmp(type, "EC") == 0) {
        k->kind = KEY_EC;
        k->key = make_ec(json, curve);
        if (k->key)
            memcpy(k->curve, curve, strlen(curve) + 1);
    } else if (strcmp(type, "OKP") == 0) {
        k->kind = KEY_ED;
        k->key = make_ed(json, curve);
    }
    if (!k->key)
        return false;
    k->id = copy_member(json, "kid");
    k->algorithm = copy_member(json, "alg");
    return true;
}

struct jwt_keys *jwt_keys_parse(struct str document, struct err *e)
{
    json_t *json = jwt_json(document);
    const json_t *list = json_object_get(json, "keys");
    size_t count = json_array_size(list);
    if (!json_is_array(list) || count > TOKEN_KEYS_MAX) {
        err_set(e, ERR_TEMP,
                count > TOKEN_KEYS_MAX ? "the key set has more than %d keys"
                                       : "it is no JSON Web Key Set",
                TOKEN_KEYS_MAX);
        json_decref(json);
        return NULL;
    }
    struct jwt_keys *k = MEM_NEW(struct jwt_keys);
    k->references = 1;
    k->list = mem_array(count + 1, sizeof(*k->list));
    for (size_t i = 0; i < count; i++)
        if (make_key(json_array_get(list, i), &k->list[k->count]))
            k->count++;
    ERR_clear_error();
    json_decref(json);
    return k;
}

struct jwt_keys *jwt_keys_ref(struct jwt_keys *k)
{
    k->references++;
    return k;
}

void jwt_keys_unref(struct jwt_keys *k)
{
    if (!k || --k->references > 0)
        return;
    for (size_t i = 0; i < k->count; i++) {
        EVP_PKEY_free(k->list[i].key);
        free(k->list[i].id);
        free(k->list[i].algorithm);
    }
    free(k->list);
    free(k);
}

size_t jwt_keys_count(const struct jwt_keys *k)
{
    return k->count;
}

/* --- signatures --- */

static bool key_fits(const struct jwt_key *k, const struct algorithm *a, const struct jwt *t)
{
    return k->kind == a->kind && (!a->curve || strcmp(a->curve, k->curve) == 0) &&
           (!k->algorithm || strcmp(k->algorithm, a->name) == 0) &&
           (!t->key_id || (k->id && strcmp(k->id, t->key_id) == 0));
}

bool jwt_keys_fit(const struct jwt_keys *k, const struct jwt *t)
{
    const struct algorithm *a = algorithm_named(t->algorithm);
    for (size_t i = 0; a && i < k->count; i++)
        if (key_fits(&k->list[i], a, t))
            return true;
    return false;
}

/* Two numbers of a fixed size (RFC 7518 3.4), as OpenSSL wants them. */
static bool ec_signature(const struct algorithm *a, struct str raw, struct buf *der)
{
    const unsigned char *p = (const unsigned char *)raw.p;
    unsigned char *out = NULL;
    ECDSA_SIG *signature = ECDSA_SIG_new();
    if (!signature || raw.n != 2 * a->half) {
        ECDSA_SIG_free(signature);
        return false;
    }
    BIGNUM *r = BN_bin2bn(p, (int)a->half, NULL), *s = BN_bin2bn(p + a->half, (int)a->half, NULL);
    if (r && s && ECDSA_SIG_set0(signature, r, s)) {
        int n = i2d_ECDSA_SIG(signature, &out);
        if (n > 0)
            buf_add(der, out, (size_t)n);
    } else {
        BN_free(r);
        BN_free(s);
    }
    OPENSSL_free(out);
    ECDSA_SIG_free(signature);
    return der->n > 0;
}

static bool set_padding(EVP_PKEY_CTX *context, const struct algorithm *a)
{
    if (a->kind != KEY_RSA)
        return true;
    if (!a->pss)
        return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) == 1;
    return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) == 1 &&
           EVP_PKEY_CTX_set_rsa_pss_saltlen(context, RSA_PSS_SALTLEN_DIGEST) == 1;
}

static bool is_signed_by(EVP_PKEY *key, const struct algorithm *a, struct str input,
                         struct str signature)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_PKEY_CTX *parameters = NULL;
    bool good =
        context &&
        EVP_DigestVerifyInit_ex(context, &parameters, a->digest, NULL, NULL, key, NULL) == 1 &&
        set_padding(parameters, a) &&
        EVP_DigestVerify(context, (const unsigned char *)signature.p, signature.n,
                         (const unsigned char *)input.p, input.n) == 1;
    EVP_MD_CTX_free(context);
    ERR_clear_error();
    return good;
}

bool jwt_keys_verify(const struct jwt_keys *k, const struct jwt *t)
{
    const struct algorithm *a = algorithm_named(t->algorithm);
    struct str signature = buf_str(&t->signature);
    struct buf der = BUF_EMPTY;
    bool good = false;
    size_t tried = 0;
    if (!a || (a->kind == KEY_EC && !ec_signature(a, signature, &der)))
        return false;
    if (a->kind == KEY_EC)
        signature = buf_str(&der);
    for (size_t i = 0; !good && i < k->count && tried < TOKEN_KEYS_TRIED_MAX; i++) {
        if (!key_fits(&k->list[i], a, t))
            continue;
        good = is_signed_by(k->list[i].key, a, t->input, signature);
        tried++;
    }
    buf_free(&der);
    return good;
}
