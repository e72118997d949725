/* DNS look-ups against a server of our own: what is found, what is not, and what is not known. */
#include "net/dns.h"
#include "net/dns_decode.h"
#include "net/dns_server.h"
#include "net/net_test.h"

#define A             1
#define PTR           12
#define MX            15
#define TXT           16
#define AAAA          28
#define SRV           33
#define DATA(literal) literal, sizeof(literal) - 1

static const struct dns_record records[] = {
    {"mx.test", MX, DATA("\0\x14\6backup\2mx\4test\0")},
    {"mx.test", MX, DATA("\0\x0a\3One\2mx\4TEST\0")},
    {"mx.test", MX, DATA("\0\x0a\3two\2mx\4test\0")},
    {"nomail.test", MX, DATA("\0\0\0")},
    {"strange.test", MX, DATA("\0\x0a\3a.b\4test\0")},
    {"xn--bcher-kva.test", MX, DATA("\0\x05\4mail\4test\0")},
    {"both.test", A, DATA("\xc0\0\2\1")},
    {"both.test", A, DATA("\xc0\0\2\2")},
    {"both.test", AAAA, DATA("\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1")},
    {"v4.test", A, DATA("\xc0\0\2\3")},
    {"empty.test", TXT, DATA("\1x")},
    {"spf.test", TXT, DATA("\7v=spf1 \4-all")},
    {"_dmarc.xn--bcher-kva.test", TXT, DATA("\10v=DMARC1")},
    {"1.2.0.192.in-addr.arpa", PTR, DATA("\4mail\4test\0")},
    {"1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa", PTR,
     DATA("\2v6\4mail\4test\0")},
    {"_ldap._tcp.test", SRV, DATA("\0\2\0\0\x01\x85\4last\4test\0")},
    {"_ldap._tcp.test", SRV, DATA("\0\1\0\x09\x0c\xc4\3Two\4test\0")},
    {"_ldap._tcp.test", SRV, DATA("\0\0\0\0\x01\x85\3one\4test\0")},
    {"_pop._tcp.test", SRV, DATA("\0\0\0\0\0\0\0")},
    {"failing.test", -2, NULL, 0},
    {"silent.test", -1, NULL, 0},
    {"signed.test", MX, DATA("\0\x0a\4fake\4test\0")},
    {NULL, 0, NULL, 0},
};

static struct dns_server server;
static char server_text[32];
static struct dns *dns;
static struct arena *arena;

static const char *trust_anchor = "";

static void with_dns(void (*fn)(void), usec timeout)
{
    struct dns_settings s = {server_text, trust_anchor, timeout};
    arena = arena_new();
    assert_ok((dns = dns_new(loop, &s, e)));
    fn();
    dns_free(dns);
    arena_free(arena);
}

/* --- answers --- */

