/* Logins with tokens: what clients are told, what the log gets, and how keys come and go. What is
 * asked over the network is tested end to end. */
#include "auth/helper.h"

#include "auth/auth.h"
#include "auth/jwt_tokens.h"
#include "auth/oauth.h"
#include "core/log.h"
#include "core/mem.h"
#include "net/dns.h"
#include "net/tls.h"

#include <time.h>

static usec offset;

static usec shifted(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * USEC_SEC + t.tv_nsec / 1000 + offset;
}

struct oauth_fixture {
    struct fixture f;
    struct auth *auth;
    struct oauth *oauth;
    struct tls_context *tls;
    struct dns *dns;
    struct auth_peer peer;
    char *log, *keys;
};

static const struct settings_block *const blocks[] = {&oauth_settings_block, NULL};

static struct config *parse(struct oauth_fixture *x, const char *more)
{
    struct buf text = BUF_EMPTY;
    struct err e = {0};
    buf_printf(
        &text,
        "oauth login { issuer = https://login.example.test; audience = mail; jwks_file = %s; "
        "scope = openid, mail; %s }",
        x->keys, more);
    struct config *c = config_parse("/test.conf", buf_str(&text), blocks, &e);
    if (!c)
        fail_msg("%s", e.text);
    buf_free(&text);
    return c;
}

static void configure(struct oauth_fixture *x, const char *more)
{
    struct config *c = parse(x, more);
    oauth_reload(x->oauth, c, x->tls);
    config_unref(c);
}

static void open_fixture(struct oauth_fixture *x)
{
    static const struct tls_settings tls = {.ca_file = "", .client_ca_file = ""};
    static const struct dns_settings dns = {"127.0.0.1@1", "", USEC_SEC};
    struct auth_settings settings = {.failures_max = 3,
                                     .penalty = {.failure_delay = 0, .failure_delay_max = 0}};
    offset = 0;
    clock_replace(shifted, NULL);
    *x = (struct oauth_fixture){.log = NULL};
    set_up(&x->f);
    fill(&x->f);
    x->log = path_in(x->f.folder, "log");
    x->keys = path_in(x->f.folder, "keys.json");
    write_test_file(x->keys, STR(JWT_KEYS));
    assert_true(log_open(x->log, LOG_LEVEL_INFO, &x->f.e));
    x->tls = tls_client_context(&tls, &x->f.e);
    x->dns = dns_new(loop_current(), &dns, &x->f.e);
    assert_non_null(x->tls);
    assert_non_null(x->dns);
    struct config *c = parse(x, "");
    x->oauth = oauth_new(&(struct oauth_context){.loop = loop_current(), .dns = x->dns}, c, x->tls);
    config_unref(c);
    x->auth = auth_new(x->f.d, &settings, &x->f.e);
    assert_non_null(x->auth);
    auth_set_oauth(x->auth, x->oauth);
    x->peer = (struct auth_peer){.service = "imap",
                                 .component = "imap",
                                 .id = "ID1",
                                 .address = "192.0.2.1",
                                 .secure = true};
}

static void close_fixture(struct oauth_fixture *x)
{
    assert_true(log_open(NULL, LOG_LEVEL_INFO, &x->f.e));
    auth_free(x->auth);
    oauth_free(x->oauth);
    tls_context_unref(x->tls);
    dns_free(x->dns);
    free(x->log);
    free(x->keys);
    tear_down(&x->f);
    clock_replace(NULL, NULL);
}

/* The log so far has this text, and no token; and starts anew. */
static void assert_logged(struct oauth_fixture *x, const char *text)
{
    struct buf log = BUF_EMPTY;
    log_flush();
    assert_true(disk_read_file(x->log, 100000, &log, &x->f.e));
    if (text && !strstr(buf_c(&log), text))
        fail_msg("\"%s\" is not in the log: %s", text, log.p);
    assert_int_equal(str_find(buf_str(&log), STR("eyJ")), -1);
    buf_free(&log);
    write_test_file(x->log, STR(""));
}

