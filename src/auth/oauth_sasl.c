/*
 * One message carries the token:
 *
 *   OAUTHBEARER  n,a=alice@example.org,^Ahost=mail.example.org^Aport=993^Aauth=Bearer TOKEN^A^A
 *   XOAUTH2      user=alice@example.org^Aauth=Bearer TOKEN^A^A
 *
 * A token that is refused is answered with a challenge in JSON that says why and where better ones
 * are to be had; the client answers with a byte 0x01 (XOAUTH2: with nothing), and only then has the
 * exchange failed. So a client can tell a token that has ended, which it renews by itself, from a
 * password that its user must type again. A message without a token asks for just that challenge
 * (RFC 7628 4.3). An issuer that cannot be asked is no refusal: that fails at once and as
 * temporary.
 *
 * The identity that the client names ("a=", "user=") must be the token's own. Names are compared as
 * accounts, since one account may be named in several ways. Channel bindings are not part of these
 * mechanisms here: a client that insists on one ("p=") is refused (RFC 7628 3.1 needs OAUTH10A-PLUS
 * and the like for that).
 */
#include "auth/oauth_sasl.h"

#include "auth/limits.h"
#include "auth/oauth.h"

#include <jansson.h>
#include <stdlib.h>

struct oauth_exchange {
    struct auth *auth;
    struct arena *arena;
    const char *mechanism;
    bool google;       /* XOAUTH2 */
    bool refused;      /* the challenge that says so is out */
    struct err reason; /* of that */
};

static const char *const names[] = {"OAUTHBEARER", "XOAUTH2"};

bool oauth_has_mechanism(const char *name)
{
    return strcmp(name, names[0]) == 0 || strcmp(name, names[1]) == 0;
}

struct oauth_exchange *oauth_exchange_new(struct auth *a, const char *mechanism,
                                          struct arena *arena)
{
    struct oauth_exchange *x = ARENA_NEW(arena, struct oauth_exchange);
    x->auth = a;
    x->arena = arena;
    x->mechanism = mechanism;
    x->google = strcmp(mechanism, "XOAUTH2") == 0;
    return x;
}

/* --- the message --- */

struct message {
    struct str user;  /* as it came, decoded; "": not named */
    struct str token; /* "": none */
};

static bool malformed(struct err *e)
{
    return err_set(e, ERR_SYNTAX, "malformed");
}

/* saslname (RFC 5801 4): "=2C" is a comma, "=3D" an equals sign. */
static bool decode_name(struct str text, struct arena *a, struct str *name)
{
    char *out = arena_alloc(a, text.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++) {
        struct str rest = str_skip(text, i);
        if (str_starts_with(rest, STR("=2C")) || str_starts_with(rest, STR("=3D"))) {
            out[n++] = rest.p[2] == 'C' ? ',' : '=';
            i += 2;
        } else if (rest.p[0] == '=' || rest.p[0] == '\0') {
            return false;
        } else {
            out[n++] = rest.p[0];
        }
    }
    *name = str_from(out, n);
    return n > 0;
}

/* "n,a=alice," or "y,,": takes it off *text. */
static bool take_header(struct str *text, struct arena *a, struct message *m)
{
    struct str flag = str_split(text, ',');
    struct str identity = text->p ? str_split(text, ',') : (struct str){0};
    if (!text->p || (!str_equal(flag, STR("n")) && !str_equal(flag, STR("y"))))
        return false;
    return identity.n == 0 || (str_starts_with(identity, STR("a=")) &&
                               decode_name(str_skip(identity, 2), a, &m->user));
}

/* "Bearer TOKEN"; the token's characters are those of RFC 6750 2.1. */
static bool take_token(struct str value, struct str *token)
{
    struct str scheme = str_word(&value);
    if (!scheme.p)
        return true; /* asks what it takes */
    *token = str_trim(value);
    for (size_t i = 0; i < token->n; i++) {
        char c = char_lower(token->p[i]);
        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && (!c || !strchr("-._~+/=", c)))
            return false;
    }
    return str_equal_nocase(scheme, STR("Bearer"));
}

/* Pairs of key=value, each with ^A behind it, and another ^A behind the last. */
static bool parse_pairs(struct str text, bool google, struct message *m)
{
    while (text.n > 0 && text.p[0] != '\1') {
        struct str pair = str_split(&text, '\1');
        ptrdiff_t equals = str_find_char(pair, '=');
        if (!text.p || equals <= 0 || memchr(pair.p, '\0', pair.n))
            return false;
        struct str key = str_head(pair, (size_t)equals), value = str_skip(pair, (size_t)equals + 1);
        if (str_equal_nocase(key, STR("auth")) && (m->token.n || !take_token(value, &m->token)))
            return false;
        if (google && str_equal_nocase(key, STR("user")))
            m->user = value;
    }
    return str_equal(text, STR("\1"));
}

