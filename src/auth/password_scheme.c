/*
 * Password hashes from elsewhere: the schemes that LDAP servers and mail servers write in braces
 * (RFC 2307 section 5.3 and what followed), and what stands behind them.
 *
 *   {CRYPT} {BLF-CRYPT} {SHA256-CRYPT} ...   a text of crypt(5), kept without the braces
 *   {ARGON2ID} {ARGON2I} {ARGON2}            a text of libargon2, kept without the braces
 *   {SSHA} {SSHA256} {SSHA512} {SMD5}        base64 of digest and salt, kept with the braces
 *   {SHA} {SHA256} {SHA512} {MD5}            base64 of the digest
 *   {SCRAM-SHA-256} {SCRAM-SHA-1}            "iterations,salt,StoredKey,ServerKey" in base64, or
 *                                            the text of RFC 5803; kept as the latter
 *   {PLAIN} {CLEARTEXT} {CLEAR}              the password itself
 *
 * A hash names its own cost. One that takes gigabytes or minutes would be a way to stop all
 * logins, so each method has a limit (limits.h), here and again when it is verified.
 */
#include "auth/limits.h"
#include "auth/password_internal.h"
#include "core/mem.h"

#include <argon2.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>

/* --- what the text of a hash says of its cost --- */

static bool too_expensive(struct err *e, const char *method)
{
    return err_set(e, ERR_SYNTAX, "a hash of %s with a cost that no login can have", method);
}

static bool malformed(struct err *e, const char *method)
{
    return err_set(e, ERR_SYNTAX, "malformed hash of %s", method);
}

/* Of crypt(5)'s digits, as yescrypt writes numbers; 64: none. */
static unsigned digit64(char c)
{
    static const char digits[] = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    const char *at = c ? strchr(digits, c) : NULL;
    return at ? (unsigned)(at - digits) : 64;
}

/* "$y$j9T$salt$hash": flavour, log2 of N less one, r less one. */
static bool check_yescrypt(struct str hash, struct err *e)
{
    struct str rest = str_skip(hash, hash.p[1] == 'g' ? 4 : 3);
    struct str parameters = str_split(&rest, '$');
    if (parameters.n != 3 || !rest.p || digit64(parameters.p[1]) == 64 ||
        digit64(parameters.p[2]) == 64)
        return malformed(e, "yescrypt");
    uint64_t n =
        UINT64_C(1) << (digit64(parameters.p[1]) + 1 > 40 ? 40 : digit64(parameters.p[1]) + 1);
    uint64_t r = digit64(parameters.p[2]) + 1;
    return n * r * 128 <= HASH_MEMORY_MAX || too_expensive(e, "yescrypt");
}

static bool check_bcrypt(struct str hash, struct err *e)
{
    uint32_t cost;
    if (hash.n != 60 || hash.p[6] != '$' || !str_to_u32(str_from(hash.p + 4, 2), &cost))
        return malformed(e, "bcrypt");
    return cost <= BCRYPT_COST_MAX || too_expensive(e, "bcrypt");
}

static bool check_sha_crypt(struct str hash, struct err *e)
{
    uint32_t rounds = 5000;
    struct str rest = str_skip(hash, 3);
    if (str_starts_with(rest, STR("rounds="))) {
        struct str number = str_skip(str_split(&rest, '$'), 7);
        if (!str_to_u32(number, &rounds))
            return malformed(e, "SHA-crypt");
    }
    struct str salt = str_split(&rest, '$');
    if (salt.n > 16 || !rest.p || rest.n < 40)
        return malformed(e, "SHA-crypt");
    return rounds <= SHA_CRYPT_ROUNDS_MAX || too_expensive(e, "SHA-crypt");
}

static bool check_md5_crypt(struct str hash, struct err *e)
{
    struct str rest = str_skip(hash, 3), salt = str_split(&rest, '$');
    return (salt.n <= 8 && rest.n == 22) || malformed(e, "MD5-crypt");
}

/* "$argon2id$v=19$m=65536,t=3,p=4$salt$hash"; "v=..." is missing in old ones. */
static bool check_argon2(struct str hash, struct err *e)
{
    uint32_t memory = 0, passes = 0, lanes = 0;
    struct str rest = str_skip(hash, 1), part;
    str_split(&rest, '$');
    struct str parameters = str_split(&rest, '$');
    if (str_starts_with(parameters, STR("v=")))
        parameters = str_split(&rest, '$');
    while (part = str_split(&parameters, ','), part.p) {
        uint32_t *value = part.n < 3         ? NULL
                          : part.p[0] == 'm' ? &memory
                          : part.p[0] == 't' ? &passes
                          : part.p[0] == 'p' ? &lanes
                                             : NULL;
        if (!value || part.p[1] != '=' || !str_to_u32(str_skip(part, 2), value))
            return malformed(e, "argon2");
    }
    if (memory == 0 || passes == 0 || lanes == 0 || rest.n == 0 || str_find_char(rest, '$') < 0)
        return malformed(e, "argon2");
    return (memory <= HASH_MEMORY_MAX / 1024 && lanes <= ARGON2_LANES_MAX &&
            (uint64_t)memory * passes <= ARGON2_WORK_MAX) ||
           too_expensive(e, "argon2");
}

