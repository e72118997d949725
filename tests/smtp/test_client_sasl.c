/* Logging in at other servers: the examples of the RFCs, and servers that try something. */
#include "smtp/client_sasl.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static struct client_sasl *sasl;
static struct buf response;
static struct err error;

static void begin(const char *mechanism, const char *user, const char *password, const char *nonce)
{
    struct client_credentials c = {user, password, STR(""), str_from_c(nonce)};
    sasl = client_sasl_new(mechanism, &c);
    buf_clear(&response);
}

static void end(void)
{
    client_sasl_free(sasl);
    buf_free(&response);
}

static void expect_first(struct str expected)
{
    assert_true(client_sasl_first(sasl, &response));
    assert_int_equal(response.n, expected.n);
    assert_memory_equal(response.p, expected.p, expected.n);
}

static void expect(const char *challenge, const char *expected)
{
    buf_clear(&response);
    if (!client_sasl_step(sasl, str_from_c(challenge), &response, &error))
        fail_msg("%s: %s", challenge, error.text);
    assert_string_equal(buf_c(&response), expected);
}

static void refuse(const char *challenge, const char *why)
{
    buf_clear(&response);
    if (client_sasl_step(sasl, str_from_c(challenge), &response, &error))
        fail_msg("%s is accepted", challenge);
    if (!strstr(error.text, why))
        fail_msg("%s: %s", challenge, error.text);
    assert_false(client_sasl_is_complete(sasl) && strncmp(challenge, "v=", 2) == 0);
}

static void test_plain(void **state)
{
    (void)state;
    begin("PLAIN", "tim", "tanstaaftanstaaf", "");
    assert_false(client_sasl_is_complete(sasl));
    expect_first(STR("\0tim\0tanstaaftanstaaf"));
    assert_true(client_sasl_is_complete(sasl));
    refuse("what", "more than");
    end();
}

static void test_login(void **state)
{
    (void)state;
    begin("LOGIN", "tim", "secret", "");
    assert_false(client_sasl_first(sasl, &response));
    expect("Username:", "tim");
    assert_false(client_sasl_is_complete(sasl));
    expect("anything", "secret");
    assert_true(client_sasl_is_complete(sasl));
    refuse("Password:", "more than");
    end();
}

static void test_xoauth2(void **state)
{
    (void)state;
    begin("XOAUTH2", "someuser@example.com", "ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg", "");
    expect_first(STR("user=someuser@example.com\001auth=Bearer "
                     "ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg\001\001"));
    expect("{\"status\":\"401\"}", "");
    refuse("{\"status\":\"401\"}", "more than");
    end();
}

/* RFC 5802 5 */
static void test_scram_sha1(void **state)
{
    (void)state;
    begin("SCRAM-SHA-1", "user", "pencil", "fyko+d2lbbFgONRv9qkxdawL");
    expect_first(STR("n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL"));
    expect("r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
           "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=");
    assert_false(client_sasl_is_complete(sasl));
    expect("v=rmF9pqV8S7suAoZWja4dJRkFsKQ=", "");
    assert_true(client_sasl_is_complete(sasl));
    end();
}

#define CHALLENGE_256                                                                              \
    "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"

