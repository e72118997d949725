/*
 * The records that a domain needs.
 */
#include "core/buf.h"
#include "mailctl/site.h"
#include "mailctl/zone.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const char *const both[] = {"192.0.2.1", "2001:db8::1"};

static struct zone_facts ordinary(void)
{
    static const struct zone_service services[] = {
        {SERVICE_SUBMISSION, SERVICE_TLS_IMPLICIT, 465},
        {SERVICE_IMAP, SERVICE_TLS_IMPLICIT, 993},
        {SERVICE_IMAP, SERVICE_TLS_STARTTLS, 143},
    };
    static struct str records[] = {{"3 1 1 ab", 8}, {"3 1 1 cd", 8}};
    return (struct zone_facts){.domain = STR("d.test"),
                               .hostname = STR("mail.d.test"),
                               .addresses = both,
                               .address_count = 2,
                               .services = services,
                               .service_count = 3,
                               .relay = STR(""),
                               .dkim_selector = STR("s1"),
                               .dkim_record = STR("v=DKIM1; k=rsa; p=AAAA"),
                               .directory_known = true,
                               .tlsa = records,
                               .tlsa_count = 1,
                               .host_signed = ZONE_SIGNED};
}

/* "name type data" of a section's records, with ";" in front of those that wait or are elsewhere.
 */
static void expect(const struct zone_facts *f, const char *key, const char *wanted)
{
    struct arena *a = arena_new();
    struct buf out = BUF_EMPTY;
    const struct zone_section *s = zone_find(zone_build(f, a), key);
    assert_non_null(s);
    for (const struct zone_record *r = s->records; r; r = r->next)
        buf_printf(&out, "%s%.*s %s %.*s\n", r->waits || r->elsewhere ? ";" : "", STR_ARG(r->name),
                   r->type, STR_ARG(r->data));
    assert_string_equal(buf_c(&out), wanted);
    buf_free(&out);
    arena_free(a);
}

static void expect_note(const struct zone_facts *f, const char *key, const char *wanted)
{
    struct arena *a = arena_new();
    const struct zone_section *s = zone_find(zone_build(f, a), key);
    assert_non_null(s);
    if (str_find(s->notes, str_from_c(wanted)) < 0)
        fail_msg("\"%.*s\" does not say \"%s\"", STR_ARG(s->notes), wanted);
    arena_free(a);
}

static void test_ordinary_domain(void **state)
{
    (void)state;
    struct zone_facts f = ordinary();
    expect(&f, "mx", "d.test MX 10 mail.d.test.\n");
    expect(&f, "address", "mail.d.test A 192.0.2.1\nmail.d.test AAAA 2001:db8::1\n");
    expect(&f, "ptr",
           ";1.2.0.192.in-addr.arpa PTR mail.d.test.\n"
           ";1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa PTR "
           "mail.d.test.\n");
    expect(&f, "spf", "d.test TXT \"v=spf1 mx -all\"\nmail.d.test TXT \"v=spf1 a -all\"\n");
    expect(&f, "dkim", "s1._domainkey.d.test TXT \"v=DKIM1; k=rsa; p=AAAA\"\n");
    expect(&f, "dmarc", "_dmarc.d.test TXT \"v=DMARC1; p=none; rua=mailto:postmaster@d.test\"\n");
    expect(&f, "tls-rpt", "_smtp._tls.d.test TXT \"v=TLSRPTv1; rua=mailto:postmaster@d.test\"\n");
    expect(&f, "tlsa", "_25._tcp.mail.d.test TLSA 3 1 1 ab\n");
    expect(&f, "srv",
           "_submissions._tcp.d.test SRV 0 1 465 mail.d.test.\n"
           "_submission._tcp.d.test SRV 0 0 0 .\n"
           "_imaps._tcp.d.test SRV 0 1 993 mail.d.test.\n"
           "_imap._tcp.d.test SRV 0 1 143 mail.d.test.\n"
           "_pop3s._tcp.d.test SRV 0 0 0 .\n"
           "_pop3._tcp.d.test SRV 0 0 0 .\n");
}

static void test_pages_for_mail_programs(void **state)
{
    (void)state;
    struct arena *a = arena_new();
    struct zone_facts f = ordinary();
    assert_null(zone_find(zone_build(&f, a), "autoconfig"));
    f.pages = ZONE_PAGES;
    expect(&f, "autoconfig",
           "autoconfig.d.test CNAME mail.d.test.\nautodiscover.d.test CNAME mail.d.test.\n");
    f.pages = ZONE_PAGES_BEHIND;
    expect(&f, "autoconfig",
           ";autoconfig.d.test CNAME mail.d.test.\n;autodiscover.d.test CNAME mail.d.test.\n");
    arena_free(a);
}

static void test_host_of_another_zone(void **state)
{
    (void)state;
    struct zone_facts f = ordinary();
    f.hostname = STR("mx.other.test");
    expect(&f, "mx", "d.test MX 10 mx.other.test.\n");
    expect(&f, "address", ";mx.other.test A 192.0.2.1\n;mx.other.test AAAA 2001:db8::1\n");
    expect(&f, "spf", "d.test TXT \"v=spf1 mx -all\"\n;mx.other.test TXT \"v=spf1 a -all\"\n");
    expect(&f, "tlsa", ";_25._tcp.mx.other.test TLSA 3 1 1 ab\n");
    f.hostname = STR("d.test");
    expect(&f, "spf", "d.test TXT \"v=spf1 mx -all\"\n");
    f.hostname = STR("bad.test"); /* ends like it, and is not below it */
    expect(&f, "address", ";bad.test A 192.0.2.1\n;bad.test AAAA 2001:db8::1\n");
}

