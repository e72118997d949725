/*
 * The mechanisms OAUTHBEARER (RFC 7628) and XOAUTH2 (Google's, without an RFC): one exchange.
 *
 * One message of the client carries the token (oauth_message.h). One that is refused is answered
 * with a challenge in JSON that says why and where better ones are to be had; the client answers
 * with a byte 0x01 (XOAUTH2: with nothing), and only then has the exchange failed. So a client can
 * tell a token that has ended, which it renews by itself, from a password that its user must type
 * again. A message without a token asks for just that challenge (RFC 7628 4.3). An issuer that
 * cannot be asked is no refusal: that fails at once and as temporary.
 *
 * The identity that the client names ("a=", "user=") may be one that the token's user may act as
 * (auth_master.c); it is mostly his own.
 */
#include "auth/oauth.h"
#include "auth/oauth_message.h"
#include "auth/sasl_internal.h"

#include <jansson.h>
#include <stdlib.h>

/* Kept between the message and the client's answer to its refusal. */
struct refusal {
    struct err reason;
};

bool sasl_tokens_are_taken(const struct auth *a, const struct auth_peer *peer)
{
    (void)peer;
    return oauth_is_configured(a->oauth);
}

static bool is_google(const struct sasl *s)
{
    return strcmp(s->mechanism->name, "XOAUTH2") == 0;
}

SUSPENDS static bool check(struct sasl *s, const struct oauth_message *m, struct err *e)
{
    struct str login;
    if (m->token.n == 0)
        return err_set(e, ERR_DENIED, "token_missing");
    if (!oauth_check(s->auth->oauth, m->token, s->arena, &login, e))
        return false;
    if (s->user.n == 0)
        s->user = login;
    return sasl_find_account(s, login, e);
}

/* RFC 7628 3.2.2; Google's clients know "401". */
static struct str refuse(struct sasl *s, const struct err *reason)
{
    const struct oauth_hint hint = oauth_hint(s->auth->oauth, s->arena);
    const char *status =
        strcmp(reason->text, "token_scope") == 0 ? "insufficient_scope" : "invalid_token";
    json_t *object = json_object();
    json_object_set_new(object, "status", json_string(is_google(s) ? "401" : status));
    if (is_google(s))
        json_object_set_new(object, "schemes", json_string("Bearer"));
    if (*hint.scope)
        json_object_set_new(object, "scope", json_string(hint.scope));
    if (*hint.openid_configuration)
        json_object_set_new(object, "openid-configuration", json_string(hint.openid_configuration));
    char *text = json_dumps(object, JSON_COMPACT);
    struct str copy = arena_str(s->arena, str_from_c(text ? text : "{}"));
    free(text);
    json_decref(object);
    struct refusal *r = s->state = ARENA_NEW(s->arena, struct refusal);
    r->reason = *reason;
    return copy;
}

SUSPENDS enum sasl_status sasl_oauth_step(struct sasl *s, struct str response,
                                          struct str *challenge, struct err *e)
{
    const struct refusal *refused = s->state;
    struct oauth_message m;
    if (refused) {
        *e = refused->reason;
        return SASL_STATUS_FAILED;
    }
    *challenge = STR("");
    if (!response.p)
        return SASL_STATUS_CONTINUE;
    if (!oauth_message_parse(response, is_google(s), s->arena, &m, e))
        return SASL_STATUS_FAILED;
    s->as = s->user = arena_str(s->arena, m.user);
    if (!auth_may_try(s->auth, &s->peer, s->user, e))
        return SASL_STATUS_FAILED;
    s->proved = check(s, &m, e);
    if (s->proved)
        return SASL_STATUS_DONE;
    if (e->kind != ERR_DENIED)
        return SASL_STATUS_FAILED;
    *challenge = refuse(s, e);
    return SASL_STATUS_CONTINUE;
}
