/* Rules that count, remember or ask DNS, with a clock that the test moves. */
#include "policy_test.h"

#include "core/log.h"
#include "net/dns.h"
#include "net/dns_server.h"
#include "policy/operate.h"

#define A             1
#define PTR           12
#define MX            15
#define DATA(literal) literal, sizeof(literal) - 1
#define HOUR          (3600 * USEC_SEC)

static const struct dns_record records[] = {
    {"mx.test", MX, DATA("\0\x0a\4mail\4test\0")},
    {"address.test", A, DATA("\xc0\0\2\1")},
    {"null.test", MX, DATA("\0\0\0")},
    {"failing.test", -2, NULL, 0},
    {"7.2.0.192.in-addr.arpa", PTR, DATA("\4mail\4test\0")},
    {"mail.test", A, DATA("\xc0\0\2\7")},
    {"8.2.0.192.in-addr.arpa", PTR, DATA("\4mail\4test\0")},
    {"9.2.0.192.in-addr.arpa", -2, NULL, 0},
    {NULL, 0, NULL, 0},
};

static struct world w;
static usec ahead;

static usec moved_monotonic(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * USEC_SEC + t.tv_nsec / 1000 + ahead;
}

static usec moved_wall(void)
{
    return 1800000000 * USEC_SEC + ahead;
}

static void expect_at(enum policy_stage stage, const char *expected)
{
    const char *got = ask_at(&w, stage);
    if (strncmp(got, expected, strlen(expected)) != 0)
        fail_msg("expected \"%s\", got \"%s\"", expected, got);
}

static void in_world(void *arg)
{
    void (*fn)(void) = *(void (**)(void))arg;
    ahead = 0;
    clock_replace(moved_monotonic, moved_wall);
    world_open(&w);
    fill_directory(w.directory);
    fn();
    world_close(&w);
    clock_replace(NULL, NULL);
}

#define TEST(name, fn)                                                                             \
    static void name(void **state)                                                                 \
    {                                                                                              \
        void (*body)(void) = fn;                                                                   \
        (void)state;                                                                               \
        run_in_fiber(in_world, &body);                                                             \
    }

/* --- what is counted --- */

static void clients(void)
{
    world_configure(&w, "rule r { check = client_rate; at = mail; limit = 2; period = 1h; "
                        "ipv4_prefix = 24 }");
    expect_at(POLICY_MAIL, "pass");
    w.facts.address = "192.0.2.99";
    expect_at(POLICY_MAIL, "pass");
    expect_at(POLICY_MAIL, "defer 450 4.7.1 Too much within a short time");
    expect_why(&w, "192.0.2.0/24 had 2 of 2 messages in 1h");
    w.facts.address = "192.0.3.1";
    expect_at(POLICY_MAIL, "pass");
    w.facts.address = "2001:db8::1";
    expect_at(POLICY_MAIL, "pass");
    w.facts.address = "2001:db8::2";
    expect_at(POLICY_MAIL, "pass");
    expect_at(POLICY_MAIL, "defer");
    w.facts.address = "unix";
    expect_at(POLICY_MAIL, "pass");
    w.facts.address = "192.0.2.1";
    ahead = HOUR / 2;
    expect_at(POLICY_MAIL, "defer");
    ahead = HOUR + HOUR / 6;
    expect_at(POLICY_MAIL, "pass");
}
TEST(test_client_rate, clients)

static void recipients(void)
{
    world_configure(&w, "rule r { check = recipient_rate; limit = 1; period = 10s }");
    expect_at(POLICY_RCPT, "pass");
    w.facts.recipient = STR("Alice@Example.test");
    expect_at(POLICY_RCPT, "defer 450 4.2.1 <Alice@Example.test> gets too much mail");
    w.facts.recipient = STR("bob@example.test");
    expect_at(POLICY_RCPT, "pass");
    w.facts.recipient = STR("postmaster@example.test");
    for (int i = 0; i < 3; i++)
        expect_at(POLICY_RCPT, "pass");
    ahead = 20 * USEC_SEC;
    w.facts.recipient = STR("alice@example.test");
    expect_at(POLICY_RCPT, "pass");
}
TEST(test_recipient_rate, recipients)

