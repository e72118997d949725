/*
 * What SCRAM (RFC 5802, RFC 7677) and CRAM-MD5 (RFC 2195) verify with: the directory's secrets,
 * given to libsasl2 as properties of the user (its auxprop interface). SCRAM's are verifiers in
 * the form of RFC 5803, from which nobody can log in elsewhere; passwords are not stored.
 *
 * SCRAM's first answer shows salt and iterations of a user. Whoever does not exist, may not try, or
 * has no verifier of the kind, is given one that belongs to no password, made from his name with a
 * key of this installation: the same at each try and after each restart, as a real one would be,
 * and as cheap. Its exchange fails at the last step, as with a wrong password; only the log knows
 * why.
 *
 * A source that checks passwords by itself (LDAP by binding) has no verifiers: its users could
 * never log in with SCRAM, and clients that prefer it would not try anything else. So it is offered
 * only when all sources have hashes, unless the configuration names it.
 */
#include "auth/directory_internal.h"
#include "auth/password.h"
#include "auth/sasl_internal.h"
#include "auth/source.h"
#include "core/file.h"
#include "core/random.h"
#include "core/worker.h"

#include <openssl/hmac.h>
#include <openssl/sha.h>

#define SALT_BYTES 16 /* as password_scram_sha256 makes them */

bool sasl_secrets_held(const struct auth *a, const struct auth_peer *peer)
{
    const struct directory *d = a->directory;
    (void)peer;
    if (a->settings.mechanisms.count > 0)
        return true;
    for (size_t i = 0; i < d->chain->count; i++)
        if (d->chain->list[i]->functions->check_password)
            return false;
    return true;
}

/* --- secrets of nobody --- */

/* 32 bytes that depend on who it is, the mechanism, and what they are for. */
static void derive(const struct auth *a, const char *purpose, const char *mechanism,
                   struct str name, unsigned char out[SHA256_DIGEST_LENGTH])
{
    struct buf text = BUF_EMPTY;
    buf_printf(&text, "%s %s ", purpose, mechanism);
    buf_add_str(&text, name);
    HMAC(EVP_sha256(), a->secret, sizeof(a->secret), (const unsigned char *)text.p, text.n, out,
         NULL);
    buf_free(&text);
}

static void add_derived(struct buf *out, const struct auth *a, const char *purpose,
                        const char *mechanism, struct str name, size_t n)
{
    unsigned char bytes[SHA256_DIGEST_LENGTH];
    derive(a, purpose, mechanism, name, bytes);
    buf_add_base64(out, str_from((const char *)bytes, n));
}

static struct str invent(struct sasl *s, struct str name)
{
    const char *digest = s->mechanism->digest;
    const struct auth *a = s->auth;
    struct buf text = BUF_EMPTY;
    if (digest) {
        size_t n = strcmp(digest, "SCRAM-SHA-1") == 0 ? SHA_DIGEST_LENGTH : SHA256_DIGEST_LENGTH;
        buf_printf(&text, "%s$%d:", digest, SCRAM_ITERATIONS);
        add_derived(&text, a, "salt", digest, name, SALT_BYTES);
        buf_add_char(&text, '$');
        add_derived(&text, a, "stored", digest, name, n);
        buf_add_char(&text, ':');
        add_derived(&text, a, "server", digest, name, n);
    } else {
        derive(a, "state", s->mechanism->name, name, (unsigned char *)buf_reserve(&text, 32));
        text.n += CRAM_MD5_SIZE;
    }
    struct str result = arena_str(s->arena, buf_str(&text));
    buf_free(&text);
    return result;
}

/* --- of a user --- */

static struct str stored(const struct sasl *s, const struct directory_secrets *secrets)
{
    if (!s->mechanism->digest)
        return secrets->cram_md5;
    return strcmp(s->mechanism->digest, "SCRAM-SHA-1") == 0 ? secrets->scram_sha1
                                                            : secrets->scram_sha256;
}

static bool cannot_tell(struct sasl *s, const struct err *why)
{
    return err_set(&s->verdict, why->kind == ERR_CANCELLED ? ERR_CANCELLED : ERR_TEMP, "%s",
                   why->text);
}

/* The name as every spelling of it becomes the same. */
static struct str one_spelling(struct sasl *s, struct str login)
{
    struct str name;
    return directory_full_name(s->auth->directory, login, s->arena, &name)
               ? name
               : arena_lower(s->arena, login);
}

/* s->refused: the log's word for why the proof will fail. */
static bool look_up(struct sasl *s, struct str login)
{
    struct directory_secrets secrets = {0};
    struct err why = {0};
    switch (directory_find_secrets(s->auth->directory, login, s->arena, &secrets, &why)) {
    case LOOKUP_FOUND:
        s->account = secrets.account;
        s->secret = stored(s, &secrets);
        if (s->secret.n == 0)
            s->refused = "no_verifier";
        return true;
    case LOOKUP_NOT_FOUND:
        s->refused = "unknown_user";
        return true;
    case LOOKUP_TEMPFAIL:
        break;
    }
    return cannot_tell(s, &why);
}

bool sasl_find_secret(struct sasl *s)
{
    struct str login, name;
    struct err why = {0};
    if (s->secret.p)
        return s->verdict.kind == ERR_NONE;
    auth_split_login(s->auth, s->user, &login, &s->as);
    name = one_spelling(s, login);
    if (!look_up(s, login))
        return false;
    if (!auth_may_try(s->auth, &s->peer, login, &why)) {
        if (why.kind != ERR_DENIED)
            return cannot_tell(s, &why);
        s->locked_out = true;
        s->refused = arena_c(s->arena, str_from_c(why.text));
    }
    if (s->refused)
        s->secret = invent(s, name);
    return true;
}

/* --- the installation's key --- */

/* Of the right size, and not the zeros that a damaged disk leaves, which everybody knows. */
static bool is_secret(struct str bytes, size_t size)
{
    char all = 0;
    for (size_t i = 0; i < bytes.n; i++)
        all |= bytes.p[i];
    return bytes.n == size && all != 0;
}

bool auth_open_secret(struct auth *a, const char *path, struct err *e)
{
    struct buf content = BUF_EMPTY;
    struct err why = {0};
    bool ok = file_read_all(path, sizeof(a->secret), &content, &why) &&
              is_secret(buf_str(&content), sizeof(a->secret));
    if (ok) {
        memcpy(a->secret, content.p, content.n);
    } else if (why.kind != ERR_NONE && why.kind != ERR_NOT_FOUND && why.kind != ERR_LIMIT) {
        *e = why;
    } else {
        random_bytes(a->secret, sizeof(a->secret));
        ok = file_replace(path, str_from((const char *)a->secret, sizeof(a->secret)), 0600, e);
    }
    if (content.p)
        explicit_bzero(content.p, content.n);
    buf_free(&content);
    return ok;
}
