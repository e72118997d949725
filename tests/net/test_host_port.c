/* Where a server is, as people write it. */
#include "net/host_port.h"

#include "core/helper.h"

static void expect(const char *text, const char *host, unsigned port)
{
    struct str got;
    uint16_t got_port = 7;
    assert_true(host_port_parse(str_from_c(text), &got, &got_port));
    assert_true(str_equal(got, str_from_c(host)));
    assert_int_equal(got_port, port);
}

static void test_parse(void **state)
{
    (void)state;
    expect("mx.test", "mx.test", 7);
    expect("mx.test:25", "mx.test", 25);
    expect("[::1]", "::1", 7);
    expect("[::1]:2525", "::1", 2525);
    expect("[192.0.2.1]:65535", "192.0.2.1", 65535);
    const char *wrong[] = {"",      ":25",     "a:",     "a:0",  "a:65536", "a:2x",
                           "[]:25", "[::1]25", "[::1]:", "[::1", "::1",     "a:-1"};
    struct str host;
    uint16_t port;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
        if (host_port_parse(str_from_c(wrong[i]), &host, &port))
            fail_msg("taken: \"%s\"", wrong[i]);
}

static void test_numeric(void **state)
{
    (void)state;
    assert_true(host_is_numeric(STR("192.0.2.1")));
    assert_true(host_is_numeric(STR("2001:db8::1")));
    assert_false(host_is_numeric(STR("mx.test")));
    assert_false(host_is_numeric(STR("")));
    assert_false(host_is_numeric(
        STR("1111111111111111111111111111111111111111111111111111111111111111111111")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_parse),
                                       cmocka_unit_test(test_numeric)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
