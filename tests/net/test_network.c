#include "net/network.h"

#include "core/mem.h"
#include "core/random.h"
#include "net/host_list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct network network_of(const char *text)
{
    struct network n;
    struct err e;
    if (!network_parse(&n, str_from_c(text), &e))
        fail_msg("%s", e.text);
    return n;
}

static void expect_error(const char *text, const char *message)
{
    struct network n;
    struct err e;
    assert_false(network_parse(&n, str_from_c(text), &e));
    if (!strstr(e.text, message))
        fail_msg("expected \"%s\" in \"%s\"", message, e.text);
}

static void test_mistakes_are_named(void **state)
{
    (void)state;
    expect_error("192.0.2", "is no address or network");
    expect_error("192.0.2.256", "is no address or network");
    expect_error("", "is no address or network");
    expect_error("example.org", "is no address or network");
    expect_error("192.0.2.0/33", "0 to 32 bits");
    expect_error("192.0.2.0/", "0 to 32 bits");
    expect_error("192.0.2.0/-1", "0 to 32 bits");
    expect_error("192.0.2.0/8/8", "0 to 32 bits");
    expect_error("2001:db8::/129", "0 to 128 bits");
    expect_error("192.0.2.1/24", "the network is 192.0.2.0/24");
    expect_error("2001:db8::1/32", "the network is 2001:db8::/32");
    expect_error("1.2.3.4/0", "the network is 0.0.0.0/0");
    expect_error("fe80::1%eth0", "is no address");
}

static void test_mapped_addresses_are_ipv4(void **state)
{
    (void)state;
    struct network_address a, b;
    assert_true(network_address_parse(&a, STR("::ffff:192.0.2.1")));
    assert_true(network_address_parse(&b, STR("192.0.2.1")));
    assert_false(a.v6);
    assert_memory_equal(&a, &b, sizeof(a));
    assert_false(network_address_parse(&a, STR("unix")));
    assert_false(network_address_parse(&a, str_from("127.0.0.1\0x", 11)));
}

static uint32_t find(const struct network_set *s, const char *text)
{
    struct network_address a;
    assert_true(network_address_parse(&a, str_from_c(text)));
    return network_set_find(s, &a);
}

static void test_the_narrowest_counts(void **state)
{
    (void)state;
    struct network_pair pairs[] = {
        {network_of("192.0.2.66"), 3},      {network_of("192.0.0.0/16"), 1},
        {network_of("192.0.2.0/24"), 2},    {network_of("192.0.2.0/24"), 9},
        {network_of("2001:db8::/32"), 4},   {network_of("2001:db8:0:1::/64"), 5},
        {network_of("255.255.255.255"), 6}, {network_of("0.0.0.0"), 7},
        {network_of("ffff:ffff::/32"), 8},  {network_of("192.0.255.0/24"), 10},
        {network_of("192.0.2.128/25"), 11},
    };
    struct network_set *s = network_set_new(pairs, sizeof(pairs) / sizeof(pairs[0]));
    assert_int_equal(find(s, "192.0.1.255"), 1);
    assert_int_equal(find(s, "192.0.2.0"), 2); /* the first of equal ones */
    assert_int_equal(find(s, "192.0.2.65"), 2);
    assert_int_equal(find(s, "192.0.2.66"), 3);
    assert_int_equal(find(s, "192.0.2.67"), 2);
    assert_int_equal(find(s, "192.0.2.128"), 11);
    assert_int_equal(find(s, "192.0.3.0"), 1);
    assert_int_equal(find(s, "192.0.255.255"), 10);
    assert_int_equal(find(s, "192.1.0.0"), NETWORK_NONE);
    assert_int_equal(find(s, "191.255.255.255"), NETWORK_NONE);
    assert_int_equal(find(s, "255.255.255.255"), 6);
    assert_int_equal(find(s, "255.255.255.254"), NETWORK_NONE);
    assert_int_equal(find(s, "0.0.0.0"), 7);
    assert_int_equal(find(s, "0.0.0.1"), NETWORK_NONE);
    assert_int_equal(find(s, "2001:db8:0:1::7"), 5);
    assert_int_equal(find(s, "2001:db8:0:2::"), 4);
    assert_int_equal(find(s, "2001:db9::"), NETWORK_NONE);
    assert_int_equal(find(s, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), 8);
    assert_int_equal(find(s, "::"), NETWORK_NONE);
    assert_int_equal(find(s, "::ffff:192.0.2.66"), 3);
    network_set_free(s);
}

