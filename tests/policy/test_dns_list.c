/* Lists of clients in DNS: weights, answers that count, answers that lie, lists that are silent. */
#include "policy/dns_list.h"

#include "net/dns.h"
#include "net/dns_server.h"
#include "net/net_test.h"
#include "policy/client_name.h"

#define A             1
#define PTR           12
#define TXT           16
#define AAAA          28
#define DATA(literal) literal, sizeof(literal) - 1

static const struct dns_record records[] = {
    {"7.2.0.192.bad.test", A, DATA("\x7f\0\0\2")},
    {"7.2.0.192.bad.test", A, DATA("\x7f\0\0\x0a")},
    {"7.2.0.192.bad.test", TXT, DATA("\x1eSee http://bad.test/?192.0.2.7\3\r\n!")},
    {"7.2.0.192.good.test", A, DATA("\x7f\0\5\1")},
    {"7.2.0.192.refusing.test", A, DATA("\x7f\xff\xff\xfe")},
    {"7.2.0.192.sold.test", A, DATA("\xc6\x33\x64\1")},
    {"7.2.0.192.failing.test", -2, NULL, 0},
    {"7.2.0.192.silent.test", -1, NULL, 0},
    {"8.2.0.192.failing.test", -2, NULL, 0},
    {"9.2.0.192.failing.test", -2, NULL, 0},
    {"10.2.0.192.failing.test", -2, NULL, 0},
    {"11.2.0.192.failing.test", -2, NULL, 0},
    {"12.2.0.192.failing.test", A, DATA("\x7f\0\0\2")},
    {"1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.bad.test", A,
     DATA("\x7f\0\0\2")},
    {"spam.test.domains.test", A, DATA("\x7f\0\1\2")},
    {"20.2.0.192.in-addr.arpa", PTR, DATA("\4fake\4test\0")},
    {"20.2.0.192.in-addr.arpa", PTR, DATA("\4mail\4test\0")},
    {"fake.test", A, DATA("\xc0\0\2\x63")},
    {"mail.test", A, DATA("\xc0\0\2\x14")},
    {"mail.test", AAAA, DATA("\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1")},
    {"21.2.0.192.in-addr.arpa", PTR, DATA("\4fake\4test\0")},
    {"22.2.0.192.in-addr.arpa", -2, NULL, 0},
    {"23.2.0.192.in-addr.arpa", PTR, DATA("\7failing\4test\0")},
    {"failing.test", -2, NULL, 0},
    {"1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa", PTR,
     DATA("\4mail\4test\0")},
    {NULL, 0, NULL, 0},
};

static struct dns_server server;
static char server_text[32];
static struct dns *dns;
static struct dns_lists *lists;
static struct arena *arena;

static void with_dns(void (*fn)(void), usec timeout)
{
    struct dns_settings s = {server_text, "", timeout};
    arena = arena_new();
    lists = dns_lists_new();
    assert_ok((dns = dns_new(loop, &s, e)));
    fn();
    dns_free(dns);
    dns_lists_free(lists);
    arena_free(arena);
}

/* text: lists separated by blanks. */
static struct dns_list_result ask(const char *address, const char *text, usec deadline)
{
    struct dns_list list[10];
    struct dns_list_result result;
    struct str rest = str_from_c(text), word;
    size_t count = 0;
    while ((word = str_word(&rest)).p)
        assert_ok(dns_list_parse(word, arena, &list[count++], e));
    assert_true(dns_lists_ask(lists, dns, address, list, count, deadline, arena, &result));
    return result;
}

