/*
 * The route table: which route a message takes, as a table of cases, and what is wrong with a
 * configuration, with the words that its author reads.
 */
#include "core/helper.h"
#include "queue/destination_key.h"
#include "queue/queue_internal.h"
#include "queue/rules.h"

#include <stdlib.h>
#include <sys/stat.h>

static const struct settings_block *const blocks[] = {&route_settings_block, &copy_settings_block,
                                                      &srs_settings_block, &rewrite_settings_block,
                                                      NULL};

static struct queue_rules *rules_of(const char *text, struct err *e)
{
    struct config *c = config_parse("/etc/maild.conf", str_from_c(text), blocks, e);
    struct queue_rules *r = c ? queue_rules_new(c, e) : NULL;
    config_unref(c);
    return r;
}

/* The precedence of docs/routes.md. */
static const char table_text[] =
    "route partner { recipient = partner.example, .partner.example\n hosts = [192.0.2.7]:24\n"
    "  protocol = lmtp\n }\n"
    "route drop { recipient = nobody@sink.example\n action = sink\n }\n"
    "route list-mail { sender = list@here.example, <>\n recipient = *\n login = "
    "robot@here.example\n"
    "  hosts = bulk.example\n }\n"
    "route alice { login = alice@here.example\n hosts = smtp.provider.example:587\n }\n"
    "route sales { sender = sales.here.example, .sales.here.example\n helo = sales.here.example\n "
    "}\n"
    "route reports { sender = <>\n hosts = reports.example:2525\n }\n"
    "route intern { recipient = inside.example\n hosts = unix:/run/inside\n }\n";

static const struct {
    const char *sender, *login, *recipient;
    bool relay_domain;
    const char *key;
} precedence[] = {
    /* recipients: the domain, what is below it, an address */
    {"a@x.example", "", "b@partner.example", false, "rule partner"},
    {"a@x.example", "", "b@PARTNER.example", false, "rule partner"},
    {"a@x.example", "", "b@mx.eu.partner.example", false, "rule partner"},
    {"a@x.example", "", "b@notpartner.example", false, "relay"},
    {"a@x.example", "", "Nobody@sink.example", false, "rule drop"},
    {"a@x.example", "", "somebody@sink.example", false, "relay"},
    /* who names the recipient comes before who does not, whatever the order in the file */
    {"a@x.example", "alice@here.example", "b@inside.example", false, "rule intern"},
    {"a@x.example", "alice@here.example", "b@far.example", false, "rule alice"},
    {"a@x.example", "Alice@HERE.example", "b@far.example", false, "rule alice"},
    {"list@here.example", "robot@here.example", "b@inside.example", false, "rule list-mail"},
    {"", "robot@here.example", "b@far.example", false, "rule list-mail"},
    /* all conditions of a route have to hold */
    {"list@here.example", "", "b@far.example", false, "relay"},
    {"other@here.example", "robot@here.example", "b@far.example", false, "relay"},
    /* senders; by MX the domain is in the key */
    {"a@sales.here.example", "", "b@far.example", false, "rule sales/far.example"},
    {"a@eu.sales.here.example", "", "b@far.example", false, "rule sales/far.example"},
    {"", "", "b@far.example", false, "rule reports"},
    /* a relay domain of the directory: only routes that name the recipient come before it */
    {"a@x.example", "", "b@partner.example", true, "rule partner"},
    {"a@x.example", "alice@here.example", "b@ours.example", true, "ours.example"},
    {"", "", "b@ours.example", true, "ours.example"},
    {"", "robot@here.example", "b@ours.example", true, "rule list-mail"},
    /* international domains in either form */
    {"a@x.example", "", "b@xn--bcher-kva.example", false, "relay"},
};

static void test_precedence(void **state)
{
    struct err e = {.kind = ERR_NONE};
    (void)state;
    struct queue_settings settings = {
        .relay_host = "relay.example:25", .relay_user = "", .relay_password = ""};
    struct queue_rules *rules = rules_of(table_text, &e);
    if (!rules)
        fail_msg("%s", e.text);
    struct queue_config *config = queue_config_new(&settings, NULL, rules);
    queue_rules_unref(rules);
    struct arena *a = arena_new();
    for (size_t i = 0; i < sizeof(precedence) / sizeof(*precedence); i++) {
        const struct route_question question = {.sender = str_from_c(precedence[i].sender),
                                                .login = str_from_c(precedence[i].login),
                                                .recipient = str_from_c(precedence[i].recipient),
                                                .relay_domain = precedence[i].relay_domain};
        struct str key = destination_key_of(config, &question, a);
        if (!str_equal(key, str_from_c(precedence[i].key)))
            fail_msg("%s (%s) -> %s: got \"%.*s\", expected \"%s\"", precedence[i].sender,
                     precedence[i].login, precedence[i].recipient, STR_ARG(key), precedence[i].key);
    }
    arena_free(a);
    queue_config_unref(config);
}

