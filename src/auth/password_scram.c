/*
 * What is kept for mechanisms in which the client does not show its password. SCRAM verifiers are
 * computed when the server has the password in clear: when it is set, and when a login shows it
 * (RFC 5802 section 3, RFC 7677):
 *
 *   SaltedPassword = PBKDF2(HMAC-H, SASLprep(password), salt, iterations)
 *   StoredKey      = H(HMAC(SaltedPassword, "Client Key"))
 *   ServerKey      = HMAC(SaltedPassword, "Server Key")
 *
 * A verifier also tells whether a password is right: whoever shows it leads to the same StoredKey.
 *
 * For CRAM-MD5 the state of HMAC-MD5 (RFC 2104) is kept after its keys have gone through it: not
 * the password, but all that is needed to log in with that mechanism.
 */
#define OPENSSL_SUPPRESS_DEPRECATED  /* the state inside MD5 is to be had through MD5_Update only  \
                                      */

#include "auth/limits.h"
#include "auth/password_internal.h"
#include "core/random.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/md5.h>

#define SALT_BYTES 16
#define DIGEST_MAX 32

struct scram {
    struct str name; /* of the mechanism */
    const EVP_MD *(*digest)(void);
    size_t size;
};

static const struct scram scrams[] = {
    {{"SCRAM-SHA-256", 13}, EVP_sha256, 32},
    {{"SCRAM-SHA-1", 11}, EVP_sha1, 20},
};
#define SCRAMS (sizeof(scrams) / sizeof(*scrams))

struct scram_keys {
    unsigned char stored[DIGEST_MAX], server[DIGEST_MAX];
};

static bool hmac_text(const struct scram *s, const unsigned char *key, struct str text,
                      unsigned char *out)
{
    return HMAC(s->digest(), key, (int)s->size, (const unsigned char *)text.p, text.n, out, NULL) !=
           NULL;
}

static bool derive(const struct scram *s, struct str prepared, struct str salt, unsigned iterations,
                   struct scram_keys *keys)
{
    unsigned char salted[DIGEST_MAX], client[DIGEST_MAX];
    bool ok =
        PKCS5_PBKDF2_HMAC(prepared.p, (int)prepared.n, (const unsigned char *)salt.p, (int)salt.n,
                          (int)iterations, s->digest(), (int)s->size, salted) == 1 &&
        hmac_text(s, salted, STR("Client Key"), client) &&
        hmac_text(s, salted, STR("Server Key"), keys->server) &&
        EVP_Digest(client, s->size, keys->stored, NULL, s->digest(), NULL) == 1;
    explicit_bzero(salted, sizeof(salted));
    explicit_bzero(client, sizeof(client));
    return ok;
}

static void add_verifier(const struct scram *s, struct str salt, const struct scram_keys *keys,
                         struct buf *out)
{
    buf_add_str(out, s->name);
    buf_printf(out, "$%d:", SCRAM_ITERATIONS);
    buf_add_base64(out, salt);
    buf_add_char(out, '$');
    buf_add_base64(out, str_from((const char *)keys->stored, s->size));
    buf_add_char(out, ':');
    buf_add_base64(out, str_from((const char *)keys->server, s->size));
}

static bool make_verifier(const struct scram *s, struct str password, struct buf *out,
                          struct err *e)
{
    char salt[SALT_BYTES];
    struct scram_keys keys;
    struct buf prepared = BUF_EMPTY;
    bool ok = true, usable = saslprep(password, &prepared);
    if (usable) {
        random_bytes(salt, sizeof(salt));
        ok = derive(s, buf_str(&prepared), str_from(salt, sizeof(salt)), SCRAM_ITERATIONS, &keys);
        if (ok)
            add_verifier(s, str_from(salt, sizeof(salt)), &keys, out);
        explicit_bzero(&keys, sizeof(keys));
    }
    buf_wipe(&prepared);
    return ok || err_set(e, ERR_TEMP, "OpenSSL cannot compute the SCRAM verifier");
}