static void scores_body(void)
{
    struct dns_list_result r =
        ask("192.0.2.7", "bad.test*3 good.test*-2 other.test", DEADLINE_NONE);
    assert_int_equal(r.score, 1);
    assert_int_equal(r.failed, 0);
    assert_str(r.zones, "bad.test*3, good.test*-2");
    assert_str(r.listed, "bad.test");
    /* The same zone twice is one question; answers count as they are asked for. */
    unsigned before = atomic_load(&server.questions);
    r = ask("192.0.2.7", "bad.test=127.0.0.2*3 bad.test=127.0.0.9..11*10 bad.test=127.0.0.4*100",
            DEADLINE_NONE);
    assert_int_equal(r.score, 13);
    assert_int_equal(atomic_load(&server.questions), before);
    assert_int_equal(ask("192.0.2.7", "good.test=127.0.0..9.1..3*-5", DEADLINE_NONE).score, -5);
    assert_int_equal(ask("192.0.2.1", "bad.test*3 good.test*-2", DEADLINE_NONE).score, 0);
    assert_int_equal(ask("2001:db8::1", "bad.test*3", DEADLINE_NONE).score, 3);
    assert_int_equal(ask("::ffff:192.0.2.7", "bad.test*3", DEADLINE_NONE).score, 3);
    assert_str(dns_lists_reason(dns, "192.0.2.7", STR("bad.test"), DEADLINE_NONE, arena),
               "See http://bad.test/?192.0.2.7?"
               "?!");
    assert_str(dns_lists_reason(dns, "192.0.2.8", STR("bad.test"), DEADLINE_NONE, arena), "");
}

static void scores(void)
{
    with_dns(scores_body, 10 * USEC_SEC);
}

static void test_scores(void **state)
{
    (void)state;
    in_loop(scores);
}

/* A list that refuses to serve us, or whose domain was sold, names nobody. */
static void lies_body(void)
{
    struct dns_list_result r = ask("192.0.2.7", "refusing.test*5 sold.test*5", DEADLINE_NONE);
    assert_int_equal(r.score, 0);
    assert_int_equal(r.failed, 0);
}

static void lies(void)
{
    with_dns(lies_body, 10 * USEC_SEC);
}

static void test_lies(void **state)
{
    (void)state;
    in_loop(lies);
}

static void count_silent(void *arg, struct str zone, usec until)
{
    (void)until;
    assert_str(zone, "failing.test");
    ++*(int *)arg;
}

/* What has no answer is not listed; the other lists count; after some failures it is left alone. */
static void failures_body(void)
{
    struct dns_list_result r = ask("192.0.2.7", "failing.test*5 bad.test*3", DEADLINE_NONE);
    int silent = 0;
    assert_int_equal(r.score, 3);
    assert_int_equal(r.failed, 1);
    for (int i = 8; i <= 11; i++) {
        char address[32];
        snprintf(address, sizeof(address), "192.0.2.%d", i);
        assert_int_equal(ask(address, "failing.test*5", DEADLINE_NONE).failed, 1);
    }
    dns_lists_each_silent(lists, clock_monotonic(), count_silent, &silent);
    assert_int_equal(silent, 1);
    r = ask("192.0.2.12", "failing.test*5", DEADLINE_NONE);
    assert_int_equal(r.score, 0);
    assert_int_equal(r.failed, 1);
}

static void failures(void)
{
    with_dns(failures_body, 10 * USEC_SEC);
}

static void test_failures(void **state)
{
    (void)state;
    in_loop(failures);
}

/* One deadline for all of them. */
static void deadline_body(void)
{
    usec begun = clock_monotonic();
    struct dns_list_result r =
        ask("192.0.2.7", "silent.test*5 bad.test*3", deadline_in(300 * USEC_MSEC));
    assert_int_equal(r.score, 3);
    assert_int_equal(r.failed, 1);
    assert_true(clock_monotonic() - begun < 60 * USEC_SEC);
    /* The failure is remembered for a while: nobody waits again. */
    r = ask("192.0.2.7", "silent.test*5", DEADLINE_NONE);
    assert_int_equal(r.failed, 1);
}

static void deadline(void)
{
    with_dns(deadline_body, 120 * USEC_SEC);
}

static void test_deadline(void **state)
{
    (void)state;
    in_loop(deadline);
}

