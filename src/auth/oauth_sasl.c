/*
 * One message of the client carries the token (oauth_message.h). One that is refused is answered
 * with a challenge in JSON that says why and where better ones are to be had; the client answers
 * with a byte 0x01 (XOAUTH2: with nothing), and only then has the exchange failed. So a client can
 * tell a token that has ended, which it renews by itself, from a password that its user must type
 * again. A message without a token asks for just that challenge (RFC 7628 4.3). An issuer that
 * cannot be asked is no refusal: that fails at once and as temporary.
 *
 * The identity that the client names ("a=", "user=") must be the token's own. Names are compared as
 * accounts, since one account may be named in several ways.
 */
#include "auth/oauth_sasl.h"

#include "auth/oauth.h"
#include "auth/oauth_message.h"

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

SUSPENDS static bool check(struct oauth_exchange *x, const struct oauth_message *m,
                           struct str *user, struct account *account, struct err *e)
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
    struct oauth_message m;
    if (x->refused) {
        *e = x->reason;
        return SASL_STATUS_FAILED;
    }
    *challenge = STR("");
    if (!response.p)
        return SASL_STATUS_CONTINUE;
    if (!oauth_message_parse(response, x->google, x->arena, &m, e))
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