/* --- the exchange --- */

#define BEARER(token)          "n,,\1host=mail\1port=993\1auth=Bearer " token "\1\1"
#define BEARER_AS(name, token) "n,a=" name ",\1auth=Bearer " token "\1\1"
#define GOOGLE(name, token)    "user=" name "\1auth=Bearer " token "\1\1"
#define HINT                                                                                       \
    "\"scope\":\"openid mail\",\"openid-configuration\":"                                          \
    "\"https://login.example.test/.well-known/openid-configuration\"}"
#define INVALID        "{\"status\":\"invalid_token\"," HINT
#define TOO_LITTLE     "{\"status\":\"insufficient_scope\"," HINT
#define INVALID_GOOGLE "{\"status\":\"401\",\"schemes\":\"Bearer\"," HINT

struct attempt {
    struct str message;
    const char *challenge; /* before the failure; NULL: none */
    enum err_kind kind;    /* ERR_NONE: logged in */
    const char *log;
};

static void attempt(struct oauth_fixture *x, const char *mechanism, const struct attempt *t,
                    bool initial)
{
    struct err e = {0};
    struct str challenge = {0};
    struct sasl *s = sasl_new(x->auth, &x->peer);
    enum sasl_status status = sasl_start(s, str_from_c(mechanism),
                                         initial ? t->message : (struct str){0}, &challenge, &e);
    if (!initial) {
        assert_int_equal(status, SASL_STATUS_CONTINUE);
        assert_int_equal(challenge.n, 0);
        status = sasl_step(s, t->message, &challenge, &e);
    }
    if (t->challenge) {
        assert_int_equal(status, SASL_STATUS_CONTINUE);
        assert_str(challenge, t->challenge);
        assert_logged(x, NULL); /* nothing has failed yet */
        status = sasl_step(s, STR("\1"), &challenge, &e);
    }
    assert_int_equal(status, t->kind == ERR_NONE ? SASL_STATUS_DONE : SASL_STATUS_FAILED);
    assert_int_equal(e.kind, t->kind);
    if (status == SASL_STATUS_DONE) {
        assert_str(sasl_account(s)->login, "alice@example.test");
        assert_string_equal(sasl_mechanism(s), mechanism);
    }
    sasl_free(s);
    assert_logged(x, t->log);
}

