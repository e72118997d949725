/*
 * yescrypt through libxcrypt's re-entrant calls, with its default cost: about 20 ms and 16 MB for
 * each guess.
 *
 * Hashes that other systems made are checked by what made them: libxcrypt for all of crypt(5),
 * libargon2, OpenSSL for salted digests (password_scheme.c), PBKDF2 for SCRAM verifiers
 * (password_scram.c). A hash of another method that does not match costs a yescrypt computation as
 * well, so that the time does not tell who was imported from where, and who does not exist.
 */
#include "auth/password_internal.h"

#include "core/mem.h"
#include "core/random.h"

#include <crypt.h>
#include <openssl/crypto.h>
#include <stdlib.h>

#define HASH_METHOD "$y$"
#define HASH_NOW    "$y$j9T$" /* what HASH_METHOD gives with the default cost */
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
char *password_crypt(struct str password, const char *setting)
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
    char *result = password_crypt(password, setting);
    if (!result)
        return err_set(e, ERR_TEMP, "hashing the password failed (out of memory?)");
    buf_add_c(hash, result);
    free(result);
    return true;
}

bool password_is_current(const char *hash)
{
    return str_starts_with(str_from_c(hash), STR(HASH_NOW));
}

static enum password_match verify_crypt(struct str password, const char *hash)
{
    char *result = password_crypt(password, hash);
    if (!result)
        return PASSWORD_UNUSABLE;
    size_t n = strlen(hash);
    bool same = strlen(result) == n && CRYPTO_memcmp(result, hash, n) == 0;
    explicit_bzero(result, strlen(result));
    free(result);
    return same ? PASSWORD_RIGHT : PASSWORD_WRONG;
}

static void spend_time(struct str password)
{
    char *result = password_crypt(password, HASH_NOW "......................$");
    if (result)
        explicit_bzero(result, strlen(result));
    free(result);
}

enum password_match password_verify(struct str password, const char *hash)
{
    /* What no stored password can be is compared all the same, so that it takes the same time. */
    bool possible = password_check_form(password, NULL), known;
    struct str tried = possible ? password : STR("x");
    if (!password_check_hash(str_from_c(hash), NULL))
        return PASSWORD_UNUSABLE;
    enum password_match match = password_scheme_verify(tried, str_from_c(hash), &known);
    if (!known)
        match = verify_crypt(tried, hash);
    if (match == PASSWORD_UNUSABLE)
        return match;
    bool right = match == PASSWORD_RIGHT && possible;
    if (!right && !str_starts_with(str_from_c(hash), STR(HASH_METHOD)))
        spend_time(tried);
    return right ? PASSWORD_RIGHT : PASSWORD_WRONG;
}
