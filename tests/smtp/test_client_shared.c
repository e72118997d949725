/* What connections remember for each other: silent addresses, TLS sessions. Both are bounded, in
 * number and in time. */
#include "smtp/client_memory.h"
#include "smtp/client_tickets.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>
#include <openssl/ssl.h>

static usec now = USEC_SEC;

static usec test_clock(void)
{
    return now;
}

static void test_memory(void **state)
{
    (void)state;
    char address[40];
    struct client_memory *m = client_memory_new();
    assert_true(client_memory_since(m, "192.0.2.1", 25) == DEADLINE_NONE);
    client_memory_answered(m, "192.0.2.1", 25);
    client_memory_silent(m, "192.0.2.1", 25);
    now += 7 * USEC_SEC;
    assert_int_equal(client_memory_since(m, "192.0.2.1", 25), 7 * USEC_SEC);
    assert_true(client_memory_since(m, "192.0.2.1", 587) == DEADLINE_NONE);
    client_memory_answered(m, "192.0.2.1", 25);
    assert_true(client_memory_since(m, "192.0.2.1", 25) == DEADLINE_NONE);

    for (unsigned i = 0; i < CLIENT_MEMORY_MAX + 10; i++) {
        snprintf(address, sizeof(address), "2001:db8::%x", i);
        client_memory_silent(m, address, 25);
    }
    assert_true(client_memory_since(m, "2001:db8::5", 25) == DEADLINE_NONE);
    assert_int_equal(client_memory_since(m, address, 25), 0);
    client_memory_free(m);
}

static struct tls_session *session(void)
{
    return (struct tls_session *)SSL_SESSION_new();
}

static void test_tickets(void **state)
{
    (void)state;
    char key[40];
    struct client_tickets *t = client_tickets_new();
    struct tls_session *first = session(), *second = session();
    assert_null(client_tickets_find(t, STR("mx any")));
    client_tickets_keep(t, STR("mx any"), NULL);
    client_tickets_keep(t, STR("mx any"), first);
    assert_ptr_equal(client_tickets_find(t, STR("mx any")), first);
    assert_null(client_tickets_find(t, STR("mx verified")));
    assert_null(client_tickets_find(t, STR("mx an")));

    /* A session that goes on has the time of the one it began with. */
    now += CLIENT_TICKET_LIFE / 2;
    client_tickets_keep(t, STR("mx any"), second);
    assert_ptr_equal(client_tickets_find(t, STR("mx any")), second);
    now += CLIENT_TICKET_LIFE / 2;
    assert_null(client_tickets_find(t, STR("mx any")));
    client_tickets_keep(t, STR("mx any"), session());
    assert_non_null(client_tickets_find(t, STR("mx any")));
    client_tickets_forget(t, STR("mx other"));
    assert_non_null(client_tickets_find(t, STR("mx any")));
    client_tickets_forget(t, STR("mx any"));
    assert_null(client_tickets_find(t, STR("mx any")));

    for (unsigned i = 0; i < 4 * CLIENT_TICKETS_MAX; i++) {
        int n = snprintf(key, sizeof(key), "mx%u any", i);
        client_tickets_keep(t, str_from(key, (size_t)n), session());
        assert_non_null(client_tickets_find(t, str_from(key, (size_t)n)));
    }
    client_tickets_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_memory),
                                       cmocka_unit_test(test_tickets)};
    clock_replace(test_clock, test_clock);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