static void connections(void)
{
    struct policy_limit_info *list;
    struct policy_session *first, *second;
    size_t count;
    world_configure(&w, "rule r { check = client_connections; limit = 2 }");
    expect_at(POLICY_CONNECT, "pass");
    expect_at(POLICY_CONNECT, "pass"); /* still the same */
    first = w.session;
    w.session = NULL;
    expect_at(POLICY_CONNECT, "pass");
    second = w.session;
    w.session = NULL;
    expect_at(POLICY_CONNECT, "defer 421 4.7.1 Too many connections at a time: 192.0.2.1 has 3");
    policy_list_limits(w.policy, 5, w.a, &list, &count);
    assert_int_equal(count, 1);
    assert_int_equal(list[0].key_count, 1);
    assert_int_equal(list[0].keys[0].count, 3);
    assert_true(str_equal(list[0].keys[0].key, STR("192.0.2.1")));
    world_disconnect(&w);
    policy_session_free(first);
    expect_at(POLICY_CONNECT, "pass");
    policy_session_free(second);
    world_disconnect(&w);
    policy_list_limits(w.policy, 5, w.a, &list, &count);
    assert_int_equal(list[0].key_count, 0);
}
TEST(test_client_connections, connections)

/* Of many keys those with the highest counts are shown. */
static void busiest(void)
{
    struct policy_limit_info *list;
    size_t count;
    world_configure(&w, "rule r { check = recipient_rate; limit = 100 }");
    for (int i = 1; i <= 30; i++) {
        w.facts.recipient = arena_printf(w.a, "u%d@example.test", i * 7 % 31);
        for (int k = 0; k < i * 7 % 31; k++)
            expect_at(POLICY_RCPT, "pass");
    }
    policy_list_limits(w.policy, 5, w.a, &list, &count);
    assert_int_equal(list[0].known, 30);
    assert_int_equal(list[0].key_count, 5);
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(list[0].keys[i].count, 30 - i);
}
TEST(test_busiest, busiest)

/* --- logins --- */

static struct {
    size_t count;
    char subject[200], text[2000];
} told;

static void tell(void *arg, struct str subject, struct str text)
{
    (void)arg;
    told.count++;
    snprintf(told.subject, sizeof(told.subject), "%.*s", STR_ARG(subject));
    snprintf(told.text, sizeof(told.text), "%.*s", STR_ARG(text));
}

static void logins(void)
{
    world_configure(&w, "rule r { check = login_rate; limit = 2; period = 1h }");
    policy_set_notice(w.policy, tell, NULL);
    told.count = 0;
    for (int i = 0; i < 5; i++)
        expect_at(POLICY_RCPT, "pass"); /* nobody has logged in */
    w.facts.protocol = SERVICE_SUBMISSION;
    w.facts.login = STR("alice@example.test");
    expect_at(POLICY_RCPT, "pass");
    expect_at(POLICY_RCPT, "pass");
    for (int i = 0; i < 5; i++)
        expect_at(POLICY_RCPT, "defer 450 4.7.1 You send too much within a short time");
    fiber_yield();
    assert_int_equal(told.count, 1);
    assert_string_equal(told.subject, "alice@example.test sends unusually much mail");
    assert_non_null(strstr(told.text, "2 recipients within 1h"));
    assert_non_null(strstr(told.text, "mailctl user disable alice@example.test"));
    expect_why(&w, "alice@example.test had 2 of 2 recipients in 1h");
    w.facts.login = STR("bob@example.test");
    expect_at(POLICY_RCPT, "pass");
    /* An hour later it goes on; the next day the postmaster hears of it again. */
    w.facts.login = STR("alice@example.test");
    ahead = 2 * HOUR;
    expect_at(POLICY_RCPT, "pass");
    expect_at(POLICY_RCPT, "pass");
    expect_at(POLICY_RCPT, "defer");
    fiber_yield();
    assert_int_equal(told.count, 1);
    ahead = 30 * HOUR;
    expect_at(POLICY_RCPT, "pass");
    expect_at(POLICY_RCPT, "pass");
    expect_at(POLICY_RCPT, "defer");
    fiber_yield();
    assert_int_equal(told.count, 2);
}
TEST(test_login_rate, logins)

static void tried_logins(void)
{
    world_configure(&w, "rule r { check = login_rate; limit = 1; dry_run = yes }\n"
                        "rule quiet { check = login_rate; limit = 1; notice = no }");
    policy_set_notice(w.policy, tell, NULL);
    told.count = 0;
    w.facts.login = STR("alice@example.test");
    expect_at(POLICY_RCPT, "pass");
    expect_at(POLICY_RCPT, "defer 450 4.7.1 You send too much");
    fiber_yield();
    assert_int_equal(told.count, 1);
    assert_non_null(strstr(told.text, "nothing is held up"));
}
TEST(test_login_rate_that_only_tries, tried_logins)