static const struct attempt bearer[] = {
    {STR(BEARER(JWT_ES256)), NULL, ERR_NONE, NULL},
    {STR(BEARER(JWT_RS256)), NULL, ERR_NONE, NULL},
    {STR(BEARER_AS("alice@example.test", JWT_PS256)), NULL, ERR_NONE, NULL},
    {STR(BEARER_AS("ALICE@Example.test", JWT_EDDSA)), NULL, ERR_NONE, NULL},
    {STR(BEARER_AS("alice", JWT_NO_KID)), NULL, ERR_NONE, NULL},
    {STR("y,,\1AUTH=bearer   " JWT_ES256 "\1\1"), NULL, ERR_NONE, NULL},
    {STR(BEARER_AS("carol@example.test", JWT_ES256)), NULL, ERR_DENIED,
     "user=<carol@example.test> peer=192.0.2.1 mechanism=OAUTHBEARER "
     "reason=authorization_identity\n"},
    {STR(BEARER_AS("a=2Cb=3D", JWT_ES256)), NULL, ERR_DENIED, "user=<a,b=> "},
    {STR(BEARER(JWT_CAROL)), NULL, ERR_DENIED,
     "user=<carol@example.test> peer=192.0.2.1 mechanism=OAUTHBEARER reason=disabled\n"},
    {STR(BEARER(JWT_BOB)), INVALID, ERR_DENIED, "user=<bob@example.test> peer"},
    {STR(BEARER(JWT_BOB)), INVALID, ERR_DENIED, "reason=unknown_user\n"},
    {STR(BEARER(JWT_UNVERIFIED)), INVALID, ERR_DENIED, "reason=token_login\n"},
    {STR(BEARER(JWT_ENDED)), INVALID, ERR_DENIED, "reason=token_expired\n"},
    {STR(BEARER(JWT_EARLY)), INVALID, ERR_DENIED, "reason=token_not_yet_valid\n"},
    {STR(BEARER(JWT_OTHER_AUDIENCE)), INVALID, ERR_DENIED, "reason=token_audience\n"},
    {STR(BEARER(JWT_OTHER_ISSUER)), INVALID, ERR_DENIED, "reason=token_issuer\n"},
    {STR(BEARER(JWT_NO_SCOPE)), TOO_LITTLE, ERR_DENIED, "reason=token_scope\n"},
    {STR(BEARER(JWT_NONE)), INVALID, ERR_DENIED, "reason=token_algorithm\n"},
    {STR(BEARER(JWT_HS256_PEM)), INVALID, ERR_DENIED, "reason=token_algorithm\n"},
    {STR(BEARER(JWT_RS512)), INVALID, ERR_DENIED, "reason=token_algorithm\n"},
    {STR(BEARER(JWT_OTHER_SIGNER)), INVALID, ERR_DENIED, "reason=token_signature\n"},
    {STR(BEARER(JWT_NEXT_KID)), INVALID, ERR_DENIED, "reason=token_key\n"},
    {STR(BEARER("mF_9.B5f-4.1JqM")), INVALID, ERR_DENIED, "reason=token_unknown\n"},
    {STR(BEARER("opaque")), INVALID, ERR_DENIED, "reason=token_unknown\n"},
    {STR("n,,\1auth=\1\1"), INVALID, ERR_DENIED,
     "user=<> peer=192.0.2.1 mechanism=OAUTHBEARER "
     "reason=token_missing\n"},
    {STR("n,a=alice,\1host=x\1\1"), INVALID, ERR_DENIED, "reason=token_missing\n"},
    {STR("n,,\1\1"), INVALID, ERR_DENIED, "reason=token_missing\n"},
    {STR("p=tls-exporter,,\1auth=Bearer " JWT_ES256 "\1\1"), NULL, ERR_SYNTAX,
     "reason=malformed\n"},
    {STR("n,b=alice,\1auth=Bearer x\1\1"), NULL, ERR_SYNTAX, "reason=malformed\n"},
    {STR("n,a=,\1auth=Bearer x\1\1"), NULL, ERR_SYNTAX, "reason=malformed\n"},
    {STR("n,a=x=2,\1auth=Bearer x\1\1"), NULL, ERR_SYNTAX, "reason=malformed\n"},
    {STR("n,,auth=Bearer x\1\1"), NULL, ERR_SYNTAX, "reason=malformed\n"},
    {STR("n,,\1auth=Bearer x\1"), NULL, ERR_SYNTAX, "reason=malformed\n"},
    {STR("n,,\1auth=Bearer x"), NULL, ERR_SYNTAX, "reason=malformed\n"},
    {STR("n,,\1auth=Basic x\1\1"), NULL, ERR_SYNTAX, "reason=malformed\n"},
    {STR("n,,\1auth=Bearer x y\1\1"), NULL, ERR_SYNTAX, "reason=malformed\n"},
    {STR("n,,\1auth=Bearer x\1auth=Bearer y\1\1"), NULL, ERR_SYNTAX, "reason=malformed\n"},
    {STR("n,,\1auth=Bearer x\1\1\1"), NULL, ERR_SYNTAX, "reason=malformed\n"},
    {STR("n,,\1=x\1\1"), NULL, ERR_SYNTAX, "reason=malformed\n"},
    {STR("n,,\1host=a\0b\1auth=Bearer x\1\1"), NULL, ERR_SYNTAX, "reason=malformed\n"},
    {STR("n"), NULL, ERR_SYNTAX, "reason=malformed\n"},
    {STR("n,"), NULL, ERR_SYNTAX, "reason=malformed\n"},
    {STR(""), NULL, ERR_SYNTAX, "reason=malformed\n"},
};

