/*
 * The settings of an issuer of tokens.
 */
#include "auth/jwt_keys.h"
#include "auth/oauth.h"

#define FIELD(name) offsetof(struct oauth_settings, name)
#define DAY         (24 * 3600 * USEC_SEC)

static const struct setting settings[] = {
    {"issuer", SETTING_STRING, FIELD(issuer), "", 0, 0, NULL,
     "Who issues the tokens, exactly as they have it in \"iss\": "
     "\"https://login.example.org/realms/mail\". Needed where tokens are checked with keys."},
    {"jwks_url", SETTING_STRING, FIELD(jwks_url), "", 0, 0, NULL,
     "Where the issuer's public keys are (a JSON Web Key Set), beginning with https://. Tokens are "
     "checked here with them. One of jwks_url, jwks_file and introspection_url must be set."},
    {"jwks_file", SETTING_PATH, FIELD(jwks_file), "", 0, 0, NULL,
     "The same in a file, which is read again when its keys are older than keys_lifetime or a "
     "token "
     "names a key that is not in it."},
    {"introspection_url", SETTING_STRING, FIELD(introspection_url), "", 0, 0, NULL,
     "Where the issuer tells whether a token is good (RFC 7662), beginning with https://: each "
     "token is sent there."},
    {"client_id", SETTING_STRING, FIELD(client_id), "", 0, 0, NULL,
     "The name by which the issuer's introspection knows this server."},
    {"client_secret", SETTING_SECRET, FIELD(client_secret), "", 0, 0, NULL,
     "The password of client_id."},
    {"audience", SETTING_STRING_LIST, FIELD(audience), "", 0, 0, NULL,
     "A token must be meant for one of these (\"aud\"). Needed where tokens are checked with keys: "
     "a token for another service of the same issuer would open the mailbox otherwise."},
    {"scope", SETTING_STRING_LIST, FIELD(scope), "", 0, 0, NULL,
     "A token must be good for all of these (\"scope\", or \"scp\")."},
    {"login_claim", SETTING_STRING, FIELD(login_claim), "email", 0, 0, NULL,
     "The claim that names the user: email, preferred_username, username, upn, sub ... An email "
     "that the issuer says is not verified names nobody."},
    {"algorithms", SETTING_STRING_LIST, FIELD(algorithms), "RS256, PS256, ES256, EdDSA", 0, 0, NULL,
     "Signatures that are accepted: RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, "
     "EdDSA."},
    {"openid_configuration", SETTING_STRING, FIELD(openid_configuration), "", 0, 0, NULL,
     "Where a client that has no good token finds out how to get one. Empty: the issuer with "
     "/.well-known/openid-configuration behind it, if it begins with https://."},
    {"leeway", SETTING_DURATION, FIELD(leeway), "1m", 0, 600 * USEC_SEC, NULL,
     "How far the issuer's clock may be from ours."},
    {"timeout", SETTING_DURATION, FIELD(timeout), "5s", 100 * USEC_MSEC, 60 * USEC_SEC, NULL,
     "How long the issuer may take to answer. Then the login is told to try later."},
    {"keys_lifetime", SETTING_DURATION, FIELD(keys_lifetime), "1h", USEC_SEC, DAY, NULL,
     "After which time the keys are read again."},
    {"keys_stale", SETTING_DURATION, FIELD(keys_stale), "1d", 0, 30 * DAY, NULL,
     "How old keys may be used while new ones cannot be had."},
    {"cache_lifetime", SETTING_DURATION, FIELD(cache_lifetime), "1m", 0, 3600 * USEC_SEC, NULL,
     "How long the answer that a token is good is remembered, unless the token ends before; 0: not "
     "at all. So long does a token that was taken back go on."},
    {NULL, 0, 0, NULL, 0, 0, NULL, NULL},
};

static bool is_url(const char *text)
{
    return !*text || str_starts_with(str_from_c(text), STR("https://"));
}

static bool check(const void *values, struct err *e)
{
    const struct oauth_settings *s = values;
    int ways = !!*s->jwks_url + !!*s->jwks_file + !!*s->introspection_url;
    if (ways != 1)
        return err_set(e, ERR_SYNTAX,
                       "one of jwks_url, jwks_file and introspection_url must be set%s",
                       ways ? ", and only one" : "");
    if (!is_url(s->jwks_url) || !is_url(s->introspection_url))
        return err_set(e, ERR_SYNTAX, "%s must begin with https://",
                       *s->jwks_url ? "jwks_url" : "introspection_url");
    if (!*s->introspection_url && (!*s->issuer || s->audience.count == 0))
        return err_set(e, ERR_SYNTAX,
                       "issuer and audience must be set where tokens are checked "
                       "with keys");
    if (!*s->login_claim)
        return err_set(e, ERR_SYNTAX, "login_claim must be set");
    if (*s->client_secret && !*s->client_id)
        return err_set(e, ERR_SYNTAX, "client_secret needs a client_id");
    for (size_t i = 0; i < s->algorithms.count; i++)
        if (!jwt_algorithm_is_known(s->algorithms.items[i]))
            return err_set(e, ERR_SYNTAX, "algorithms: \"%s\" is none that is supported",
                           s->algorithms.items[i]);
    return true;
}

const struct settings_block oauth_settings_block = {
    .name = "oauth",
    .help = "Logins with tokens of OAuth 2.0 (SASL mechanisms OAUTHBEARER and XOAUTH2): one block "
            "for each issuer.",
    .named = true,
    .size = sizeof(struct oauth_settings),
    .settings = settings,
    .check = check,
};