/* --- the greylist --- */

static void grey(void)
{
    struct greylist_stats s;
    world_configure(&w, "rule r { check = greylist; retry_after = 5m; ipv4_prefix = 32 }");
    assert_false(policy_greylist_stats(w.policy, &s));
    expect_at(POLICY_RCPT, "defer 450 4.7.1 Greylisted, please come again later: not seen before, "
                           "to come again in 300 seconds by r");
    ahead = 299 * USEC_SEC;
    expect_at(POLICY_RCPT,
              "defer 450 4.7.1 Greylisted, please come again later: too early, to come "
              "again in 1 second by r");
    w.facts.address = "192.0.2.2";
    expect_at(POLICY_RCPT, "defer");
    w.facts.address = "192.0.2.1";
    ahead = 300 * USEC_SEC;
    expect_at(POLICY_RCPT, "pass");
    expect_why(&w, "known");
    assert_true(policy_greylist_stats(w.policy, &s));
    assert_int_equal(s.in_memory, 2);

    struct err e;
    int64_t deleted;
    assert_false(policy_greylist_allow(w.policy, STR("192.0.2.0/24"), &e));
    assert_non_null(strstr(e.text, "/32"));
    assert_false(policy_greylist_allow(w.policy, STR("mail.test"), &e));
    assert_false(policy_greylist_allow(w.policy, STR("2001:db8::1/64"), &e));
    assert_true(policy_greylist_allow(w.policy, STR("2001:db8::/64"), &e));
    w.facts.address = "2001:db8::77";
    expect_at(POLICY_RCPT, "pass");
    assert_true(policy_greylist_delete(w.policy, STR("2001:0db8::/64"), &deleted, &e));
    expect_at(POLICY_RCPT, "defer");
    assert_false(policy_greylist_delete(w.policy, STR("198.51.100.1"), &deleted, &e));
    assert_int_equal(e.kind, ERR_NOT_FOUND);
}
TEST(test_greylist, grey)

/* --- DNS --- */

static struct dns_server server;
static void (*dns_body)(void);

static void with_dns(void)
{
    struct err e;
    char text[32];
    snprintf(text, sizeof(text), "127.0.0.1@%u", server.port);
    struct dns_settings s = {text, "", 10 * USEC_SEC};
    w.dns = dns_new(loop_current(), &s, &e);
    assert_non_null(w.dns);
    dns_body();
    world_disconnect(&w);
    dns_free(w.dns);
}

#define DNS_TEST(name, fn)                                                                         \
    static void name(void **state)                                                                 \
    {                                                                                              \
        void (*body)(void) = with_dns;                                                             \
        dns_body = fn;                                                                             \
        (void)state;                                                                               \
        assert_true(dns_server_start(&server, records));                                           \
        run_in_fiber(in_world, &body);                                                             \
        dns_server_stop(&server);                                                                  \
    }

static void sender(const char *address, const char *expected)
{
    w.facts.sender = str_from_c(address);
    expect_at(POLICY_RCPT, expected);
}

static void sender_domains(void)
{
    world_configure(&w, "rule r { check = sender_domain; action = reject }");
    sender("a@mx.test", "pass");
    sender("a@address.test", "pass");
    sender("a@nosuch.test", "reject 550 5.1.8 The domain of <a@nosuch.test> cannot be answered: "
                            "nosuch.test has neither MX nor address");
    sender("a@null.test", "reject 550 5.1.8");
    sender("a@failing.test", "pass");
    sender("", "pass");
    sender("a@[192.0.2.1]", "pass");
    sender("a@example.test", "pass");
    /* Further recipients of the same message ask nobody. */
    sender("a@mx.test", "pass");
    unsigned asked = atomic_load(&server.questions);
    for (int i = 0; i < 10; i++)
        sender("b@MX.test", "pass");
    assert_int_equal(atomic_load(&server.questions), asked);
}
DNS_TEST(test_sender_domain, sender_domains)