static void test_international(void **state)
{
    struct err e = {.kind = ERR_NONE};
    (void)state;
    struct queue_rules *rules = rules_of("route b { recipient = b\xc3\xbc"
                                         "cher.example\n action = sink\n }\n",
                                         &e);
    assert_non_null(rules);
    struct arena *a = arena_new();
    const char *forms[] = {"x@xn--bcher-kva.example", "x@B\xc3\x9c"
                                                      "cher.example"};
    for (size_t i = 0; i < 2; i++) {
        const struct credential *credential;
        struct route_question question = {.recipient = str_from_c(forms[i])};
        question = route_question_fold(&question, a);
        assert_non_null(route_table_find(&rules->routes, &question, &credential));
    }
    arena_free(a);
    queue_rules_unref(rules);
}

/* --- mistakes --- */

static const struct {
    const char *text, *words;
} mistakes[] = {
    {"route x { recipient = a@b.example, c@\n }", "recipient: \"c@\" is no address"},
    {"route x { recipient = <>\n }", "recipient: \"<>\" is no address"},
    {"route x { sender = -bad-\n }", "sender: \"-bad-\" is no address"},
    {"route x { hosts = smtp.example:99999\n }", "hosts: \"smtp.example:99999\" is no host"},
    {"route x { hosts = 2001:db8::1\n }", "hosts: \"2001:db8::1\" is no host"},
    {"route x { hosts = unix:relative\n }", "hosts: \"unix:relative\" is no host"},
    {"route x { hosts = mx, a.example\n }", "hosts: mx stands alone"},
    {"route x { fallback = http://a.example\n }", "fallback: \"http://a.example\" is no host"},
    {"route x { hosts = a.example\n protocol = lmtp\n }", "\"a.example\" needs a port"},
    {"route x { protocol = lmtp\n }", "protocol = lmtp needs hosts"},
    {"route x { hosts = a.example:465\n tls = none\n }", "port 465 begins with TLS"},
    {"route x { hosts = unix:/run/x\n tls = verify\n }", "no name that TLS could verify"},
    {"route x { hosts = a.example\n user = u\n tls = verify\n }", "user \"u\" has no password"},
    {"route x { hosts = a.example\n password = p\n }", "password is set, but no user"},
    {"route x { hosts = a.example\n user = u\n password = p\n }", "user needs tls = verify"},
    {"route x { hosts = a.example\n user = u\n password = p\n tls = encrypt\n }",
     "user needs tls = verify"},
    {"route x { user = u\n password = p\n tls = verify\n }", "user needs hosts"},
    {"route x { hosts = a.example\n credentials = f\n }", "credentials needs tls = verify"},
    {"route x { mechanisms = PLAIN CRAM-MD5\n }", "mechanisms: \"CRAM-MD5\" is unknown"},
    {"route x { source_ipv4 = ::1\n }", "source_ipv4: \"::1\" is no IPv4 address"},
    {"route x { source_ipv6 = 1.2.3.4\n }", "source_ipv6: \"1.2.3.4\" is no IPv6 address"},
    {"route x { helo = a_b\n }", "helo: \"a_b\" is no name of a host"},
    {"route x { rate = 100\n }", "rate: \"100\", expected"},
    {"route x { rate = 0/1m\n }", "rate: \"0/1m\", expected"},
    {"route x { rate = 5/soon\n }", "rate: \"5/soon\", expected"},
    {"route x { action = sink\n hosts = a.example\n }", "hosts means nothing with action = sink"},
    {"route x { action = bounce\n }", "action"},
    {"route a/b { action = sink\n }", "the name may have no blanks and no \"/\""},
    {"route x { hosts = a.example\n }\nroute y { hosts = b.example\n }",
     "route y: no mail comes to it: route x, which stands before, takes all"},
    {"route x { recipient = *\n }\nroute y { sender = a@b.example\n }",
     "route y: no mail comes to it: route x"},
    {"route x { recipient = a@b.example\n recipients = c\n }", "did you mean \"recipient\""},
};

static void test_mistakes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(mistakes) / sizeof(*mistakes); i++) {
        struct err e = {.kind = ERR_NONE};
        struct queue_rules *rules = rules_of(mistakes[i].text, &e);
        if (rules || !strstr(e.text, mistakes[i].words))
            fail_msg("%s: got \"%s\", expected \"%s\"", mistakes[i].text, rules ? "ok" : e.text,
                     mistakes[i].words);
    }
}

/* --- credentials --- */

static const char credentials_text[] = "# who           as whom\n"
                                       "alice@here.example  alice@gmail.example:a b:c\n"
                                       "\n"
                                       "Bob@Here.example bob:secret\n"
                                       "@team.example team:pass word \n";