static bool is_des(struct str hash)
{
    for (size_t i = 0; i < hash.n; i++)
        if (digit64(hash.p[i]) == 64)
            return false;
    return hash.n == 13;
}

static const struct {
    const char *prefix;
    bool (*check)(struct str hash, struct err *e);
} methods[] = {
    {"$y$", check_yescrypt},     {"$gy$", check_yescrypt}, {"$2a$", check_bcrypt},
    {"$2b$", check_bcrypt},      {"$2y$", check_bcrypt},   {"$5$", check_sha_crypt},
    {"$6$", check_sha_crypt},    {"$1$", check_md5_crypt}, {"$argon2id$", check_argon2},
    {"$argon2i$", check_argon2},
};
#define METHODS (sizeof(methods) / sizeof(*methods))

/* --- digests in braces --- */

static const struct digest {
    struct str scheme;
    const EVP_MD *(*digest)(void);
    size_t size;
    bool salted;
} digests[] = {
    {{"{SSHA}", 6}, EVP_sha1, 20, true},      {{"{SSHA256}", 9}, EVP_sha256, 32, true},
    {{"{SSHA512}", 9}, EVP_sha512, 64, true}, {{"{SMD5}", 6}, EVP_md5, 16, true},
    {{"{SHA}", 5}, EVP_sha1, 20, false},      {{"{SHA256}", 8}, EVP_sha256, 32, false},
    {{"{SHA512}", 8}, EVP_sha512, 64, false}, {{"{MD5}", 5}, EVP_md5, 16, false},
};
#define DIGESTS (sizeof(digests) / sizeof(*digests))

static const struct digest *find_digest(struct str hash)
{
    for (size_t i = 0; i < DIGESTS; i++)
        if (str_starts_with_nocase(hash, digests[i].scheme))
            return &digests[i];
    return NULL;
}

static bool decode_digest(const struct digest *d, struct str hash, struct buf *bytes)
{
    return buf_add_base64_decoded(bytes, str_skip(hash, d->scheme.n)) &&
           (d->salted ? bytes->n > d->size && bytes->n <= d->size + DIGEST_SALT_MAX
                      : bytes->n == d->size);
}

static bool check_digest(const struct digest *d, struct str hash, struct err *e)
{
    struct buf bytes = BUF_EMPTY;
    bool ok = decode_digest(d, hash, &bytes);
    buf_free(&bytes);
    return ok || err_set(e, ERR_SYNTAX, "malformed %.*s password", STR_ARG(d->scheme));
}

static enum password_match verify_digest(const struct digest *d, struct str password,
                                         struct str hash)
{
    unsigned char computed[EVP_MAX_MD_SIZE];
    struct buf bytes = BUF_EMPTY;
    bool usable = decode_digest(d, hash, &bytes), same = false;
    EVP_MD_CTX *context = usable ? EVP_MD_CTX_new() : NULL;
    if (context && EVP_DigestInit_ex(context, d->digest(), NULL) == 1 &&
        EVP_DigestUpdate(context, password.p, password.n) == 1 &&
        EVP_DigestUpdate(context, bytes.p + d->size, bytes.n - d->size) == 1 &&
        EVP_DigestFinal_ex(context, computed, NULL) == 1)
        same = CRYPTO_memcmp(computed, bytes.p, d->size) == 0;
    EVP_MD_CTX_free(context);
    explicit_bzero(computed, sizeof(computed));
    buf_free(&bytes);
    return !usable ? PASSWORD_UNUSABLE : same ? PASSWORD_RIGHT : PASSWORD_WRONG;
}

static enum password_match verify_argon2(struct str password, struct str hash)
{
    char *text = mem_dup(hash.p, hash.n);
    argon2_type type = str_starts_with(hash, STR("$argon2id$")) ? Argon2_id : Argon2_i;
    int result = argon2_verify(text, password.p, password.n, type);
    free(text);
    return result == ARGON2_OK                ? PASSWORD_RIGHT
           : result == ARGON2_VERIFY_MISMATCH ? PASSWORD_WRONG
                                              : PASSWORD_UNUSABLE;
}

