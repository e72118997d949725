/*
 * What strangers and issuers send: a message of a client, a token, a key set, the claims of an
 * introspection; the first byte says which. A token is tried with keys that are fixed: what they
 * are said to have signed is the text of one of the seeds, since nobody has the private keys.
 */
#include "auth/jwt_keys.h"
#include "auth/oauth_message.h"

#include "../auth/jwt_tokens.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_token(struct str text)
{
    static const char *const seeds[] = {JWT_ES256, JWT_NO_KID, JWT_EDDSA};
    static struct jwt_keys *keys;
    struct err e;
    struct jwt t;
    if (!keys)
        keys = jwt_keys_parse(STR(JWT_KEYS), &e);
    if (jwt_parse(text, &t, &e) && jwt_keys_verify(keys, &t)) {
        bool known = false;
        for (size_t i = 0; i < sizeof(seeds) / sizeof(*seeds); i++)
            known = known || str_starts_with(str_from_c(seeds[i]), t.input);
        if (!known)
            abort();
    }
    jwt_free(&t);
    jwt_is_one(text);
}

static void try_claims(struct str text)
{
    static const char *const words[] = {"mail"};
    const struct jwt_rules rules = {
        .issuer = "i", .audience = {words, 1}, .scope = {words, 1}, .leeway = USEC_SEC};
    json_t *claims = jwt_json(text);
    struct str login;
    struct err e;
    if (claims && jwt_check(claims, &rules, 0, &e) && jwt_login(claims, "email", &login, &e) &&
        (login.n == 0 || memchr(login.p, '\n', login.n)))
        abort();
    if (claims && jwt_end(claims) < 0)
        abort();
    json_decref(claims);
}

static void try_message(struct str text, bool google)
{
    struct arena *a = arena_new();
    struct oauth_message m;
    struct err e;
    if (oauth_message_parse(text, google, a, &m, &e) && memchr(m.token.p, '\1', m.token.n))
        abort();
    arena_free(a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e;
    if (size < 1)
        return 0;
    struct str text = str_from((const char *)data + 1, size - 1);
    switch (data[0]) {
    case 'k':
        jwt_keys_unref(jwt_keys_parse(text, &e));
        break;
    case 'c':
        try_claims(text);
        break;
    case 'b':
        try_message(text, false);
        break;
    case 'x':
        try_message(text, true);
        break;
    default:
        try_token(text);
    }
    return 0;
}
