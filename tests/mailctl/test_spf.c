/*
 * SPF records, as a receiver evaluates them: with a DNS server that has them.
 */
#include "core/loop.h"
#include "core/mem.h"
#include "mailctl/crew.h"
#include "mailctl/spf.h"
#include "net/dns_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { A = 1, MX = 15, TXT = 16, AAAA = 28 };
#define DATA(text) text, sizeof(text) - 1

struct sample {
    const char *record; /* of t0.test, t1.test ... in their order */
    const char *address;
    enum spf_result wanted;
};

static const struct sample samples[] = {
    {"v=spf1 -all", "192.0.2.1", SPF_FAIL},
    {"v=spf1 ~all", "192.0.2.1", SPF_SOFTFAIL},
    {"v=spf1 ?all", "192.0.2.1", SPF_NEUTRAL},
    {"v=spf1 +all", "192.0.2.1", SPF_PASS},
    {"v=spf1", "192.0.2.1", SPF_NEUTRAL},
    {"V=SPF1 MX -ALL", "192.0.2.1", SPF_FAIL},
    {"v=spf10 +all", "192.0.2.1", SPF_NONE},
    {"something else", "192.0.2.1", SPF_NONE},
    {"v=spf1 ip4:192.0.2.0/24 -all", "192.0.2.1", SPF_PASS},
    {"v=spf1 ip4:192.0.2.7/24 -all", "192.0.2.1", SPF_PASS},
    {"v=spf1 ip4:192.0.2.2 -all", "192.0.2.1", SPF_FAIL},
    {"v=spf1 -ip4:192.0.2.1 +all", "192.0.2.1", SPF_FAIL},
    {"v=spf1 ip4:192.0.2.0/33 -all", "192.0.2.1", SPF_WRONG},
    {"v=spf1 ip4:nonsense -all", "192.0.2.1", SPF_WRONG},
    {"v=spf1 ip6:2001:db8::/32 -all", "2001:db8::1", SPF_PASS},
    {"v=spf1 ip6:2001:db8::/32 -all", "192.0.2.1", SPF_FAIL},
    {"v=spf1 ip4:0.0.0.0/0 -all", "2001:db8::1", SPF_FAIL},
    {"v=spf1 a:host.test -all", "192.0.2.1", SPF_PASS},
    {"v=spf1 a:host.test -all", "2001:db8::1", SPF_PASS},
    {"v=spf1 a:host.test -all", "192.0.2.9", SPF_FAIL},
    {"v=spf1 a:host.test/24 -all", "192.0.2.9", SPF_PASS},
    {"v=spf1 a:host.test//64 -all", "2001:db8::9", SPF_PASS},
    {"v=spf1 a:host.test/24//64 -all", "2001:db9::9", SPF_FAIL},
    {"v=spf1 a:host.test/99 -all", "192.0.2.1", SPF_WRONG},
    {"v=spf1 a:none.test -all", "192.0.2.1", SPF_FAIL},
    {"v=spf1 mx:d.test -all", "192.0.2.1", SPF_PASS},
    {"v=spf1 mx:d.test -all", "192.0.2.9", SPF_FAIL},
    {"v=spf1 mx:d.test/24 -all", "192.0.2.9", SPF_PASS},
    {"v=spf1 include:good.test -all", "192.0.2.1", SPF_PASS},
    {"v=spf1 include:good.test -all", "192.0.2.9", SPF_FAIL},
    {"v=spf1 ?include:good.test -all", "192.0.2.1", SPF_NEUTRAL},
    {"v=spf1 include:none.test -all", "192.0.2.1", SPF_WRONG},
    {"v=spf1 include:two.test -all", "192.0.2.1", SPF_WRONG},
    {"v=spf1 include:loop.test -all", "192.0.2.1", SPF_WRONG},
    {"v=spf1 redirect=good.test", "192.0.2.1", SPF_PASS},
    {"v=spf1 redirect=good.test", "192.0.2.9", SPF_FAIL},
    {"v=spf1 redirect=good.test ~all", "192.0.2.9", SPF_SOFTFAIL},
    {"v=spf1 redirect=none.test", "192.0.2.1", SPF_WRONG},
    {"v=spf1 exp=why.test -all", "192.0.2.1", SPF_FAIL},
    {"v=spf1 nonsense:x -all", "192.0.2.1", SPF_WRONG},
    {"v=spf1 a:%{i}.d.test -all", "192.0.2.1", SPF_UNKNOWN},
    {"v=spf1 exists:%{i}.d.test ip4:192.0.2.1 -all", "192.0.2.1", SPF_PASS},
    {"v=spf1 ptr -all", "192.0.2.1", SPF_UNKNOWN},
    {"v=spf1 redirect=%{d}.test", "192.0.2.1", SPF_UNKNOWN},
    {"v=spf1 a:failing.test -all", "192.0.2.1", SPF_NO_ANSWER},
    {"v=spf1 include:failing.test -all", "192.0.2.1", SPF_NO_ANSWER},
    {"v=spf1 mx:failing.test -all", "192.0.2.1", SPF_NO_ANSWER},
    {"v=spf1 a:n.test a:n.test a:n.test a:n.test a:n.test a:n.test a:n.test a:n.test a:n.test "
     "a:n.test -all",
     "192.0.2.1", SPF_FAIL},
    {"v=spf1 a:n.test a:n.test a:n.test a:n.test a:n.test a:n.test a:n.test a:n.test a:n.test "
     "a:n.test a:n.test -all",
     "192.0.2.1", SPF_WRONG},
};
#define SAMPLES (sizeof(samples) / sizeof(*samples))

