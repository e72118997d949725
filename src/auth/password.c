/*
 * yescrypt through libxcrypt's re-entrant calls, with its default cost: about 20 ms and 16 MB for
 * each guess. The SCRAM verifier is computed when a password is set, the only time the server
 * has it in clear (RFC 5802 section 3, RFC 7677):
 *
 *   SaltedPassword = PBKDF2(HMAC-SHA-256, SASLprep(password), salt, iterations)
 *   StoredKey      = SHA-256(HMAC(SaltedPassword, "Client Key"))
 *   ServerKey      = HMAC(SaltedPassword, "Server Key")
 */
#include "auth/password.h"

#include "core/mem.h"
#include "core/random.h"

#include <crypt.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>
#include <stdlib.h>

#define HASH_METHOD "$y$"
#define SALT_BYTES  16

bool password_check_form(struct str password, struct err *e)
{
    if (password.n == 0)
        return err_set(e, ERR_SYNTAX, "the password is empty");
    if (password.n > PASSWORD_MAX)
        return err_set(e, ERR_SYNTAX, "the password is longer than %d bytes", PASSWORD_MAX);
    for (size_t i = 0; i < password.n; i++)
        if (password.p[i] == '\0' || password.p[i] == '\r' || password.p[i] == '\n')
            return err_set(e, ERR_SYNTAX, "the password has a NUL or a line end in it");
    return true;
}

/* The phrase with a NUL behind it is wiped, and so is crypt's own memory. */
static char *run_crypt(struct str password, const char *setting)
{
    char phrase[PASSWORD_MAX + 1];
    struct crypt_data *data = MEM_NEW(struct crypt_data);
    char *result = NULL;
    if (password.n > 0 && password.n <= PASSWORD_MAX && !memchr(password.p, '\0', password.n)) {
        memcpy(phrase, password.p, password.n);
        phrase[password.n] = '\0';
        char *hash = crypt_rn(phrase, setting, data, sizeof(*data));
        if (hash)
            result = mem_dup(hash, strlen(hash));
        explicit_bzero(phrase, sizeof(phrase));
    }
    explicit_bzero(data, sizeof(*data));
    free(data);
    return result;
}

bool password_hash(struct str password, struct buf *hash, struct err *e)
{
    char random[SALT_BYTES], setting[CRYPT_GENSALT_OUTPUT_SIZE];
    if (!password_check_form(password, e))
        return false;
    random_bytes(random, sizeof(random));
    if (!crypt_gensalt_rn(HASH_METHOD, 0, random, sizeof(random), setting, sizeof(setting)))
        return err_set(e, ERR_PERM, "libcrypt cannot make yescrypt salts");
    char *result = run_crypt(password, setting);
    if (!result)
        return err_set(e, ERR_TEMP, "hashing the password failed (out of memory?)");
    buf_add_c(hash, result);
    free(result);
    return true;
}

enum password_match password_verify(struct str password, const char *hash)
{
    /* What no stored password can be is compared all the same, so that it takes the same time. */
    bool possible = password_check_form(password, NULL);
    char *result = run_crypt(possible ? password : STR("x"), hash);
    if (!result)
        return PASSWORD_UNUSABLE;
    size_t n = strlen(hash);
    bool same = strlen(result) == n && CRYPTO_memcmp(result, hash, n) == 0;
    explicit_bzero(result, strlen(result));
    free(result);
    return same && possible ? PASSWORD_RIGHT : PASSWORD_WRONG;
}

static bool hmac_text(const unsigned char key[SHA256_DIGEST_LENGTH], struct str text,
                      unsigned char out[SHA256_DIGEST_LENGTH])
{
    return HMAC(EVP_sha256(), key, SHA256_DIGEST_LENGTH, (const unsigned char *)text.p, text.n, out,
                NULL) != NULL;
}

static struct str digest_str(const unsigned char digest[SHA256_DIGEST_LENGTH])
{
    return str_from((const char *)digest, SHA256_DIGEST_LENGTH);
}

bool password_scram_sha256(struct str password, struct buf *verifier, struct err *e)
{
    unsigned char salt[SALT_BYTES], salted[SHA256_DIGEST_LENGTH], client[SHA256_DIGEST_LENGTH],
        stored[SHA256_DIGEST_LENGTH], server[SHA256_DIGEST_LENGTH];
    struct buf prepared = BUF_EMPTY;
    if (!saslprep(password, &prepared)) {
        buf_free(&prepared);
        return true;
    }
    random_bytes(salt, sizeof(salt));
    bool ok = PKCS5_PBKDF2_HMAC(prepared.p, (int)prepared.n, salt, sizeof(salt), SCRAM_ITERATIONS,
                                EVP_sha256(), sizeof(salted), salted) == 1 &&
              hmac_text(salted, STR("Client Key"), client) &&
              hmac_text(salted, STR("Server Key"), server) &&
              SHA256(client, sizeof(client), stored) != NULL;
    if (ok) {
        buf_printf(verifier, "SCRAM-SHA-256$%d:", SCRAM_ITERATIONS);
        buf_add_base64(verifier, str_from((const char *)salt, sizeof(salt)));
        buf_add_char(verifier, '$');
        buf_add_base64(verifier, digest_str(stored));
        buf_add_char(verifier, ':');
        buf_add_base64(verifier, digest_str(server));
    }
    explicit_bzero(prepared.p, prepared.n);
    explicit_bzero(salted, sizeof(salted));
    explicit_bzero(client, sizeof(client));
    explicit_bzero(server, sizeof(server));
    buf_free(&prepared);
    return ok || err_set(e, ERR_TEMP, "OpenSSL cannot compute the SCRAM verifier");
}