static bool parse(const struct oauth_exchange *x, struct str text, struct message *m, struct err *e)
{
    *m = (struct message){STR(""), STR("")};
    if (!x->google && (!take_header(&text, x->arena, m) || text.n == 0 || text.p[0] != '\1'))
        return malformed(e);
    if (!x->google)
        text = str_skip(text, 1);
    if (!parse_pairs(text, x->google, m) || m->user.n > TOKEN_LOGIN_MAX || m->token.n > TOKEN_MAX ||
        (x->google && m->user.n == 0))
        return malformed(e);
    return true;
}

/* --- who --- */

/* ERR_DENIED, ERR_TEMP, ERR_CANCELLED. */
SUSPENDS static bool find(struct oauth_exchange *x, struct str login, struct account *account,
                          struct err *e)
{
    struct err why = {0};
    switch (directory_find_account(x->auth->directory, login, x->arena, account, &why)) {
    case LOOKUP_FOUND:
        return true;
    case LOOKUP_NOT_FOUND:
        return err_set(e, ERR_DENIED, "unknown_user");
    case LOOKUP_TEMPFAIL:
        break;
    }
    return err_set(e, why.kind == ERR_CANCELLED ? ERR_CANCELLED : ERR_TEMP, "%s", why.text);
}

SUSPENDS static bool is_same(struct oauth_exchange *x, struct str user,
                             const struct account *account, struct err *e)
{
    struct account other;
    if (user.n == 0 || str_equal_nocase(user, account->login))
        return true;
    if (!find(x, user, &other, e)) {
        if (e->kind == ERR_DENIED)
            err_set(e, ERR_DENIED, "authorization_identity");
        return false;
    }
    return str_equal(other.login, account->login) ||
           err_set(e, ERR_DENIED, "authorization_identity");
}

SUSPENDS static bool check(struct oauth_exchange *x, const struct message *m, struct str *user,
                           struct account *account, struct err *e)
{
    struct str login;
    if (m->token.n == 0)
        return err_set(e, ERR_DENIED, "token_missing");
    if (!oauth_check(x->auth->oauth, m->token, x->arena, &login, e))
        return false;
    if (user->n == 0)
        *user = login;
    if (!find(x, login, account, e) || !is_same(x, m->user, account, e))
        return false;
    return !account->no_login || err_set(e, ERR_DENIED, "%s", account->no_login);
}

/* --- refusal --- */

/* RFC 7628 3.2.2; Google's clients know "401". */
static struct str refusal(const struct oauth_exchange *x)
{
    const struct oauth_hint hint = oauth_hint(x->auth->oauth, x->arena);
    const char *status =
        strcmp(x->reason.text, "token_scope") == 0 ? "insufficient_scope" : "invalid_token";
    json_t *object = json_object();
    if (x->google) {
        json_object_set_new(object, "status", json_string("401"));
        json_object_set_new(object, "schemes", json_string("Bearer"));
    } else {
        json_object_set_new(object, "status", json_string(status));
    }
    if (*hint.scope)
        json_object_set_new(object, "scope", json_string(hint.scope));
    if (*hint.openid_configuration)
        json_object_set_new(object, "openid-configuration", json_string(hint.openid_configuration));
    char *text = json_dumps(object, JSON_COMPACT);
    struct str copy = arena_str(x->arena, str_from_c(text ? text : "{}"));
    free(text);
    json_decref(object);
    return copy;
}

SUSPENDS enum sasl_status oauth_exchange_step(struct oauth_exchange *x, struct str response,
                                              struct str *challenge, struct str *user,
                                              struct account *account, struct err *e)
{
    struct message m;
    if (x->refused) {
        *e = x->reason;
        return SASL_STATUS_FAILED;
    }
    *challenge = STR("");
    if (!response.p)
        return SASL_STATUS_CONTINUE;
    if (!parse(x, response, &m, e))
        return SASL_STATUS_FAILED;
    *user = arena_str(x->arena, m.user);
    if (check(x, &m, user, account, e))
        return SASL_STATUS_DONE;
    if (e->kind != ERR_DENIED)
        return SASL_STATUS_FAILED;
    x->refused = true;
    x->reason = *e;
    *challenge = refusal(x);
    return SASL_STATUS_CONTINUE;
}