/* RFC 7677 3 */
static void test_scram_sha256(void **state)
{
    (void)state;
    begin("SCRAM-SHA-256", "user", "pencil", "rOprNGfwEbeRWgbNEkqO");
    expect_first(STR("n,,n=user,r=rOprNGfwEbeRWgbNEkqO"));
    expect(CHALLENGE_256, "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
                          "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
    expect("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=", "");
    assert_true(client_sasl_is_complete(sasl));
    refuse("more", "more than");
    end();
}

static void test_scram_bound(void **state)
{
    (void)state;
    struct client_credentials c = {"user", "pencil", STR("0123"), STR("rOprNGfwEbeRWgbNEkqO")};
    sasl = client_sasl_new("SCRAM-SHA-256-PLUS", &c);
    expect_first(STR("p=tls-exporter,,n=user,r=rOprNGfwEbeRWgbNEkqO"));
    buf_clear(&response);
    assert_true(client_sasl_step(sasl, STR(CHALLENGE_256), &response, &error));
    struct buf binding = BUF_EMPTY;
    buf_add_c(&binding, "c=");
    buf_add_base64(&binding, STR("p=tls-exporter,,0123"));
    assert_true(str_starts_with(buf_str(&response), buf_str(&binding)));
    buf_free(&binding);
    end();
}

static void test_names_with_signs(void **state)
{
    (void)state;
    begin("SCRAM-SHA-1", "a=b,c\xc2\xaa", "x", "n");
    expect_first(STR("n,,n=a=3Db=2Cca,r=n")); /* SASLprep makes an "a" of the ordinal indicator */
    end();
}

static void test_scram_servers_that_lie(void **state)
{
    (void)state;
    static const struct {
        const char *challenge, *why;
    } cases[] = {
        {"", "not understood"},
        {"r=", "not understood"},
        {"r=nonce2,s=QSXCR+Q6sek8bf92", "not understood"},
        {"r=nonce2,s=QSXCR+Q6sek8bf92,i=", "not understood"},
        {"r=nonce2,s=QSXCR+Q6sek8bf92,i=-4096", "not understood"},
        {"r=nonce2,s=QSXCR+Q6sek8bf92,i=4096x", "not understood"},
        {"r=nonce2,s=,i=4096", "not understood"},
        {"r=nonce2,s=*,i=4096", "not understood"},
        {"s=QSXCR+Q6sek8bf92,r=nonce2,i=4096", "not understood"},
        {"m=ext,r=nonce2,s=QSXCR+Q6sek8bf92,i=4096", "not understood"},
        {"r=nonce,s=QSXCR+Q6sek8bf92,i=4096", "somebody else"},
        {"r=xnonce2,s=QSXCR+Q6sek8bf92,i=4096", "somebody else"},
        {"r=nonce2,s=QSXCR+Q6sek8bf92,i=1", "not between"},
        {"r=nonce2,s=QSXCR+Q6sek8bf92,i=4000000000", "not between"},
        {"r=nonce2,s=QSXCR+Q6sek8bf92,i=99999999999", "not understood"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        begin("SCRAM-SHA-256", "user", "pencil", "nonce");
        assert_true(client_sasl_first(sasl, &response));
        refuse(cases[i].challenge, cases[i].why);
        end();
    }
    static const char *const last[][2] = {
        {"v=7rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=", "does not know the password"},
        {"v=6rriTRBi23WpRR/wtup+mMhUZUn/", "does not know the password"},
        {"v=", "does not know the password"},
        {"", "does not know the password"},
        {"e=invalid-proof", "says \"invalid-proof\""},
    };
    for (size_t i = 0; i < sizeof(last) / sizeof(*last); i++) {
        begin("SCRAM-SHA-256", "user", "pencil", "rOprNGfwEbeRWgbNEkqO");
        assert_true(client_sasl_first(sasl, &response));
        buf_clear(&response);
        assert_true(client_sasl_step(sasl, STR(CHALLENGE_256), &response, &error));
        refuse(last[i][0], last[i][1]);
        assert_false(client_sasl_is_complete(sasl));
        end();
    }
}

static void test_choice(void **state)
{
    (void)state;
    static const struct {
        const char *offered, *allowed;
        bool can_bind;
        const char *chosen;
    } cases[] = {
        {"PLAIN LOGIN SCRAM-SHA-1 SCRAM-SHA-256", "", false, "SCRAM-SHA-256"},
        {"scram-sha-256-plus SCRAM-SHA-256", "", true, "SCRAM-SHA-256-PLUS"},
        {"SCRAM-SHA-256-PLUS SCRAM-SHA-256", "", false, "SCRAM-SHA-256"},
        {"SCRAM-SHA-256-PLUS SCRAM-SHA-256", "scram-sha-256", true, "SCRAM-SHA-256-PLUS"},
        {"LOGIN PLAIN", "", true, "PLAIN"},
        {"LOGIN PLAIN", "login, plain", true, "LOGIN"},
        {"LOGIN", " ", true, "LOGIN"},
        {"XOAUTH2 LOGIN", "", false, "LOGIN"},
        {"XOAUTH2", "", false, NULL},
        {"PLAIN XOAUTH2", "XOAUTH2", false, "XOAUTH2"},
        {"PLAIN", "SCRAM-SHA-1", false, NULL},
        {"NTLM CRAM-MD5 PLAINER", "", false, NULL},
        {"", "", false, NULL},
        {"PLAIN", "NTLM", false, NULL},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        const char *chosen = client_sasl_choose(str_from_c(cases[i].offered),
                                                str_from_c(cases[i].allowed), cases[i].can_bind);
        if (!chosen || !cases[i].chosen)
            assert_ptr_equal(chosen, cases[i].chosen);
        else
            assert_string_equal(chosen, cases[i].chosen);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_login),
        cmocka_unit_test(test_xoauth2),
        cmocka_unit_test(test_scram_sha1),
        cmocka_unit_test(test_scram_sha256),
        cmocka_unit_test(test_scram_bound),
        cmocka_unit_test(test_names_with_signs),
        cmocka_unit_test(test_scram_servers_that_lie),
        cmocka_unit_test(test_choice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
