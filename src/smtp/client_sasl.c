/*
 * A mechanism is a row: its name, how its first response is made, and what it makes of a challenge.
 *
 * SCRAM is the one with a dialog: the server's nonce must begin with ours, its salt and count of
 * iterations make the proof, and its last word must be the signature that only who knows the
 * password can make. What a server may ask for is bounded: a count of iterations of billions would
 * be an attack on our processor, a low one an attempt to learn something about a password that is
 * short (RFC 7677 4).
 *
 * Everything derived from the password is wiped.
 */
#include "smtp/client_sasl.h"

#include "auth/password.h"
#include "core/mem.h"
#include "core/random.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>

#define ITERATIONS_MIN 4096
#define ITERATIONS_MAX 1000000
#define SALT_MAX       1024
#define NONCE_BYTES    18

struct mechanism {
    const char *name;
    void (*first)(struct client_sasl *s, struct buf *response); /* NULL: none */
    bool (*step)(struct client_sasl *s, struct str challenge, struct buf *response, struct err *e);
    const EVP_MD *(*digest)(void);
    bool bound; /* to the TLS connection */
    bool on_request;
};

struct client_sasl {
    const struct mechanism *mechanism;
    struct client_credentials credentials;
    unsigned steps;
    bool complete;
    /* SCRAM */
    struct buf gs2, nonce, client_first_bare;
    unsigned char server_signature[EVP_MAX_MD_SIZE];
    unsigned signature_size;
};

static bool unexpected(struct err *e)
{
    return err_set(e, ERR_SYNTAX, "one challenge more than the mechanism has");
}

/* --- PLAIN, LOGIN, XOAUTH2 --- */

static void plain_first(struct client_sasl *s, struct buf *response)
{
    buf_add_char(response, '\0');
    buf_add_c(response, s->credentials.user);
    buf_add_char(response, '\0');
    buf_add_c(response, s->credentials.password);
    s->complete = true;
}

/* Servers that overlook the initial response send an empty challenge. */
static bool plain_step(struct client_sasl *s, struct str challenge, struct buf *response,
                       struct err *e)
{
    if (s->steps > 1 || challenge.n > 0)
        return unexpected(e);
    plain_first(s, response);
    return true;
}

/* Whatever it asks ("Username:", "User Name"), the first question is for the name. */
static bool login_step(struct client_sasl *s, struct str challenge, struct buf *response,
                       struct err *e)
{
    (void)challenge;
    if (s->steps > 2)
        return unexpected(e);
    buf_add_c(response, s->steps == 1 ? s->credentials.user : s->credentials.password);
    s->complete = s->steps == 2;
    return true;
}

static void xoauth2_first(struct client_sasl *s, struct buf *response)
{
    buf_printf(response, "user=%s\001auth=Bearer ", s->credentials.user);
    buf_add_c(response, s->credentials.password);
    buf_add_c(response, "\001\001");
    s->complete = true;
}

/* A challenge is an error's description; an empty response gets the reply. */
static bool xoauth2_step(struct client_sasl *s, struct str challenge, struct buf *response,
                         struct err *e)
{
    (void)challenge;
    (void)response;
    return s->steps == 1 || unexpected(e);
}

/* --- SCRAM --- */

static void prepare(struct str text, struct buf *out)
{
    if (!saslprep(text, out)) {
        buf_clear(out);
        buf_add_str(out, text);
    }
}

static void add_user_name(struct buf *out, const char *user)
{
    struct buf prepared = BUF_EMPTY;
    prepare(str_from_c(user), &prepared);
    for (size_t i = 0; i < prepared.n; i++)
        if (prepared.p[i] == ',')
            buf_add_c(out, "=2C");
        else if (prepared.p[i] == '=')
            buf_add_c(out, "=3D");
        else
            buf_add_char(out, prepared.p[i]);
    buf_free(&prepared);
}

static void scram_first(struct client_sasl *s, struct buf *response)
{
    unsigned char random[NONCE_BYTES];
    random_bytes(random, sizeof(random));
    if (s->credentials.test_nonce.n > 0)
        buf_add_str(&s->nonce, s->credentials.test_nonce);
    else
        buf_add_base64(&s->nonce, str_from((const char *)random, sizeof(random)));
    buf_add_c(&s->gs2, s->mechanism->bound ? "p=tls-exporter,," : "n,,");
    buf_add_c(&s->client_first_bare, "n=");
    add_user_name(&s->client_first_bare, s->credentials.user);
    buf_add_c(&s->client_first_bare, ",r=");
    buf_add_str(&s->client_first_bare, buf_str(&s->nonce));
    buf_add_str(response, buf_str(&s->gs2));
    buf_add_str(response, buf_str(&s->client_first_bare));
}

/* The value of the next attribute, which must be this one. */
static bool take_attribute(struct str *rest, char name, struct str *value)
{
    struct str attribute = str_split(rest, ',');
    if (attribute.n < 2 || attribute.p[0] != name || attribute.p[1] != '=')
        return false;
    *value = str_skip(attribute, 2);
    return true;
}