bool password_scram_sha256(struct str password, struct buf *verifier, struct err *e)
{
    return make_verifier(&scrams[0], password, verifier, e);
}

bool password_scram_sha1(struct str password, struct buf *verifier, struct err *e)
{
    return make_verifier(&scrams[1], password, verifier, e);
}

/* --- reading one --- */

struct verifier {
    const struct scram *scram;
    uint32_t iterations;
    struct buf salt, stored, server;
};

static bool parse(struct str text, struct verifier *v, struct err *e)
{
    struct str name = str_split(&text, '$'), iterations = str_split(&text, ':'),
               salt = str_split(&text, '$'), stored = str_split(&text, ':');
    *v = (struct verifier){0};
    for (size_t i = 0; i < SCRAMS; i++)
        if (str_equal(name, scrams[i].name))
            v->scram = &scrams[i];
    if (!v->scram || !text.p || !str_to_u32(iterations, &v->iterations) || v->iterations == 0 ||
        !buf_add_base64_decoded(&v->salt, salt) || !buf_add_base64_decoded(&v->stored, stored) ||
        !buf_add_base64_decoded(&v->server, text) || v->salt.n == 0 ||
        v->stored.n != v->scram->size || v->server.n != v->scram->size)
        return err_set(e, ERR_SYNTAX, "malformed SCRAM verifier (RFC 5803)");
    if (v->iterations > SCRAM_ITERATIONS_MAX)
        return err_set(e, ERR_SYNTAX, "a SCRAM verifier with %u iterations, more than %u",
                       v->iterations, SCRAM_ITERATIONS_MAX);
    return true;
}

static void release(struct verifier *v)
{
    buf_free(&v->salt);
    buf_wipe(&v->stored);
    buf_wipe(&v->server);
}

bool password_scram_check(struct str verifier, struct err *e)
{
    struct verifier v;
    bool ok = parse(verifier, &v, e);
    release(&v);
    return ok;
}

enum password_match password_scram_verify(struct str password, struct str verifier)
{
    struct verifier v;
    struct scram_keys keys = {{0}, {0}};
    struct buf prepared = BUF_EMPTY;
    bool usable = parse(verifier, &v, NULL), same = false;
    if (usable) {
        /* A password that SASLprep refuses costs the same. */
        bool text = saslprep(password, &prepared);
        bool ok = derive(v.scram, text ? buf_str(&prepared) : STR("x"), buf_str(&v.salt),
                         v.iterations, &keys);
        same = ok && text && CRYPTO_memcmp(keys.stored, v.stored.p, v.scram->size) == 0;
    }
    explicit_bzero(&keys, sizeof(keys));
    buf_wipe(&prepared);
    release(&v);
    return !usable ? PASSWORD_UNUSABLE : same ? PASSWORD_RIGHT : PASSWORD_WRONG;
}

/* --- CRAM-MD5 --- */

static void add_word(struct buf *b, MD5_LONG word)
{
    for (int shift = 24; shift >= 0; shift -= 8)
        buf_add_char(b, (char)(word >> shift & 0xff));
}

static void add_state(struct buf *b, const unsigned char key[MD5_CBLOCK], unsigned char pad)
{
    unsigned char block[MD5_CBLOCK];
    MD5_CTX md5;
    for (size_t i = 0; i < sizeof(block); i++)
        block[i] = key[i] ^ pad;
    MD5_Init(&md5);
    MD5_Update(&md5, block, sizeof(block));
    add_word(b, md5.A);
    add_word(b, md5.B);
    add_word(b, md5.C);
    add_word(b, md5.D);
    explicit_bzero(&md5, sizeof(md5));
    explicit_bzero(block, sizeof(block));
}

void password_cram_md5(struct str password, struct buf *state)
{
    unsigned char key[MD5_CBLOCK] = {0};
    if (password.n > sizeof(key))
        MD5((const unsigned char *)password.p, password.n, key);
    else if (password.n > 0)
        memcpy(key, password.p, password.n);
    add_state(state, key, 0x36);
    add_state(state, key, 0x5c);
    explicit_bzero(key, sizeof(key));
}
