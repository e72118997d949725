/*
 * Whose token is it, and whom does it name? A JSON Web Token says who has issued it; that picks the
 * issuer, whose keys then tell whether it is true. What is no such token, or is of an issuer that
 * wants to be asked, goes to the issuers with introspection in the order of the configuration,
 * until one knows it. An issuer that cannot be asked makes the answer "later", unless another one
 * knows the token.
 *
 * A token is a secret as a password is: it stands in no log line and in no error's text.
 */
#include "auth/oauth_internal.h"

#include "core/log.h"
#include "core/mem.h"
#include "core/worker.h"

#include <stdlib.h>

/* --- issuers --- */

bool oauth_introspects(const struct oauth_issuer *i)
{
    return *i->settings->introspection_url != '\0';
}

struct jwt_rules oauth_rules(const struct oauth_issuer *i)
{
    const struct oauth_settings *s = i->settings;
    return (struct jwt_rules){.issuer = s->issuer,
                              .audience = s->audience,
                              .scope = s->scope,
                              .leeway = s->leeway,
                              .complete = !oauth_introspects(i)};
}

static struct oauth_issuer *issuer_new(struct oauth *o, const struct config *config, size_t n)
{
    struct oauth_issuer *i = MEM_NEW(struct oauth_issuer);
    i->references = 1;
    i->oauth = o;
    i->config = config_ref((struct config *)config);
    i->settings = config_at(config, &oauth_settings_block, n);
    i->remembered = oauth_memory_new();
    return i;
}

static void issuer_unref(struct oauth_issuer *i)
{
    if (--i->references > 0)
        return;
    jwt_keys_unref(i->keys.keys);
    lru_free(i->remembered);
    config_unref(i->config);
    free(i);
}

static void take_issuers(struct oauth *o, const struct config *config)
{
    o->count = config_count(config, &oauth_settings_block);
    o->issuers = mem_array(o->count + 1, sizeof(struct oauth_issuer *));
    for (size_t i = 0; i < o->count; i++)
        o->issuers[i] = issuer_new(o, config, i);
}

static void drop_issuers(struct oauth *o)
{
    for (size_t i = 0; i < o->count; i++)
        issuer_unref(o->issuers[i]);
    free(o->issuers);
}

struct oauth *oauth_new(const struct oauth_context *c, const struct config *config,
                        struct tls_context *tls)
{
    struct oauth *o = MEM_NEW(struct oauth);
    o->http = http_client_new(c->loop, c->dns);
    o->tls = tls_context_ref(tls);
    take_issuers(o, config);
    return o;
}

void oauth_free(struct oauth *o)
{
    if (!o)
        return;
    drop_issuers(o);
    http_client_free(o->http);
    tls_context_unref(o->tls);
    free(o);
}

void oauth_reload(struct oauth *o, const struct config *config, struct tls_context *tls)
{
    drop_issuers(o);
    take_issuers(o, config);
    tls_context_unref(o->tls);
    o->tls = tls_context_ref(tls);
}

bool oauth_is_configured(const struct oauth *o)
{
    return o && o->count > 0;
}

struct oauth_hint oauth_hint(const struct oauth *o, struct arena *a)
{
    struct oauth_hint hint = {"", ""};
    struct buf scope = BUF_EMPTY;
    if (!oauth_is_configured(o))
        return hint;
    const struct oauth_settings *s = o->issuers[0]->settings;
    for (size_t i = 0; i < s->scope.count; i++)
        buf_printf(&scope, "%s%s", i ? " " : "", s->scope.items[i]);
    hint.scope = arena_c(a, buf_str(&scope));
    buf_free(&scope);
    struct str issuer = str_from_c(s->issuer);
    if (*s->openid_configuration) {
        hint.openid_configuration = arena_c(a, str_from_c(s->openid_configuration));
    } else if (str_starts_with(issuer, STR("https://"))) {
        if (str_ends_with_nocase(issuer, STR("/")))
            issuer.n--;
        hint.openid_configuration =
            arena_printf(a, "%.*s/.well-known/openid-configuration", STR_ARG(issuer)).p;
    }
    return hint;
}

/* --- with keys --- */