struct scram_challenge {
    struct str nonce;
    struct buf salt;
    uint32_t iterations;
};

static bool parse_challenge(struct client_sasl *s, struct str text, struct scram_challenge *c,
                            struct err *e)
{
    struct str salt, iterations;
    if (!take_attribute(&text, 'r', &c->nonce) || !take_attribute(&text, 's', &salt) ||
        !take_attribute(&text, 'i', &iterations) || salt.n > 2 * SALT_MAX ||
        !buf_add_base64_decoded(&c->salt, salt) || c->salt.n == 0 || c->salt.n > SALT_MAX ||
        !str_to_u32(iterations, &c->iterations))
        return err_set(e, ERR_SYNTAX, "the challenge is not understood");
    if (!str_starts_with(c->nonce, buf_str(&s->nonce)) || c->nonce.n <= s->nonce.n)
        return err_set(e, ERR_DENIED, "the challenge is for somebody else");
    if (c->iterations < ITERATIONS_MIN || c->iterations > ITERATIONS_MAX)
        return err_set(e, ERR_LIMIT, "%u iterations are not between %d and %d", c->iterations,
                       ITERATIONS_MIN, ITERATIONS_MAX);
    return true;
}

static bool hmac(const EVP_MD *digest, const unsigned char *key, unsigned size, struct str text,
                 unsigned char *out)
{
    return HMAC(digest, key, (int)size, (const unsigned char *)text.p, text.n, out, NULL) != NULL;
}

struct scram_keys {
    unsigned char salted[EVP_MAX_MD_SIZE], client[EVP_MAX_MD_SIZE], stored[EVP_MAX_MD_SIZE],
        signature[EVP_MAX_MD_SIZE], server[EVP_MAX_MD_SIZE];
};

/* RFC 5802 3: the proof, and the signature to expect. */
static bool compute(struct client_sasl *s, const struct scram_challenge *c, struct str message,
                    struct scram_keys *k, unsigned char *proof)
{
    const EVP_MD *digest = s->mechanism->digest();
    unsigned size = (unsigned)EVP_MD_get_size(digest);
    struct buf password = BUF_EMPTY;
    prepare(str_from_c(s->credentials.password), &password);
    bool ok = PKCS5_PBKDF2_HMAC(password.p ? password.p : "", (int)password.n,
                                (const unsigned char *)c->salt.p, (int)c->salt.n,
                                (int)c->iterations, digest, (int)size, k->salted) == 1 &&
              hmac(digest, k->salted, size, STR("Client Key"), k->client) &&
              EVP_Digest(k->client, size, k->stored, NULL, digest, NULL) == 1 &&
              hmac(digest, k->stored, size, message, k->signature) &&
              hmac(digest, k->salted, size, STR("Server Key"), k->server) &&
              hmac(digest, k->server, size, message, s->server_signature);
    for (unsigned i = 0; i < size; i++)
        proof[i] = k->client[i] ^ k->signature[i];
    s->signature_size = size;
    buf_wipe(&password);
    return ok;
}

static void add_binding(struct client_sasl *s, struct buf *out)
{
    struct buf input = BUF_EMPTY;
    buf_add_str(&input, buf_str(&s->gs2));
    if (s->mechanism->bound)
        buf_add_str(&input, s->credentials.binding);
    buf_add_base64(out, buf_str(&input));
    buf_free(&input);
}

static bool prove(struct client_sasl *s, const struct scram_challenge *c, struct str challenge,
                  struct buf *response, struct err *e)
{
    unsigned char proof[EVP_MAX_MD_SIZE];
    struct scram_keys keys;
    struct buf final = BUF_EMPTY, message = BUF_EMPTY;
    buf_add_c(&final, "c=");
    add_binding(s, &final);
    buf_printf(&final, ",r=%.*s", STR_ARG(c->nonce));
    buf_printf(&message, "%.*s,%.*s,%.*s", STR_ARG(buf_str(&s->client_first_bare)),
               STR_ARG(challenge), STR_ARG(buf_str(&final)));
    bool ok = compute(s, c, buf_str(&message), &keys, proof);
    if (ok) {
        buf_add_str(response, buf_str(&final));
        buf_add_c(response, ",p=");
        buf_add_base64(response, str_from((const char *)proof, s->signature_size));
    } else {
        err_set(e, ERR_TEMP, "the proof cannot be computed");
    }
    OPENSSL_cleanse(&keys, sizeof(keys));
    OPENSSL_cleanse(proof, sizeof(proof));
    buf_free(&final);
    buf_free(&message);
    return ok;
}

static bool answer_challenge(struct client_sasl *s, struct str challenge, struct buf *response,
                             struct err *e)
{
    struct scram_challenge c = {.iterations = 0};
    bool ok = parse_challenge(s, challenge, &c, e) && prove(s, &c, challenge, response, e);
    buf_free(&c.salt);
    return ok;
}

