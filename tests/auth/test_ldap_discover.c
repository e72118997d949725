/* Servers by SRV records: which names are asked, what the client is told, and how often. */
#include "auth/ldap_world.h"

#include "auth/ldap_discover.h"
#include "net/dns.h"
#include "net/dns_server.h"

#define SRV           33
#define DATA(literal) literal, sizeof(literal) - 1

static const struct dns_record records[] = {
    {"_ldap._tcp.dc._msdcs.ad.test", SRV, DATA("\0\2\0\0\x01\x85\3dc2\2ad\4test\0")},
    {"_ldap._tcp.dc._msdcs.ad.test", SRV, DATA("\0\1\0\0\x01\x85\3dc1\2ad\4test\0")},
    {"_ldap._tcp.ad.test", SRV, DATA("\0\0\0\0\x01\x85\5wrong\4test\0")},
    {"_gc._tcp.ad.test", SRV, DATA("\0\0\0\0\x0c\xc4\2gc\4test\0")},
    {"_ldap._tcp.unix.test", SRV, DATA("\0\0\0\0\x10\x00\4ldap\4unix\4test\0")},
    {"_ldap._tcp.none.test", SRV, DATA("\0\0\0\0\0\0\0")},
    {"_ldap._tcp.dc._msdcs.down.test", -2, NULL, 0},
    {NULL, 0, NULL, 0},
};

static struct dns_server server;

static void discovers(struct dns *dns, const char *settings, const char *expected)
{
    struct lookup_trace t = {.arena = a};
    struct err ignored;
    fake_ldap.servers = STR("");
    fake_ldap.servers_set = 0;
    if (!read_source(settings))
        fail_msg("%s", e.text);
    struct ldap_discovery *d =
        ldap_discovery_start(loop_current(), dns, NULL, config_at(config, &ldap_settings_block, 0));
    while (expected && fake_ldap.servers_set == 0)
        assert_true(cond_wait(&fake_ldap.servers_changed, deadline_in(60 * USEC_SEC), &ignored));
    if (expected)
        assert_text(fake_ldap.servers, expected);
    for (;;) { /* until it has something to say */
        t.count = 0;
        ldap_discovery_describe(d, &t);
        if (t.count > 0)
            break;
        assert_true(fiber_sleep(USEC_MSEC, &ignored));
    }
    assert_int_equal(fake_ldap.servers_set, expected ? 1 : 0);
    assert_true(!expected == (str_find(t.lines[0].text, STR("servers, ")) < 0));
    ldap_discovery_end(d);
}

static void run(void *arg)
{
    char address[32];
    (void)arg;
    snprintf(address, sizeof(address), "127.0.0.1@%u", server.port);
    struct dns *dns =
        dns_new(loop_current(), &(struct dns_settings){address, "", 10 * USEC_SEC}, &e);
    assert_non_null(dns);
    discovers(dns, "starttls = yes; discover = ad.test;",
              "ldap://dc1.ad.test:389 ldap://dc2.ad.test:389 ldapi://%2fnowhere");
    discovers(dns, "starttls = yes; discover = ad.test; global_catalog = yes;",
              "ldap://gc.test:3268 ldapi://%2fnowhere");
    discovers(dns, "starttls = yes; discover = unix.test;",
              "ldap://ldap.unix.test:4096 ldapi://%2fnowhere");
    discovers(dns, "starttls = yes; discover = none.test;", NULL);
    discovers(dns, "starttls = yes; discover = nowhere.test;", NULL);
    discovers(dns, "starttls = yes; discover = down.test;", NULL);
    /* Ended while it asks. */
    assert_true(read_source("starttls = yes; discover = ad.test;"));
    ldap_discovery_end(ldap_discovery_start(loop_current(), dns, NULL,
                                            config_at(config, &ldap_settings_block, 0)));
    dns_free(dns);
    close_source();
}

static void test_discovery(void **state)
{
    (void)state;
    assert_true(dns_server_start(&server, records));
    in_world(run);
    dns_server_stop(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_discovery)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