static void answers_body(void)
{
    struct dns_answer a;
    struct err e;
    assert_int_equal(dns_mx(dns, STR("mx.test"), arena, &a, &e), DNS_FOUND);
    assert_int_equal(a.count, 3);
    assert_int_equal(a.mx[0].preference, 10);
    assert_true(str_equal(a.mx[0].host, STR("one.mx.test")) ||
                str_equal(a.mx[0].host, STR("two.mx.test")));
    assert_int_equal(a.mx[1].preference, 10);
    assert_int_equal(a.mx[2].preference, 20);
    assert_str(a.mx[2].host, "backup.mx.test");
    assert_false(a.secure);
    assert_in_range(a.ttl, 3000, 3600);
    assert_int_equal(dns_mx(dns, STR("MX.test."), arena, &a, &e), DNS_FOUND);

    assert_int_equal(dns_mx(dns, STR("nomail.test"), arena, &a, &e), DNS_FOUND);
    assert_int_equal(a.count, 1);
    assert_str(a.mx[0].host, "");
    assert_int_equal(dns_mx(dns,
                            STR("b\xc3\xbc"
                                "cher.test"),
                            arena, &a, &e),
                     DNS_FOUND);
    assert_str(a.mx[0].host, "mail.test");
    assert_int_equal(dns_mx(dns, STR("strange.test"), arena, &a, &e), DNS_TEMPFAIL);

    assert_int_equal(dns_srv_until(dns, STR("_ldap._tcp.test"), DEADLINE_NONE, arena, &a, &e),
                     DNS_FOUND);
    assert_int_equal(a.count, 3);
    assert_true(str_equal(a.srv[0].host, STR("one.test")));
    assert_int_equal(a.srv[0].port, 389);
    assert_true(str_equal(a.srv[1].host, STR("two.test")));
    assert_int_equal(a.srv[1].weight, 9);
    assert_int_equal(a.srv[1].port, 3268);
    assert_int_equal(a.srv[2].priority, 2);
    assert_int_equal(dns_srv_until(dns, STR("_pop._tcp.test"), DEADLINE_NONE, arena, &a, &e),
                     DNS_FOUND);
    assert_int_equal(a.srv[0].host.n, 0);
    assert_int_equal(dns_srv_until(dns, STR("none.test"), DEADLINE_NONE, arena, &a, &e),
                     DNS_NOT_FOUND);
    assert_int_equal(dns_addresses(dns, STR("both.test"), arena, &a, &e), DNS_FOUND);
    assert_int_equal(a.count, 3);
    assert_string_equal(a.addresses[0].text, "2001:db8::1");
    assert_true(strncmp(a.addresses[1].text, "192.0.2.", 8) == 0);
    assert_true(strncmp(a.addresses[2].text, "192.0.2.", 8) == 0);
    assert_int_equal(dns_addresses(dns, STR("v4.test"), arena, &a, &e), DNS_FOUND);
    assert_int_equal(a.count, 1);

    assert_int_equal(dns_txt(dns, STR("spf.test"), arena, &a, &e), DNS_FOUND);
    assert_int_equal(a.count, 1);
    assert_str(a.texts[0], "v=spf1 -all");
    assert_int_equal(dns_txt(dns,
                             STR("_dmarc.b\xc3\xbc"
                                 "cher.test"),
                             arena, &a, &e),
                     DNS_FOUND);

    assert_int_equal(dns_reverse(dns, "192.0.2.1", arena, &a, &e), DNS_FOUND);
    assert_str(a.texts[0], "mail.test");
    assert_int_equal(dns_reverse(dns, "2001:db8::1", arena, &a, &e), DNS_FOUND);
    assert_str(a.texts[0], "v6.mail.test");
    assert_int_equal(dns_reverse(dns, "::ffff:192.0.2.1", arena, &a, &e), DNS_FOUND);
    assert_int_equal(dns_reverse(dns, "192.0.2.77", arena, &a, &e), DNS_NOT_FOUND);
}

static void answers(void)
{
    with_dns(answers_body, 10 * USEC_SEC);
}

static void test_answers(void **state)
{
    (void)state;
    in_loop(answers);
}

static void not_found_body(void)
{
    struct dns_answer a;
    struct err e;
    assert_int_equal(dns_mx(dns, STR("nowhere.test"), arena, &a, &e), DNS_NOT_FOUND);
    assert_true(a.nxdomain);
    assert_int_equal(dns_mx(dns, STR("empty.test"), arena, &a, &e), DNS_NOT_FOUND);
    assert_false(a.nxdomain);
    assert_int_equal(dns_addresses(dns, STR("nowhere.test"), arena, &a, &e), DNS_NOT_FOUND);

    unsigned before = atomic_load(&server.questions);
    static const char *const impossible[] = {
        "", ".", "a..b", ".a", "a b.test", "a\\046b.test", "\xff.test"};
    for (size_t i = 0; i < sizeof(impossible) / sizeof(impossible[0]); i++)
        assert_int_equal(dns_mx(dns, str_from_c(impossible[i]), arena, &a, &e), DNS_NOT_FOUND);
    assert_int_equal(dns_reverse(dns, "mail.test", arena, &a, &e), DNS_NOT_FOUND);
    assert_int_equal(atomic_load(&server.questions), before);
}