static const struct dns_record others[] = {
    {"host.test", A, DATA("\xc0\0\2\1")},
    {"host.test", AAAA, DATA("\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1")},
    {"d.test", MX, DATA("\0\x0a\4host\4test\0")},
    {"good.test", TXT, DATA("\x1cv=spf1 ip4:192.0.2.1/31 -all")},
    {"two.test", TXT, DATA("\x0bv=spf1 -all")},
    {"two.test", TXT, DATA("\x0bv=spf1 +all")},
    {"loop.test", TXT, DATA("\x18v=spf1 include:loop.test")},
    {"failing.test", -2, NULL, 0},
};
#define OTHERS (sizeof(others) / sizeof(*others))

static struct dns_record records[SAMPLES + OTHERS + 1];
static char names[SAMPLES][16], data[SAMPLES][300];
static struct dns_server server;
static char problem[500];

static void check_all(struct loop *l, void *arg)
{
    char text[32];
    struct err e;
    (void)arg;
    snprintf(text, sizeof(text), "127.0.0.1@%u", server.port);
    const struct dns_settings settings = {text, "", 10 * USEC_SEC};
    struct arena *a = arena_new();
    struct dns *dns = dns_new(l, &settings, &e);
    for (size_t i = 0; i < SAMPLES; i++) {
        struct spf s = {.dns = dns,
                        .deadline = deadline_in(10 * USEC_SEC),
                        .arena = a,
                        .address = samples[i].address};
        enum spf_result got = spf_check(&s, str_from_c(names[i]));
        if (got != samples[i].wanted && !problem[0])
            snprintf(problem, sizeof(problem), "%s, %s: %s instead of %s (%.*s)", samples[i].record,
                     samples[i].address, spf_result_name(got), spf_result_name(samples[i].wanted),
                     STR_ARG(s.why));
    }
    dns_free(dns);
    arena_free(a);
}

static void test_results(void **state)
{
    struct err e;
    (void)state;
    for (size_t i = 0; i < SAMPLES; i++) {
        size_t n = strlen(samples[i].record);
        snprintf(names[i], sizeof(names[i]), "t%zu.test", i);
        assert_true(n < 256);
        data[i][0] = (char)n;
        memcpy(data[i] + 1, samples[i].record, n);
        records[i] = (struct dns_record){names[i], TXT, data[i], n + 1};
    }
    memcpy(records + SAMPLES, others, sizeof(others));
    assert_true(dns_server_start(&server, records));
    assert_true(with_loop(check_all, NULL, &e));
    dns_server_stop(&server);
    assert_string_equal(problem, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_results),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