bool password_check_hash(struct str hash, struct err *e)
{
    const struct digest *digest = find_digest(hash);
    if (hash.n > HASH_TEXT_MAX || !str_is_ascii(hash) || memchr(hash.p, '\0', hash.n))
        return err_set(e, ERR_SYNTAX, "malformed password hash");
    if (digest)
        return check_digest(digest, hash, e);
    if (str_starts_with(hash, STR("SCRAM-")))
        return password_scram_check(hash, e);
    for (size_t i = 0; i < METHODS; i++)
        if (str_starts_with(hash, str_from_c(methods[i].prefix)))
            return methods[i].check(hash, e);
    return is_des(hash) || err_set(e, ERR_SYNTAX, "a password hash of a method that is not known");
}

enum password_match password_scheme_verify(struct str password, struct str hash, bool *known)
{
    const struct digest *digest = find_digest(hash);
    *known = true;
    if (digest)
        return verify_digest(digest, password, hash);
    if (str_starts_with(hash, STR("SCRAM-")))
        return password_scram_verify(password, hash);
    if (str_starts_with(hash, STR("$argon2")))
        return verify_argon2(password, hash);
    *known = false;
    return PASSWORD_UNUSABLE;
}

/* --- texts with {SCHEME} --- */

static bool keep(struct str text, struct buf *out)
{
    buf_add_str(out, text);
    return true;
}

/* "4096,salt,StoredKey,ServerKey" as Dovecot writes it, or RFC 5803 with or without its name. */
static bool scram_text(struct str scheme, struct str text, struct buf *out)
{
    if (str_starts_with(text, STR("SCRAM-")))
        return keep(text, out);
    buf_add_str(out, scheme);
    buf_add_char(out, '$');
    if (str_find_char(text, ',') < 0)
        return keep(text, out);
    for (int i = 0; i < 4; i++) {
        buf_add_str(out, str_split(&text, ','));
        if (i < 3)
            buf_add_char(out, i == 1 ? '$' : ':');
    }
    return true;
}

static bool is_one_of(struct str scheme, const char *const *names)
{
    for (; *names; names++)
        if (str_equal_nocase(scheme, str_from_c(*names)))
            return true;
    return false;
}

static bool take_digest(const struct digest *d, struct str text, struct buf *out)
{
    buf_add_str(out, d->scheme);
    return keep(str_skip(text, d->scheme.n), out);
}

bool password_from_scheme(struct str text, enum password_kind *kind, struct buf *out, struct err *e)
{
    static const char *const clear[] = {"PLAIN", "CLEARTEXT", "CLEAR", NULL};
    static const char *const bare[] = {"CRYPT",     "BLF-CRYPT", "SHA256-CRYPT", "SHA512-CRYPT",
                                       "MD5-CRYPT", "DES-CRYPT", "ARGON2",       "ARGON2I",
                                       "ARGON2ID",  NULL};
    const struct digest *digest = find_digest(text);
    ptrdiff_t end = text.n > 0 && text.p[0] == '{' ? str_find_char(text, '}') : -1;
    size_t start = out->n;
    struct str scheme = end > 0 ? str_from(text.p + 1, (size_t)end - 1) : STR("");
    struct str rest = str_skip(text, (size_t)(end + 1));
    *kind = PASSWORD_HASH;
    if (is_one_of(scheme, clear)) {
        *kind = PASSWORD_CLEAR;
        return password_check_form(rest, e) && keep(rest, out);
    }
    if (digest)
        take_digest(digest, text, out);
    else if (str_equal_nocase(scheme, STR("SCRAM-SHA-256")))
        scram_text(STR("SCRAM-SHA-256"), rest, out);
    else if (str_equal_nocase(scheme, STR("SCRAM-SHA-1")))
        scram_text(STR("SCRAM-SHA-1"), rest, out);
    else if (is_one_of(scheme, bare) || str_starts_with(text, STR("$")) ||
             str_starts_with(text, STR("SCRAM-")))
        keep(rest, out);
    else if (end > 0)
        return err_set(e, ERR_SYNTAX, "a password in the unknown scheme {%.*s}",
                       STR_ARG(str_head(scheme, 40)));
    else
        return err_set(e, ERR_SYNTAX,
                       "a password without its {SCHEME}: one in clear is {PLAIN}...");
    struct str hash = str_skip(buf_str(out), start);
    if (str_starts_with(hash, STR("SCRAM-")))
        *kind = PASSWORD_VERIFIER;
    return password_check_hash(hash, e);
}

void password_to_scheme(struct str hash, struct buf *out)
{
    if (str_starts_with(hash, STR("$argon2")))
        buf_add_c(out, "{ARGON2}");
    else if (str_starts_with(hash, STR("SCRAM-SHA-256$")))
        buf_add_c(out, "{SCRAM-SHA-256}");
    else if (str_starts_with(hash, STR("SCRAM-SHA-1$")))
        buf_add_c(out, "{SCRAM-SHA-1}");
    else if (!str_starts_with(hash, STR("{")))
        buf_add_c(out, "{CRYPT}");
    buf_add_str(out, hash);
}