static bool check_signature(struct client_sasl *s, struct str text, struct err *e)
{
    struct str value;
    struct buf signature = BUF_EMPTY;
    if (str_starts_with(text, STR("e=")))
        return err_set(e, ERR_DENIED, "the server says \"%.*s\"",
                       STR_ARG(str_head(str_skip(text, 2), 100)));
    s->complete = take_attribute(&text, 'v', &value) &&
                  value.n <= 2 * sizeof(s->server_signature) &&
                  buf_add_base64_decoded(&signature, value) && signature.n == s->signature_size &&
                  CRYPTO_memcmp(signature.p, s->server_signature, s->signature_size) == 0;
    buf_free(&signature);
    return s->complete ||
           err_set(e, ERR_DENIED, "the server does not know the password it asks for");
}

static bool scram_step(struct client_sasl *s, struct str challenge, struct buf *response,
                       struct err *e)
{
    if (s->steps == 1)
        return answer_challenge(s, challenge, response, e);
    return s->steps == 2 ? check_signature(s, challenge, e) : unexpected(e);
}

/* --- the table, best first --- */

static const struct mechanism mechanisms[] = {
    {"SCRAM-SHA-256-PLUS", scram_first, scram_step, EVP_sha256, true, false},
    {"SCRAM-SHA-1-PLUS", scram_first, scram_step, EVP_sha1, true, false},
    {"SCRAM-SHA-256", scram_first, scram_step, EVP_sha256, false, false},
    {"SCRAM-SHA-1", scram_first, scram_step, EVP_sha1, false, false},
    {"PLAIN", plain_first, plain_step, NULL, false, false},
    {"LOGIN", NULL, login_step, NULL, false, false},
    {"XOAUTH2", xoauth2_first, xoauth2_step, NULL, false, true},
};

#define MECHANISMS (sizeof(mechanisms) / sizeof(*mechanisms))

static struct str next_name(struct str *rest)
{
    size_t from = 0, n = 0;
    while (from < rest->n && strchr(" ,\t", rest->p[from]))
        from++;
    *rest = str_skip(*rest, from);
    while (n < rest->n && !strchr(" ,\t", rest->p[n]))
        n++;
    struct str name = str_head(*rest, n);
    *rest = str_skip(*rest, n);
    return name;
}

static bool has_name(struct str list, struct str wanted)
{
    for (struct str name; (name = next_name(&list)).n > 0;)
        if (str_equal_nocase(name, wanted))
            return true;
    return false;
}

static bool is_usable(const struct mechanism *m, struct str offered, bool can_bind)
{
    return (can_bind || !m->bound) && has_name(offered, str_from_c(m->name));
}

/* "SCRAM-SHA-256" allows its bound form as well. */
static bool is_meant(const struct mechanism *m, struct str name)
{
    struct str own = str_from_c(m->name);
    return str_equal_nocase(own, name) ||
           (m->bound && str_equal_nocase(str_head(own, own.n - strlen("-PLUS")), name));
}

const char *client_sasl_choose(struct str offered, struct str allowed, bool can_bind)
{
    bool any = next_name(&(struct str){allowed.p, allowed.n}).n == 0;
    for (size_t i = 0; any && i < MECHANISMS; i++)
        if (!mechanisms[i].on_request && is_usable(&mechanisms[i], offered, can_bind))
            return mechanisms[i].name;
    for (struct str name; (name = next_name(&allowed)).n > 0;)
        for (size_t i = 0; i < MECHANISMS; i++)
            if (is_meant(&mechanisms[i], name) && is_usable(&mechanisms[i], offered, can_bind))
                return mechanisms[i].name;
    return NULL;
}

struct client_sasl *client_sasl_new(const char *mechanism, const struct client_credentials *c)
{
    struct client_sasl *s = MEM_NEW(struct client_sasl);
    s->credentials = *c;
    for (size_t i = 0; i < MECHANISMS; i++)
        if (strcmp(mechanisms[i].name, mechanism) == 0)
            s->mechanism = &mechanisms[i];
    return s;
}

void client_sasl_free(struct client_sasl *s)
{
    if (!s)
        return;
    buf_free(&s->gs2);
    buf_free(&s->nonce);
    buf_free(&s->client_first_bare);
    OPENSSL_cleanse(s->server_signature, sizeof(s->server_signature));
    free(s);
}

bool client_sasl_first(struct client_sasl *s, struct buf *response)
{
    if (s->mechanism->first)
        s->mechanism->first(s, response);
    return s->mechanism->first != NULL;
}

bool client_sasl_step(struct client_sasl *s, struct str challenge, struct buf *response,
                      struct err *e)
{
    s->steps++;
    return s->mechanism->step(s, challenge, response, e);
}

bool client_sasl_is_complete(const struct client_sasl *s)
{
    return s->complete;
}