struct verifying {
    const struct jwt_keys *keys;
    const struct jwt *token;
    bool good;
};

static void verify_on_worker(void *arg)
{
    struct verifying *v = arg;
    v->good = jwt_keys_verify(v->keys, v->token);
}

static bool allows_algorithm(const struct oauth_issuer *i, const char *name)
{
    const struct string_list *list = &i->settings->algorithms;
    for (size_t n = 0; n < list->count; n++)
        if (strcmp(list->items[n], name) == 0)
            return true;
    return false;
}

SUSPENDS static bool check_with_keys(struct oauth_issuer *i, const struct jwt *t, struct arena *a,
                                     struct str *login, struct err *e)
{
    const struct jwt_rules rules = oauth_rules(i);
    if (!allows_algorithm(i, t->algorithm))
        return err_set(e, ERR_DENIED, "token_algorithm");
    struct verifying v = {.keys = oauth_find_keys(i, t, e), .token = t};
    if (!v.keys)
        return false;
    worker_run(WORKER_CPU, verify_on_worker, &v);
    jwt_keys_unref((struct jwt_keys *)v.keys);
    if (!v.good)
        return err_set(e, ERR_DENIED, "token_signature");
    if (!jwt_check(t->claims, &rules, clock_wall(), e) ||
        !jwt_login(t->claims, i->settings->login_claim, login, e))
        return false;
    *login = arena_str(a, *login);
    return true;
}

/* The first that is named as the token names its issuer; no word of it is believed yet. */
static struct oauth_issuer *issuer_of(const struct oauth *o, const struct jwt *t)
{
    const char *name = json_string_value(json_object_get(t->claims, "iss"));
    for (size_t i = 0; name && i < o->count; i++)
        if (strcmp(o->issuers[i]->settings->issuer, name) == 0)
            return o->issuers[i];
    return NULL;
}

/* --- by asking --- */

/* A reload may change the list meanwhile: the issuers to ask are held beforehand. */
SUSPENDS static bool ask_all(struct oauth *o, struct oauth_issuer *only, struct str token,
                             struct arena *a, struct str *login, struct err *e)
{
    struct err temporary = {0};
    size_t count = 0;
    bool ok = false;
    struct oauth_issuer **list = arena_array(a, o->count + 1, sizeof(struct oauth_issuer *));
    for (size_t i = 0; i < o->count; i++) {
        if (!oauth_introspects(o->issuers[i]) || (only && only != o->issuers[i]))
            continue;
        list[count] = o->issuers[i];
        list[count++]->references++;
    }
    err_set(e, ERR_DENIED, "token_unknown");
    for (size_t i = 0; !ok && i < count && e->kind != ERR_CANCELLED; i++) {
        ok = oauth_introspect(list[i], token, a, login, e);
        if (!ok && e->kind != ERR_DENIED && temporary.kind == ERR_NONE)
            temporary = *e;
    }
    for (size_t i = 0; i < count; i++)
        issuer_unref(list[i]);
    if (!ok && e->kind == ERR_DENIED && temporary.kind != ERR_NONE)
        *e = temporary;
    return ok;
}

/* --- both --- */

SUSPENDS static bool check_jwt(struct oauth *o, struct str token, struct arena *a,
                               struct str *login, struct err *e)
{
    struct jwt t;
    bool ok = jwt_parse(token, &t, e);
    struct oauth_issuer *i = ok ? issuer_of(o, &t) : NULL;
    if (ok && i && !oauth_introspects(i)) {
        i->references++;
        ok = check_with_keys(i, &t, a, login, e);
        issuer_unref(i);
    } else if (ok) {
        ok = ask_all(o, i, token, a, login, e);
        if (!ok && strcmp(e->text, "token_unknown") == 0)
            err_set(e, ERR_DENIED, "token_issuer");
    }
    jwt_free(&t);
    return ok;
}

SUSPENDS bool oauth_check(struct oauth *o, struct str token, struct arena *a, struct str *login,
                          struct err *e)
{
    return jwt_is_one(token) ? check_jwt(o, token, a, login, e)
                             : ask_all(o, NULL, token, a, login, e);
}