static void names_body(void)
{
    struct dns_list list;
    struct dns_list_result r;
    assert_ok(dns_list_parse(STR("domains.test*4"), arena, &list, e));
    assert_true(
        dns_lists_ask_name(lists, dns, STR("Spam.test"), &list, 1, DEADLINE_NONE, arena, &r));
    assert_int_equal(r.score, 4);
    assert_true(
        dns_lists_ask_name(lists, dns, STR("ham.test"), &list, 1, DEADLINE_NONE, arena, &r));
    assert_int_equal(r.score, 0);
    assert_false(dns_lists_ask_name(lists, dns, STR("a..b"), &list, 1, DEADLINE_NONE, arena, &r));
    assert_false(dns_lists_ask(lists, dns, "unix", &list, 1, DEADLINE_NONE, arena, &r));
}

static void names(void)
{
    with_dns(names_body, 10 * USEC_SEC);
}

static void test_names(void **state)
{
    (void)state;
    in_loop(names);
}

static void test_syntax(void **state)
{
    (void)state;
    struct arena *a = arena_new();
    struct dns_list l;
    static const char *const wrong[] = {"",
                                        "test",
                                        "a.test*",
                                        "a.test*0",
                                        "a.test*x",
                                        "a.test*1001",
                                        "a.test=",
                                        "a.test=127",
                                        "a.test=1.2.3.4",
                                        "a.test=127.0.0.300",
                                        "a.test=127.0.0.9..2",
                                        "a.test=127.0.0.2x",
                                        "a..test",
                                        "a.test*-"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
        assert_err(dns_list_parse(str_from_c(wrong[i]), a, &l, e), ERR_SYNTAX);
    assert_ok(dns_list_parse(STR("A.Test."), a, &l, e));
    assert_str(l.zone, "a.test");
    assert_int_equal(l.weight, 1);
    assert_true(l.any);
    assert_ok(dns_list_parse(STR("a.test=127.0.0.2..11*-7"), a, &l, e));
    assert_int_equal(l.weight, -7);
    assert_false(l.any);
    assert_int_equal(l.octets[3].first, 2);
    assert_int_equal(l.octets[3].last, 11);
    arena_free(a);
}

/* --- the client's name --- */

static enum client_name_status name_of(const char *address, const char *expected)
{
    struct str name;
    struct err e;
    enum client_name_status status =
        client_name_find(dns, address, DEADLINE_NONE, arena, &name, &e);
    assert_str(name, expected);
    return status;
}

static void client_names_body(void)
{
    assert_int_equal(name_of("192.0.2.20", "mail.test"), CLIENT_NAME_CONFIRMED);
    assert_int_equal(name_of("2001:db8::1", "mail.test"), CLIENT_NAME_CONFIRMED);
    assert_int_equal(name_of("192.0.2.21", "fake.test"), CLIENT_NAME_UNCONFIRMED);
    assert_int_equal(name_of("192.0.2.22", ""), CLIENT_NAME_UNKNOWN);
    assert_int_equal(name_of("192.0.2.23", "failing.test"), CLIENT_NAME_UNKNOWN);
    assert_int_equal(name_of("192.0.2.24", ""), CLIENT_NAME_NONE);
}

static void client_names(void)
{
    with_dns(client_names_body, 10 * USEC_SEC);
}

static void test_client_names(void **state)
{
    (void)state;
    in_loop(client_names);
}

static int start(void **state)
{
    (void)state;
    assert_true(dns_server_start(&server, records));
    snprintf(server_text, sizeof(server_text), "127.0.0.1@%u", server.port);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    dns_server_stop(&server);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_syntax),       cmocka_unit_test(test_scores),
        cmocka_unit_test(test_lies),         cmocka_unit_test(test_failures),
        cmocka_unit_test(test_deadline),     cmocka_unit_test(test_names),
        cmocka_unit_test(test_client_names),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