static void test_credentials(void **state)
{
    struct err e = {.kind = ERR_NONE};
    struct arena *a = arena_new();
    struct credentials c;
    (void)state;
    assert_true(credentials_parse("f", str_from_c(credentials_text), a, &c, &e));
    assert_int_equal(c.count, 3);
    const struct credential *x = credentials_find(&c, STR("alice@here.example"), STR(""));
    assert_string_equal(x->user, "alice@gmail.example");
    assert_string_equal(x->password, "a b:c");
    x = credentials_find(&c, STR("anything@else.example"), STR("bob@here.example"));
    assert_string_equal(x->user, "bob");
    x = credentials_find(&c, STR("x@team.example"), STR(""));
    assert_string_equal(x->password, "pass word");
    assert_string_equal(credentials_find(&c, STR("x@team.example"), STR("bob@here.example"))->user,
                        "bob");
    assert_null(credentials_find(&c, STR("nobody@here.example"), STR("")));
    assert_null(credentials_find(&c, STR(""), STR("")));
    static const struct {
        const char *text, *words;
    } bad[] = {
        {"alice a:b", "f:1: \"alice\" is no address"},
        {"\n\na@b.example secret", "f:3: expected user:password behind \"a@b.example\""},
        {"a@b.example :x", "expected user:password"},
        {"a@b.example x:", "expected user:password"},
        {"a@b.example x:y\nA@b.example z:z", "\"a@b.example\" stands there twice"},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        assert_false(credentials_parse("f", str_from_c(bad[i].text), a, &c, &e));
        if (!strstr(e.text, bad[i].words))
            fail_msg("got \"%s\", expected \"%s\"", e.text, bad[i].words);
        assert_null(strstr(e.text, "secret"));
    }
    arena_free(a);
}

/* Whose credentials are used is a part of the key: mail of two users never shares a login. */
static void test_sender_dependent(void **state)
{
    struct err e = {.kind = ERR_NONE};
    (void)state;
    char *dir = make_directory(), *path = path_in(dir, "logins");
    assert_true(disk_replace_file(path, str_from_c(credentials_text), 0644, &e));
    assert_true(disk_set_mode(path, 0644, &e));
    struct buf text = BUF_EMPTY;
    buf_printf(&text,
               "route provider { hosts = smtp.gmail.example:587\n tls = verify\n"
               " credentials = %s\n }\nroute rest { hosts = other.example\n }\n",
               path);
    assert_null(rules_of(buf_c(&text), &e));
    assert_non_null(strstr(e.text, "everybody may read or change it"));
    assert_true(disk_set_mode(path, 0640, &e));
    struct queue_rules *rules = rules_of(buf_c(&text), &e);
    if (!rules)
        fail_msg("%s", e.text);
    struct queue_settings settings = {.relay_host = "", .relay_user = "", .relay_password = ""};
    struct queue_config *config = queue_config_new(&settings, NULL, rules);
    struct arena *a = arena_new();
    static const struct {
        const char *sender, *login, *key;
    } cases[] = {
        {"alice@here.example", "alice@here.example", "rule provider as alice@here.example"},
        {"x@team.example", "bob@here.example", "rule provider as bob@here.example"},
        {"x@team.example", "", "rule provider as @team.example"},
        {"carol@here.example", "carol@here.example", "rule rest"},
        {"", "", "rule rest"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        const struct route_question question = {.sender = str_from_c(cases[i].sender),
                                                .login = str_from_c(cases[i].login),
                                                .recipient = STR("b@far.example")};
        struct str key = destination_key_of(config, &question, a);
        assert_string_equal(arena_c(a, key), cases[i].key);
    }
    struct str key = STR("rule provider as @team.example");
    assert_true(str_equal(destination_key_rule(key), STR("provider")));
    assert_true(str_equal(destination_key_credential(key), STR("@team.example")));
    assert_true(str_equal(destination_key_domain(key), STR("")));
    arena_free(a);
    queue_config_unref(config);
    queue_rules_unref(rules);
    buf_free(&text);
    remove_directory(dir);
    free(path);
}

static void test_pacing(void **state)
{
    struct err e = {.kind = ERR_NONE};
    (void)state;
    struct queue_rules *rules =
        rules_of("route slow { rate = 100/1m\n connections_max = 3\n }\n", &e);
    struct queue_settings settings = {.relay_host = "", .relay_user = "", .relay_password = ""};
    struct queue_config *config = queue_config_new(&settings, NULL, rules);
    struct pacing p = destination_key_pacing(config, STR("rule slow/far.example"));
    assert_int_equal(p.rate, 100);
    assert_int_equal(p.rate_period, 60 * USEC_SEC);
    assert_int_equal(p.connections_max, 3);
    p = destination_key_pacing(config, STR("far.example"));
    assert_int_equal(p.rate, 0);
    queue_config_unref(config);
    queue_rules_unref(rules);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_precedence),       cmocka_unit_test(test_international),
        cmocka_unit_test(test_mistakes),         cmocka_unit_test(test_credentials),
        cmocka_unit_test(test_sender_dependent), cmocka_unit_test(test_pacing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