static const struct attempt google[] = {
    {STR(GOOGLE("alice@example.test", JWT_ES256)), NULL, ERR_NONE, NULL},
    {STR(GOOGLE("Alice", JWT_ES256)), NULL, ERR_NONE, NULL},
    {STR(GOOGLE("bob@example.test", JWT_ES256)), NULL, ERR_DENIED,
     "user=<bob@example.test> peer=192.0.2.1 mechanism=XOAUTH2 reason=authorization_identity\n"},
    {STR(GOOGLE("alice@example.test", JWT_ENDED)), INVALID_GOOGLE, ERR_DENIED,
     "user=<alice@example.test> peer=192.0.2.1 mechanism=XOAUTH2 reason=token_expired\n"},
    {STR(GOOGLE("alice\" reason=none", JWT_ENDED)), INVALID_GOOGLE, ERR_DENIED,
     "user=<alice\" reason=none> peer"},
    {STR("auth=Bearer " JWT_ES256 "\1\1"), NULL, ERR_SYNTAX, "reason=malformed\n"},
    {STR(BEARER(JWT_ES256)), NULL, ERR_SYNTAX, "reason=malformed\n"},
};

IN_FIBER(exchanges)
{
    struct oauth_fixture x;
    (void)arg;
    open_fixture(&x);
    assert_string_equal(sasl_mechanisms(x.auth, &x.peer),
                        "PLAIN LOGIN SCRAM-SHA-256 SCRAM-SHA-1 OAUTHBEARER XOAUTH2");
    for (size_t i = 0; i < sizeof(bearer) / sizeof(*bearer); i++) {
        attempt(&x, "OAUTHBEARER", &bearer[i], true);
        attempt(&x, "OAUTHBEARER", &bearer[i], false);
    }
    for (size_t i = 0; i < sizeof(google) / sizeof(*google); i++)
        attempt(&x, "XOAUTH2", &google[i], i & 1);
    x.peer.secure = false;
    assert_string_equal(sasl_mechanisms(x.auth, &x.peer), "");
    x.peer.secure = true;
    auth_set_oauth(x.auth, NULL);
    assert_null(strstr(sasl_mechanisms(x.auth, &x.peer), "OAUTH"));
    close_fixture(&x);
}

/* Longer than any token may be, but not than a response. */
IN_FIBER(huge)
{
    struct oauth_fixture x;
    struct buf message = BUF_EMPTY;
    (void)arg;
    open_fixture(&x);
    buf_add_c(&message, "n,,\1auth=Bearer ");
    while (message.n < SASL_RESPONSE_MAX - 2)
        buf_add_char(&message, 'A');
    buf_add_c(&message, "\1\1");
    attempt(&x, "OAUTHBEARER",
            &(struct attempt){buf_str(&message), INVALID, ERR_DENIED, "reason=token_unknown\n"},
            true);
    buf_add_char(&message, '\1');
    attempt(&x, "OAUTHBEARER",
            &(struct attempt){buf_str(&message), NULL, ERR_SYNTAX, "reason=malformed\n"}, true);
    buf_free(&message);
    close_fixture(&x);
}

/* --- keys --- */

/* ERR_NONE: the token is good. */
static enum err_kind check(struct oauth_fixture *x, const char *token)
{
    struct err e = {0};
    struct str login;
    if (oauth_check(x->oauth, str_from_c(token), x->f.a, &login, &e))
        assert_str(login, "alice@example.test");
    return e.kind;
}

