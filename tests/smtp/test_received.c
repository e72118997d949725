/*
 * The Received field: what it says, and that nothing a client says can become more than a word in
 * it.
 */
#include "mime/header.h"
#include "smtp/received.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

static void assert_field(const struct received *r, const char *expected)
{
    struct buf out = BUF_EMPTY;
    received_write(&out, r);
    assert_string_equal(buf_c(&out), expected);
    buf_free(&out);
}

static void set_zone(void)
{
    setenv("TZ", "UTC", 1);
    tzset();
}

static void test_a_server(void **state)
{
    (void)state;
    struct received r = {.helo = "peer.test",
                         .address = "192.0.2.1",
                         .host = "mx.test",
                         .protocol = "ESMTPS",
                         .id = "1d",
                         .tls = "TLSv1.3",
                         .cipher = "TLS_X",
                         .recipient = STR("bob@ex.test"),
                         .time = 1795287657};
    assert_field(&r,
                 "Received: from peer.test ([192.0.2.1])\n\tby mx.test (maild) with ESMTPS id 1d\n"
                 "\t(TLSv1.3 TLS_X)\n\tfor <bob@ex.test>;\n\tSat, 21 Nov 2026 19:00:57 +0000\n");
    r.name = "real.test";
    r.address = "2001:db8::1";
    r.tls_name = "cert.test";
    r.recipient.n = 0;
    assert_field(&r, "Received: from peer.test (real.test [IPv6:2001:db8::1])\n"
                     "\tby mx.test (maild) with ESMTPS id 1d\n"
                     "\t(TLSv1.3 TLS_X, client certificate \"cert.test\");\n"
                     "\tSat, 21 Nov 2026 19:00:57 +0000\n");
}

static void test_a_user(void **state)
{
    (void)state;
    struct received r = {.helo = "[192.168.1.2]",
                         .address = "192.0.2.1",
                         .name = "home.test",
                         .host = "mx.test",
                         .protocol = "ESMTPA",
                         .id = "1d",
                         .login = "alice@ex.test",
                         .hide_client = true,
                         .time = 1795287657};
    assert_field(&r,
                 "Received: by mx.test (maild) with ESMTPA id 1d\n"
                 "\t(Authenticated sender: alice@ex.test);\n\tSat, 21 Nov 2026 19:00:57 +0000\n");
}

static void test_a_local_program(void **state)
{
    (void)state;
    struct received r = {
        .address = "unix", .user = "uid 1000", .host = "mx.test", .id = "1d", .time = 1795287657};
    assert_field(&r, "Received: from localhost (uid 1000)\n\tby mx.test (maild) id 1d;\n"
                     "\tSat, 21 Nov 2026 19:00:57 +0000\n");
}

static void test_words_of_others(void **state)
{
    (void)state;
    static const char *const words[] = {
        "a b",      "x)\n\tby evil (maild", "x\r\nBcc: y", "(((((", "\\", "\"", ";", "\xc3\xa4",
        "\x7f\x01",
    };
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        struct received r = {.helo = words[i],
                             .name = words[i],
                             .login = words[i],
                             .tls = "TLSv1.3",
                             .cipher = "TLS_X",
                             .tls_name = words[i],
                             .address = "192.0.2.1",
                             .host = "mx.test",
                             .protocol = "ESMTP",
                             .id = "1d"};
        struct buf out = BUF_EMPTY;
        received_write(&out, &r);
        struct str rest = buf_str(&out);
        struct header_field field;
        size_t lines = 0;
        for (size_t k = 0; k < out.n; k++) {
            lines += out.p[k] == '\n';
            assert_true(out.p[k] == '\n' || out.p[k] == '\t' ||
                        (out.p[k] >= ' ' && out.p[k] < 127));
        }
        assert_int_equal(lines, 5);
        assert_true(header_next(&rest, &field) && rest.n == 0);
        buf_free(&out);
    }
    char *long_name = malloc(100001);
    memset(long_name, 'x', 100000);
    long_name[100000] = '\0';
    struct received r = {.helo = long_name, .address = "192.0.2.1", .host = "mx.test", .id = "1d"};
    struct buf out = BUF_EMPTY;
    received_write(&out, &r);
    assert_true(out.n < 998);
    buf_free(&out);
    free(long_name);
}

static void test_protocols(void **state)
{
    (void)state;
    static const struct {
        bool lmtp, extended, utf8, tls, login;
        const char *name;
    } cases[] = {
        {false, false, false, true, true, "SMTP"},     {false, true, false, false, false, "ESMTP"},
        {false, true, false, true, false, "ESMTPS"},   {false, true, false, true, true, "ESMTPSA"},
        {false, true, true, true, true, "UTF8SMTPSA"}, {true, true, false, false, false, "LMTP"},
        {true, true, true, false, true, "UTF8LMTPA"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct buf out = BUF_EMPTY;
        received_write_protocol(&out, cases[i].lmtp, cases[i].extended, cases[i].utf8, cases[i].tls,
                                cases[i].login);
        assert_string_equal(buf_c(&out), cases[i].name);
        buf_free(&out);
    }
}

int main(void)
{
    set_zone();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_server),        cmocka_unit_test(test_a_user),
        cmocka_unit_test(test_a_local_program), cmocka_unit_test(test_words_of_others),
        cmocka_unit_test(test_protocols),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
