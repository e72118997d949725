#include "net/service.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static bool check(int protocol, int tls, const char *address, bool without_tls, bool required,
                  struct err *e)
{
    struct listener_settings l = {.name = "test",
                                  .protocol = protocol,
                                  .address = {&address, address ? 1 : 0},
                                  .tls = tls,
                                  .auth_without_tls = without_tls,
                                  .auth_required = required,
                                  .socket_mode = 660};
    return listener_settings_block.check(&l, e);
}

static void test_passwords_need_tls_or_loopback(void **state)
{
    (void)state;
    struct err e;
    assert_true(check(SERVICE_IMAP, SERVICE_TLS_STARTTLS, "*:143", false, true, &e));
    assert_true(check(SERVICE_POP3, SERVICE_TLS_IMPLICIT, "*:995", false, true, &e));
    assert_false(check(SERVICE_IMAP, SERVICE_TLS_NONE, "*:143", false, true, &e));
    assert_false(check(SERVICE_IMAP, SERVICE_TLS_STARTTLS, "*:143", true, true, &e));
    assert_string_equal(e.text, "auth_without_tls yes is only for loopback addresses and Unix "
                                "sockets, not for *:143");
    assert_true(check(SERVICE_IMAP, SERVICE_TLS_NONE, "127.0.0.1:143", true, true, &e));
    assert_true(check(SERVICE_IMAP, SERVICE_TLS_NONE, "[::1]:143", true, true, &e));
    assert_true(check(SERVICE_SMTP, SERVICE_TLS_NONE, "*:25", false, true, &e));
    assert_false(check(SERVICE_SMTP, SERVICE_TLS_NONE, "127.0.0.1:25", true, true, &e));
}

static void test_open_submission_only_on_loopback(void **state)
{
    (void)state;
    struct err e;
    assert_true(check(SERVICE_SUBMISSION, SERVICE_TLS_NONE, "127.0.0.1:587", false, false, &e));
    assert_true(check(SERVICE_SUBMISSION, SERVICE_TLS_NONE, "unix:/run/s", false, false, &e));
    assert_false(check(SERVICE_SUBMISSION, SERVICE_TLS_STARTTLS, "*:587", false, false, &e));
    assert_false(check(SERVICE_IMAP, SERVICE_TLS_STARTTLS, "127.0.0.1:143", false, false, &e));
    assert_false(check(SERVICE_SMTP, SERVICE_TLS_NONE, NULL, false, true, &e));
}

static void test_socket_mode(void **state)
{
    (void)state;
    struct listener_settings l = {.socket_mode = 660};
    assert_int_equal(service_socket_mode(&l), 0660);
    l.socket_mode = 7;
    assert_int_equal(service_socket_mode(&l), 07);
    const char *address = "unix:/run/s";
    l = (struct listener_settings){.protocol = SERVICE_LMTP,
                                   .address = {&address, 1},
                                   .auth_required = true,
                                   .socket_mode = 680};
    struct err e;
    assert_false(listener_settings_block.check(&l, &e));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_passwords_need_tls_or_loopback),
        cmocka_unit_test(test_open_submission_only_on_loopback),
        cmocka_unit_test(test_socket_mode),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