static void keys(void *arg)
{
    struct oauth_fixture x;
    (void)arg;
    open_fixture(&x);
    configure(&x, "keys_lifetime = 1h; keys_stale = 1d");
    assert_int_equal(check(&x, JWT_ES256), ERR_NONE);
    assert_logged(&x, "keys read issuer=login source=");

    /* A new key is found when a token names it, but strangers cannot make us look all the time. */
    write_test_file(x.keys, STR(JWT_KEYS_NEXT));
    assert_int_equal(check(&x, JWT_NEXT_KID), ERR_DENIED);
    offset += 11 * USEC_SEC;
    assert_int_equal(check(&x, JWT_ES256), ERR_NONE);
    assert_int_equal(check(&x, JWT_NEXT_KID), ERR_NONE);
    assert_int_equal(check(&x, JWT_ES256), ERR_DENIED);

    /* An issuer that is down: its keys stay for a while, and a new key is no lie. */
    assert_true(disk_unlink(x.keys, &x.f.e));
    offset += 2 * 3600 * USEC_SEC;
    assert_int_equal(check(&x, JWT_NEXT_KID), ERR_NONE);
    assert_logged(&x, "keys cannot be read issuer=login");
    assert_int_equal(check(&x, JWT_ES256), ERR_TEMP);
    offset += 24 * 3600 * USEC_SEC;
    assert_int_equal(check(&x, JWT_NEXT_KID), ERR_TEMP);
    write_test_file(x.keys, STR(JWT_KEYS));
    assert_int_equal(check(&x, JWT_ES256), ERR_TEMP);
    offset += 11 * USEC_SEC;
    assert_int_equal(check(&x, JWT_ES256), ERR_NONE);

    /* What is no key set is none, whatever it is. */
    write_test_file(x.keys, STR("{\"keys\":[{\"kty\":\"oct\",\"k\":\"AA\"}]}"));
    offset += 2 * 3600 * USEC_SEC;
    assert_int_equal(check(&x, JWT_ES256), ERR_NONE);
    assert_logged(&x, "none of its keys can be used\": those that are known are used");
    close_fixture(&x);
}

static void test_keys(void **state)
{
    (void)state;
    run_in_fiber(keys, NULL);
}

IN_FIBER(no_keys)
{
    struct oauth_fixture x;
    (void)arg;
    open_fixture(&x);
    write_test_file(x.keys, STR("<html>"));
    attempt(&x, "OAUTHBEARER",
            &(struct attempt){STR(BEARER(JWT_ES256)), NULL, ERR_TEMP,
                              "login deferred service=imap user=<> peer=192.0.2.1 "
                              "mechanism=OAUTHBEARER reason=\"oauth login: its keys cannot be had: "
                              "it is no JSON Web Key Set\""},
            true);
    close_fixture(&x);
}

/* --- settings --- */

static void test_settings(void **state)
{
    static const struct {
        const char *text, *error;
    } cases[] = {
        {"oauth a { issuer = i; audience = m; jwks_url = https://x/keys }", NULL},
        {"oauth a { introspection_url = https://x/introspect }", NULL},
        {"oauth a { issuer = i; audience = m }", "one of jwks_url"},
        {"oauth a { jwks_url = https://x/; introspection_url = https://x/ }", "and only one"},
        {"oauth a { issuer = i; audience = m; jwks_url = http://x/keys }", "must begin with https"},
        {"oauth a { introspection_url = http://x/ }", "must begin with https"},
        {"oauth a { issuer = i; jwks_url = https://x/keys }", "issuer and audience"},
        {"oauth a { audience = m; jwks_url = https://x/keys }", "issuer and audience"},
        {"oauth a { introspection_url = https://x/; client_secret = s }", "needs a client_id"},
        {"oauth a { introspection_url = https://x/; algorithms = RS256, none }", "\"none\""},
        {"oauth a { introspection_url = https://x/; algorithms = HS256 }", "\"HS256\""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct err e = {0};
        struct config *c = config_parse("/test.conf", str_from_c(cases[i].text), blocks, &e);
        assert_int_equal(c != NULL, !cases[i].error);
        if (cases[i].error && !strstr(e.text, cases[i].error))
            fail_msg("\"%s\" is not in: %s", cases[i].error, e.text);
        config_unref(c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exchanges), cmocka_unit_test(test_huge),
        cmocka_unit_test(test_keys),      cmocka_unit_test(test_no_keys),
        cmocka_unit_test(test_settings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