static void deferred(void)
{
    world_configure(&w, "rule r { check = sender_domain; dns_failure = defer }\n"
                        "rule n { check = client_name; dns_failure = defer }");
    sender("a@failing.test",
           "defer 451 4.1.8 Please try again later: DNS cannot answer for failing.test: ");
    sender("a@nosuch.test", "defer 450 4.1.8 The domain of");
    w.facts.address = "192.0.2.9";
    sender("", "defer 451 4.7.25 Please try again later: DNS cannot tell");
}
DNS_TEST(test_failures_defer_where_the_rule_says_so, deferred)

static void names(void)
{
    const char *name;
    world_configure(&w, "rule r { check = client_name; text = \"{name}: {why}\" }");
    w.facts.address = "192.0.2.7";
    expect_at(POLICY_RCPT, "pass");
    assert_int_equal(policy_session_name(w.session, &name), CLIENT_NAME_CONFIRMED);
    assert_string_equal(name, "mail.test");
    world_disconnect(&w);
    w.facts.address = "192.0.2.8";
    expect_at(POLICY_RCPT, "reject 550 5.7.25 unknown: 192.0.2.8 calls itself mail.test, which has "
                           "another address");
    assert_int_equal(policy_session_name(w.session, &name), CLIENT_NAME_UNCONFIRMED);
    assert_null(name);
    world_disconnect(&w);
    w.facts.address = "192.0.2.9";
    expect_at(POLICY_RCPT, "pass");
    world_disconnect(&w);
    /* A proxy has said so already. */
    w.facts.name = "other.test";
    w.facts.address = "192.0.2.8";
    expect_at(POLICY_RCPT, "pass");
    w.facts.name = NULL;
    w.facts.name_status = CLIENT_NAME_NONE;
    w.facts.address = "192.0.2.7";
    world_disconnect(&w);
    expect_at(POLICY_RCPT, "reject 550 5.7.25 unknown: 192.0.2.7 has no reverse DNS");
}
DNS_TEST(test_client_name, names)

/* A resolver that is dead does not hold up mail for the sake of a name that is only told. */
static void dead_resolver(void)
{
    const char *name;
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof(a);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, n), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &n), 0);
    char text[32];
    snprintf(text, sizeof(text), "127.0.0.1@%u", ntohs(a.sin_port));
    struct dns_settings s = {text, "", 60 * USEC_SEC};
    struct err e;
    w.dns = dns_new(loop_current(), &s, &e);
    assert_non_null(w.dns);
    world_configure(&w, "");
    usec begun = clock_monotonic();
    policy_look_up_name(w.policy, &w.session, "192.0.2.7");
    assert_int_equal(policy_session_name(w.session, &name), CLIENT_NAME_UNKNOWN);
    assert_null(name);
    /* Rules wait for 10 seconds. */
    assert_true(clock_monotonic() - begun < 8 * USEC_SEC);
    world_disconnect(&w);
    dns_free(w.dns);
    close(fd);
}
TEST(test_dead_resolver, dead_resolver)

/* --- who speaks too early --- */

static void early(void)
{
    world_configure(&w, "rule r { check = early_talker; wait = 4s }\n"
                        "rule off { check = early_talker; wait = 20s; enabled = no }\n");
    assert_int_equal(policy_greeting_wait(w.policy, SERVICE_SMTP, "192.0.2.1"), 4 * USEC_SEC);
    assert_int_equal(policy_greeting_wait(w.policy, SERVICE_SMTP, "127.0.0.1"), 0);
    assert_int_equal(policy_greeting_wait(w.policy, SERVICE_SUBMISSION, "192.0.2.1"), 0);
    expect_at(POLICY_CONNECT, "pass");
    w.facts.early_talker = true;
    expect_at(POLICY_CONNECT, "reject 554 5.5.0 Wait for the greeting before you speak by r");
}
TEST(test_early_talker, early)

int main(void)
{
    log_set_level(LOG_LEVEL_ERROR);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_client_rate),
        cmocka_unit_test(test_recipient_rate),
        cmocka_unit_test(test_client_connections),
        cmocka_unit_test(test_busiest),
        cmocka_unit_test(test_login_rate),
        cmocka_unit_test(test_login_rate_that_only_tries),
        cmocka_unit_test(test_greylist),
        cmocka_unit_test(test_sender_domain),
        cmocka_unit_test(test_failures_defer_where_the_rule_says_so),
        cmocka_unit_test(test_client_name),
        cmocka_unit_test(test_dead_resolver),
        cmocka_unit_test(test_early_talker),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