static void not_found(void)
{
    with_dns(not_found_body, 10 * USEC_SEC);
}

static void test_not_found(void **state)
{
    (void)state;
    in_loop(not_found);
}

/* --- no answer --- */

struct looking {
    bool done;
    enum dns_status status;
    struct err e;
};

static void look(void *arg)
{
    struct looking *l = arg;
    struct dns_answer a;
    l->status = dns_mx(dns, STR("silent.test"), arena, &a, &l->e);
    l->done = true;
}

static void no_answer_body(void)
{
    struct dns_answer a;
    struct err e;
    assert_int_equal(dns_mx(dns, STR("failing.test"), arena, &a, &e), DNS_TEMPFAIL);
    assert_int_equal(dns_addresses(dns, STR("failing.test"), arena, &a, &e), DNS_TEMPFAIL);
    assert_int_equal(dns_mx(dns, STR("silent.test"), arena, &a, &e), DNS_TEMPFAIL);
    assert_int_equal(e.kind, ERR_TIMEOUT);

    struct looking l = {0};
    struct fiber *f = fiber_start(loop, "looking", look, &l);
    let_run();
    assert_false(l.done);
    fiber_cancel(f);
    let_run();
    assert_true(l.done);
    assert_int_equal(l.status, DNS_TEMPFAIL);
    assert_int_equal(l.e.kind, ERR_CANCELLED);
    /* Answers to what nobody waits for any more do no harm. */
    fiber_sleep(200 * USEC_MSEC, NULL);
}

static void no_answer(void)
{
    with_dns(no_answer_body, 300 * USEC_MSEC);
}

static void test_no_answer(void **state)
{
    (void)state;
    in_loop(no_answer);
}

/* Unsigned answers for a domain that must be signed: not found is as forged as found. */
static void bogus_body(void)
{
    struct dns_answer a;
    struct err e;
    assert_int_equal(dns_mx(dns, STR("signed.test"), arena, &a, &e), DNS_TEMPFAIL);
    assert_int_equal(a.count, 0);
    assert_int_equal(dns_mx(dns, STR("no.signed.test"), arena, &a, &e), DNS_TEMPFAIL);
    assert_int_equal(dns_mx(dns, STR("mx.test"), arena, &a, &e), DNS_FOUND);
}

static void bogus(void)
{
    with_dns(bogus_body, 20 * USEC_SEC);
}

static void test_bogus(void **state)
{
    (void)state;
    char path[] = "/tmp/maild-test-XXXXXX";
    static const char anchor[] =
        "signed.test. IN DS 12345 13 2 "
        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n";
    int fd = mkstemp(path);
    assert_int_equal(write(fd, anchor, sizeof(anchor) - 1), sizeof(anchor) - 1);
    close(fd);
    trust_anchor = path;
    in_loop(bogus);
    trust_anchor = "";
    unlink(path);
}

/* --- other settings --- */

static const struct dns_record other_records[] = {
    {"mx.test", MX, DATA("\0\x0a\5other\4test\0")},
    {NULL, 0, NULL, 0},
};

static void assert_first_mx(uint16_t preference, size_t count)
{
    struct dns_answer a;
    struct err e;
    assert_int_equal(dns_mx(dns, STR("mx.test"), arena, &a, &e), DNS_FOUND);
    assert_int_equal(a.count, count);
    assert_int_equal(a.mx[0].preference, preference);
}

static void ask_for_mx(void *arg)
{
    struct looking *l = arg;
    struct dns_answer a;
    l->status = dns_mx(dns, STR("one-more.mx.test"), arena, &a, &l->e);
    l->done = true;
}