static void test_everything_and_nothing(void **state)
{
    (void)state;
    struct network_pair all[] = {{network_of("0.0.0.0/0"), 1}, {network_of("::/0"), 2}};
    struct network_set *s = network_set_new(all, 2);
    assert_int_equal(find(s, "0.0.0.0"), 1);
    assert_int_equal(find(s, "255.255.255.255"), 1);
    assert_int_equal(find(s, "::"), 2);
    assert_int_equal(find(s, "ffff::"), 2);
    network_set_free(s);
    s = network_set_new(NULL, 0);
    assert_int_equal(find(s, "192.0.2.1"), NETWORK_NONE);
    assert_int_equal(find(s, "2001:db8::1"), NETWORK_NONE);
    network_set_free(s);
}

/* --- against a plain search --- */

static void clear_behind(struct network *n)
{
    unsigned bytes = n->first.v6 ? 16 : 4;
    for (unsigned bit = n->bits; bit < 8 * bytes; bit++)
        n->first.bytes[bit / 8] &= (unsigned char)~(0x80u >> bit % 8);
}

static bool holds(const struct network *n, const struct network_address *a)
{
    if (n->first.v6 != a->v6)
        return false;
    for (unsigned bit = 0; bit < n->bits; bit++)
        if ((n->first.bytes[bit / 8] ^ a->bytes[bit / 8]) & (0x80u >> bit % 8))
            return false;
    return true;
}

static uint32_t search(const struct network_pair *pairs, size_t count,
                       const struct network_address *a)
{
    uint32_t value = NETWORK_NONE;
    int best = -1;
    for (size_t i = 0; i < count; i++)
        if ((int)pairs[i].network.bits > best && holds(&pairs[i].network, a)) {
            best = (int)pairs[i].network.bits;
            value = pairs[i].value;
        }
    return value;
}

/* Few distinct bytes, so that networks nest. */
static struct network_address random_address(void)
{
    struct network_address a = {.v6 = random_below(2)};
    for (unsigned i = 0; i < (a.v6 ? 16u : 4u); i++)
        a.bytes[i] = (unsigned char[]){0, 1, 127, 128, 255}[random_below(5)];
    return a;
}

static void test_as_a_plain_search_finds(void **state)
{
    (void)state;
    random_seed(7);
    for (int round = 0; round < 200; round++) {
        struct network_pair pairs[60];
        size_t count = random_below(60);
        for (size_t i = 0; i < count; i++) {
            struct network n = {.first = random_address()};
            n.bits = (unsigned)random_below(n.first.v6 ? 129 : 33);
            clear_behind(&n);
            pairs[i] = (struct network_pair){n, (uint32_t)random_below(5)};
        }
        struct network_set *s = network_set_new(pairs, count);
        for (int i = 0; i < 200; i++) {
            struct network_address a = random_address();
            assert_int_equal(network_set_find(s, &a), search(pairs, count, &a));
        }
        network_set_free(s);
    }
    random_seed(0);
}

static void test_a_list_of_the_settings(void **state)
{
    struct err e;
    (void)state;
    const char *const items[] = {"10.0.0.0/8", "!10.0.0.1", "::1", "unix"};
    struct string_list list = {items, 4};
    struct host_set *s = host_set_new(&list, &e);
    assert_non_null(s);
    assert_true(host_set_has(s, "unix"));
    assert_true(host_set_has(s, "10.1.2.3"));
    assert_true(host_set_has(s, "::ffff:10.1.2.3"));
    assert_false(host_set_has(s, "10.0.0.1"));
    assert_true(host_set_has(s, "::1"));
    assert_false(host_set_has(s, "::2"));
    assert_false(host_set_has(s, "unknown"));
    host_set_free(s);
    const char *const wrong[] = {"10.0.0.0/8", "ten"};
    list = (struct string_list){wrong, 2};
    assert_null(host_set_new(&list, &e));
    assert_non_null(strstr(e.text, "\"ten\""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mistakes_are_named),
        cmocka_unit_test(test_mapped_addresses_are_ipv4),
        cmocka_unit_test(test_the_narrowest_counts),
        cmocka_unit_test(test_everything_and_nothing),
        cmocka_unit_test(test_as_a_plain_search_finds),
        cmocka_unit_test(test_a_list_of_the_settings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
