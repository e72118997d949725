/* Addresses of LDAP servers, and to which of them passwords may go. */
#include "auth/helper.h"

#include "auth/ldap_settings.h"
#include "auth/ldap_uri.h"

static void test_forms(void **state)
{
    static const struct {
        const char *text, *host;
        uint16_t port;
        bool local;
    } good[] = {
        {"ldap://dc1.example.com", "dc1.example.com", 389, false},
        {"LDAPS://dc1.example.com/", "dc1.example.com", 636, false},
        {"ldaps://dc1:3269", "dc1", 3269, false},
        {"ldap://[2001:db8::1]:1389", "2001:db8::1", 1389, false},
        {"ldap://[::1]", "::1", 389, true},
        {"ldap://127.0.0.2:3890", "127.0.0.2", 3890, true},
        {"ldap://127.evil.example", "127.evil.example", 389, false},
        {"ldap://localhost", "localhost", 389, true},
        {"ldapi://%2Frun%2fslapd%2Fldapi", "%2Frun%2fslapd%2Fldapi", 0, true},
    };
    static const char *const bad[] = {"",
                                      "dc1",
                                      "http://dc1",
                                      "ldap://",
                                      "ldap://dc1:0",
                                      "ldap://dc1:99999",
                                      "ldap://dc1/dc=x",
                                      "ldap://a b",
                                      "ldapi://",
                                      "ldapi:///run/ldapi",
                                      "ldap://dc1\n"};
    struct ldap_uri uri;
    struct err e;
    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
        assert_true(ldap_uri_parse(str_from_c(good[i].text), &uri, &e));
        assert_str(uri.host, good[i].host);
        assert_int_equal(uri.port, good[i].port);
        assert_int_equal(ldap_uri_is_local(&uri), good[i].local);
    }
    struct arena *a = arena_new();
    assert_str(ldap_uri_path(&uri, a), "/run/slapd/ldapi");
    arena_free(a);
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        if (ldap_uri_parse(str_from_c(bad[i]), &uri, &e))
            fail_msg("\"%s\" is none", bad[i]);
}

static void test_cleartext(void **state)
{
    struct ldap_connection_settings s = {.starttls = false};
    struct err e;
    (void)state;
    assert_false(ldap_settings_allow_server(&s, STR("ldap://dc1.example.com"), &e));
    assert_non_null(strstr(e.text, "unencrypted"));
    assert_true(ldap_settings_allow_server(&s, STR("ldaps://dc1.example.com"), &e));
    assert_true(ldap_settings_allow_server(&s, STR("ldap://127.0.0.1"), &e));
    s.starttls = true;
    assert_true(ldap_settings_allow_server(&s, STR("ldap://dc1.example.com"), &e));
    s = (struct ldap_connection_settings){.allow_cleartext = true};
    assert_true(ldap_settings_allow_server(&s, STR("ldap://dc1.example.com"), &e));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_cleartext),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