static void exchange(const char *address, usec timeout)
{
    struct err e;
    struct dns_settings s = {address, trust_anchor, timeout};
    struct dns_change *c = dns_prepare(dns, &s, &e);
    assert_non_null(c);
    dns_apply(dns, c);
}

/* The new server is asked from then on, with an empty cache; who waits is answered by the old. */
static void exchange_body(void)
{
    struct dns_server other;
    struct err e;
    char other_text[32];
    assert_true(dns_server_start(&other, other_records));
    snprintf(other_text, sizeof(other_text), "127.0.0.1@%u", other.port);
    assert_first_mx(10, 3);
    struct dns_change *c = dns_prepare(dns, &(struct dns_settings){other_text, "", USEC_SEC}, &e);
    assert_non_null(c);
    dns_forget(c);
    assert_first_mx(10, 3);

    struct looking early = {0}, given_up = {0};
    unsigned questions = atomic_load(&server.questions);
    pthread_mutex_lock(&server.gate);
    fiber_start(loop, "early", ask_for_mx, &early);
    struct fiber *f = fiber_start(loop, "given up", look, &given_up);
    while (atomic_load(&server.questions) == questions)
        fiber_sleep(USEC_MSEC, NULL);
    exchange(other_text, 20 * USEC_SEC);
    assert_first_mx(10, 1);
    fiber_cancel(f);
    let_run();
    assert_true(given_up.done && !early.done);
    pthread_mutex_unlock(&server.gate);
    while (!early.done)
        fiber_yield();
    assert_int_equal(early.status, DNS_NOT_FOUND);
    assert_int_equal(atomic_load(&other.questions), 1);

    exchange(other_text, 10 * USEC_SEC); /* the cache stays */
    assert_first_mx(10, 1);
    assert_int_equal(atomic_load(&other.questions), 1);
    exchange(server_text, 20 * USEC_SEC);
    assert_first_mx(10, 3);
    dns_server_stop(&other);
}

static void exchange_servers(void)
{
    with_dns(exchange_body, 20 * USEC_SEC);
}

static void test_exchange(void **state)
{
    (void)state;
    in_loop(exchange_servers);
}

/* A time limit is as well one of the settings. */
static void shorter_body(void)
{
    struct dns_answer a;
    struct err e;
    exchange(server_text, 100 * USEC_MSEC);
    assert_int_equal(dns_mx(dns, STR("silent.test"), arena, &a, &e), DNS_TEMPFAIL);
    assert_int_equal(e.kind, ERR_TIMEOUT);
}

static void shorter(void)
{
    with_dns(shorter_body, 300 * USEC_SEC);
}

static void test_shorter(void **state)
{
    (void)state;
    in_loop(shorter);
}

static void write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

#define ANCHOR_OF(domain)                                                                          \
    domain " IN DS 12345 13 2 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n"

/* What is in the file counts, at the start and when it is read again. */
static void anchor_body(void)
{
    struct err e;
    struct dns_answer a;
    char path[] = "/tmp/maild-test-XXXXXX";
    close(mkstemp(path));
    struct dns_settings s = {server_text, path, 20 * USEC_SEC};
    write_file(path, "this is no key at all\n");
    assert_null(dns_prepare(dns, &s, &e));
    assert_non_null(strstr(e.text, path));
    assert_null(dns_new(loop, &s, &e));
    assert_non_null(strstr(e.text, path));
    assert_false(dns_validates(dns));

    write_file(path, ANCHOR_OF("signed.test."));
    struct dns_change *c = dns_prepare(dns, &s, &e);
    assert_non_null(c);
    dns_apply(dns, c);
    assert_true(dns_validates(dns));
    assert_int_equal(dns_mx(dns, STR("signed.test"), arena, &a, &e), DNS_TEMPFAIL);

    write_file(path, ANCHOR_OF("another.signed.test."));
    c = dns_prepare(dns, &s, &e);
    assert_non_null(c);
    dns_apply(dns, c);
    assert_int_equal(dns_mx(dns, STR("signed.test"), arena, &a, &e), DNS_FOUND);
    unlink(path);
    s.trust_anchor = "/nonexistent/root.key";
    assert_null(dns_prepare(dns, &s, &e));
    assert_non_null(strstr(e.text, "/nonexistent/root.key"));
}

