/*
 * Asking the issuer about a token (RFC 7662). What it says is judged as a token's own claims are:
 * it may answer for tokens of any of its services, so audience and scope are ours to check. A
 * refusal of our own credentials is the operator's trouble and no user's, as is every other
 * failure.
 *
 * The answer that a token is good is remembered for a short time under the token's hash: a mail
 * client logs in several times in a row. Nothing else is remembered.
 */
#include "auth/limits.h"
#include "auth/oauth_internal.h"

#include <openssl/sha.h>
#include <stdlib.h>

struct remembered {
    char *login;
    usec until; /* clock_wall, as the token's end is */
};

static void drop_remembered(void *value)
{
    free(((struct remembered *)value)->login);
}

struct lru *oauth_memory_new(void)
{
    struct lru *l = lru_new(sizeof(struct remembered), TOKEN_REMEMBERED_MAX);
    lru_set_owner(l, NULL, drop_remembered);
    return l;
}

static struct str hash_of(struct str token, unsigned char hash[SHA256_DIGEST_LENGTH])
{
    SHA256((const unsigned char *)token.p, token.n, hash);
    return str_from((const char *)hash, SHA256_DIGEST_LENGTH);
}

static bool recall(struct oauth_issuer *i, struct str token, struct arena *a, struct str *login)
{
    unsigned char hash[SHA256_DIGEST_LENGTH];
    struct remembered *r = lru_find(i->remembered, hash_of(token, hash));
    if (!r)
        return false;
    if (clock_wall() >= r->until) {
        lru_remove(i->remembered, r);
        return false;
    }
    *login = arena_str(a, str_from_c(r->login));
    return true;
}

static void remember(struct oauth_issuer *i, struct str token, struct str login, int64_t end)
{
    unsigned char hash[SHA256_DIGEST_LENGTH];
    usec until = clock_wall() + i->settings->cache_lifetime;
    if (end < until / USEC_SEC)
        until = end * USEC_SEC;
    if (until <= clock_wall())
        return;
    struct remembered *r = lru_add(i->remembered, hash_of(token, hash));
    free(r->login);
    *r = (struct remembered){strndup(login.p, login.n), until};
    if (!r->login)
        lru_remove(i->remembered, r);
}

/* application/x-www-form-urlencoded */
static void add_encoded(struct buf *b, struct str text)
{
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
            c == '-' || c == '.' || c == '_')
            buf_add_char(b, c);
        else
            buf_printf(b, "%%%02X", (unsigned char)c);
    }
}

/* RFC 6749 2.3.1: both are encoded before they are joined. */
static void add_authorization(struct buf *b, const struct oauth_settings *s)
{
    struct buf pair = BUF_EMPTY;
    add_encoded(&pair, str_from_c(s->client_id));
    buf_add_char(&pair, ':');
    add_encoded(&pair, str_from_c(s->client_secret));
    buf_add_c(b, "Basic ");
    buf_add_base64(b, buf_str(&pair));
    buf_wipe(&pair);
}

SUSPENDS static bool ask(struct oauth_issuer *i, struct str token, struct http_response *response,
                         struct err *e)
{
    const struct oauth_settings *s = i->settings;
    struct tls_context *tls = tls_context_ref(i->oauth->tls);
    struct buf body = BUF_EMPTY, authorization = BUF_EMPTY;
    buf_add_c(&body, "token_type_hint=access_token&token=");
    add_encoded(&body, token);
    if (*s->client_id)
        add_authorization(&authorization, s);
    const struct http_request request = {
        .url = s->introspection_url,
        .tls = tls,
        .content_type = "application/x-www-form-urlencoded",
        .authorization = *s->client_id ? buf_c(&authorization) : NULL,
        .body = buf_str(&body),
        .timeout = s->timeout,
        .size_max = TOKEN_ANSWER_MAX,
    };
    i->asking++;
    bool ok = http_ask(i->oauth->http, &request, response, e);
    i->asking--;
    tls_context_unref(tls);
    buf_wipe(&body);
    buf_wipe(&authorization);
    return ok;
}

static bool fails(const struct oauth_issuer *i, struct err *e, const char *what)
{
    return err_set(e, ERR_TEMP, "oauth %s: %s: %s", i->settings->name,
                   i->settings->introspection_url, what);
}

static bool take_claims(struct oauth_issuer *i, const json_t *claims, struct arena *a,
                        struct str *login, struct err *e)
{
    const json_t *active = json_object_get(claims, "active");
    const struct jwt_rules rules = oauth_rules(i);
    if (!json_is_boolean(active))
        return fails(i, e, "the answer is none to an introspection");
    if (!json_is_true(active))
        return err_set(e, ERR_DENIED, "token_inactive");
    if (!jwt_check(claims, &rules, clock_wall(), e) ||
        !jwt_login(claims, i->settings->login_claim, login, e))
        return false;
    *login = arena_str(a, *login);
    return true;
}

static bool take_response(struct oauth_issuer *i, const struct http_response *r, struct str token,
                          struct arena *a, struct str *login, struct err *e)
{
    char text[100];
    if (r->status != 200) {
        snprintf(text, sizeof(text), "the server answers with status %d%s", r->status,
                 r->status == 401 || r->status == 403 ? " (client_id, client_secret?)" : "");
        return fails(i, e, text);
    }
    json_t *claims = jwt_json(buf_str(&r->body));
    bool ok = take_claims(i, claims, a, login, e);
    if (ok)
        remember(i, token, *login, jwt_end(claims));
    json_decref(claims);
    return ok;
}

SUSPENDS bool oauth_introspect(struct oauth_issuer *i, struct str token, struct arena *a,
                               struct str *login, struct err *e)
{
    struct http_response response = {.body = BUF_EMPTY};
    if (recall(i, token, a, login))
        return true;
    if (i->asking >= TOKEN_ASKING_MAX)
        return fails(i, e, "too many questions are under way");
    bool ok = ask(i, token, &response, e);
    if (ok)
        ok = take_response(i, &response, token, a, login, e);
    else if (e->kind != ERR_CANCELLED) {
        struct err why = *e;
        fails(i, e, why.text);
    }
    buf_wipe(&response.body);
    return ok;
}