static void test_what_is_to_be_done_first(void **state)
{
    (void)state;
    struct zone_facts f = ordinary();
    expect_note(&f, "mta-sts", "https://mta-sts.d.test/.well-known/mta-sts.txt");
    expect_note(&f, "mta-sts", "  mx: mail.d.test\n");
    expect_note(&f, "tlsa", "the same key");
    f.host_signed = ZONE_UNSIGNED;
    expect(&f, "tlsa", ";_25._tcp.mail.d.test TLSA 3 1 1 ab\n");
    expect_note(&f, "tlsa", "is not signed");
    f.tlsa_count = 2;
    expect(&f, "tlsa",
           ";_25._tcp.mail.d.test TLSA 3 1 1 ab\n;_25._tcp.mail.d.test TLSA 3 1 1 cd\n");
    f.tlsa_count = 0;
    expect(&f, "tlsa", "");
    f.dkim_record = STR("");
    expect(&f, "dkim", "");
    expect_note(&f, "dkim", "mailctl domain set d.test --dkim-selector mail --dkim-key dkim.pem");
    f.directory_known = false;
    expect_note(&f, "dkim", "does not answer");
    f.address_count = 0;
    expect(&f, "address", "");
    expect_note(&f, "address", "--address");
}

static void test_smarthost(void **state)
{
    (void)state;
    struct zone_facts f = ordinary();
    f.relay = STR("smtp.far.test:587");
    expect(&f, "spf",
           "d.test TXT \"v=spf1 mx a:smtp.far.test -all\"\nmail.d.test TXT \"v=spf1 a -all\"\n");
    expect_note(&f, "spf", "smtp.far.test");
    f.relay = STR("[2001:db8::9]:25");
    expect(&f, "spf",
           "d.test TXT \"v=spf1 mx ip6:2001:db8::9 -all\"\nmail.d.test TXT \"v=spf1 a -all\"\n");
}

static void test_long_keys_are_cut(void **state)
{
    (void)state;
    char key[601], wanted[700];
    struct zone_facts f = ordinary();
    memset(key, 'k', 600);
    f.dkim_record = str_from(key, 600);
    snprintf(wanted, sizeof(wanted), "s1._domainkey.d.test TXT \"%.255s\" \"%.255s\" \"%.90s\"\n",
             key, key, key);
    expect(&f, "dkim", wanted);
}

static void expect_data(const char *text, const char *wanted)
{
    struct arena *a = arena_new();
    assert_string_equal(zone_text_data(str_from_c(text), a).p, wanted);
    arena_free(a);
}

/* Of a record that is there already, whoever wrote it. */
static void test_texts_that_a_zone_has_marks_for(void **state)
{
    (void)state;
    expect_data("", "\"\"");
    expect_data("v=spf1 mx -all", "\"v=spf1 mx -all\"");
    expect_data("a \"b\" \\c; d", "\"a \\\"b\\\" \\\\c; d\"");
    expect_data("tab\t\033[31m \xc3\xbc", "\"tab\\009\\027[31m \\195\\188\"");
}

static void test_the_policy_and_its_id(void **state)
{
    (void)state;
    struct arena *a = arena_new();
    struct zone_facts f = ordinary();
    struct str before = zone_find(zone_build(&f, a), "mta-sts")->records->text;
    struct str policy = zone_sts_policy(&f, a);
    assert_true(str_starts_with(policy, STR("version: STSv1\nmode: testing\nmx: mail.d.test\n")));
    assert_true(str_equal(before, zone_find(zone_build(&f, a), "mta-sts")->records->text));
    f.hostname = STR("other.d.test");
    assert_false(str_equal(before, zone_find(zone_build(&f, a), "mta-sts")->records->text));
    arena_free(a);
}

static void test_public_addresses(void **state)
{
    (void)state;
    static const char *const public[] = {"8.8.8.8", "100.128.0.1", "172.32.0.1", "2a00::1",
                                         "193.0.0.1"};
    static const char *const others[] = {
        "127.0.0.1", "10.1.2.3", "172.31.255.255", "192.168.1.1", "100.64.0.1", "169.254.1.1",
        "::1",       "fe80::1",  "fd00::1",        "2001:db8::1", "224.0.0.1",  "255.255.255.255",
        "",          "*",        "mail.d.test"};
    for (size_t i = 0; i < sizeof(public) / sizeof(*public); i++)
        if (!site_is_public(public[i]))
            fail_msg("%s is public", public[i]);
    for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
        if (site_is_public(others[i]))
            fail_msg("%s is not public", others[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ordinary_domain),
        cmocka_unit_test(test_pages_for_mail_programs),
        cmocka_unit_test(test_host_of_another_zone),
        cmocka_unit_test(test_what_is_to_be_done_first),
        cmocka_unit_test(test_smarthost),
        cmocka_unit_test(test_long_keys_are_cut),
        cmocka_unit_test(test_texts_that_a_zone_has_marks_for),
        cmocka_unit_test(test_the_policy_and_its_id),
        cmocka_unit_test(test_public_addresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