static void anchor(void)
{
    with_dns(anchor_body, 20 * USEC_SEC);
}

static void test_anchor_file(void **state)
{
    (void)state;
    in_loop(anchor);
}

static void settings_body(void)
{
    struct err error;
    struct dns_settings s = {"mail.example.test", "", USEC_SEC};
    assert_false(dns_settings_block.check(&s, &error));
    assert_null(dns_new(loop, &s, &error));
    s.server = "127.0.0.1@dns";
    assert_false(dns_settings_block.check(&s, &error));
    s.server = "::1@5353";
    assert_true(dns_settings_block.check(&s, &error));
    s.trust_anchor = "/nonexistent/root.key";
    assert_null(dns_new(loop, &s, &error));
    assert_non_null(strstr(error.text, "/nonexistent/root.key"));
}

static void test_settings(void **state)
{
    (void)state;
    in_loop(settings_body);
}

/* --- decoders --- */

static void test_decoders(void **state)
{
    (void)state;
    struct arena *a = arena_new();
    struct str s;
    struct dns_mx mx;
    static const struct str bad_names[] = {
        {DATA("")},
        {DATA("\1")},
        {DATA("\4mail")},
        {DATA("\4mail\4tes")},
        {DATA("\xc0\x0c")},
        {DATA("\1a\0x")},
        {DATA("\3a.b\0")},
        {DATA("\1\n\0")},
        {DATA("\1 \0")},
        {DATA("\x40"
              "aaaa\0")},
    };
    for (size_t i = 0; i < sizeof(bad_names) / sizeof(bad_names[0]); i++)
        assert_false(dns_decode_name(bad_names[i], a, &s));
    assert_true(dns_decode_name((struct str){DATA("\0")}, a, &s));
    assert_int_equal(s.n, 0);
    assert_true(dns_decode_name((struct str){DATA("\5_Dmar\1X\0")}, a, &s));
    assert_str(s, "_dmar.x");

    /* 4 labels of 63 bytes are one too many. */
    char name[4 * 64 + 1] = {0};
    for (int i = 0; i < 4; i++) {
        memset(name + i * 64, 'a', 64);
        name[i * 64] = 63;
    }
    assert_false(dns_decode_name(str_from(name, sizeof(name)), a, &s));
    name[3 * 64] = 61;
    name[3 * 64 + 62] = 0;
    assert_true(dns_decode_name(str_from(name, 3 * 64 + 63), a, &s));
    assert_int_equal(s.n, 253);

    assert_false(dns_decode_mx((struct str){DATA("\0\1")}, a, &mx));
    assert_false(dns_decode_text((struct str){DATA("")}, a, &s));
    assert_false(dns_decode_text((struct str){DATA("\2a")}, a, &s));
    assert_true(dns_decode_text((struct str){DATA("\1a\0\1\0")}, a, &s));
    assert_int_equal(s.n, 2);
    arena_free(a);
}

static int start_server(void **state)
{
    (void)state;
    assert_true(dns_server_start(&server, records));
    snprintf(server_text, sizeof(server_text), "127.0.0.1@%u", server.port);
    return 0;
}

static int stop_server(void **state)
{
    (void)state;
    dns_server_stop(&server);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),  cmocka_unit_test(test_not_found),
        cmocka_unit_test(test_settings), cmocka_unit_test(test_no_answer),
        cmocka_unit_test(test_bogus),    cmocka_unit_test(test_exchange),
        cmocka_unit_test(test_shorter),  cmocka_unit_test(test_anchor_file),
        cmocka_unit_test(test_decoders),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
