/* Counters over sliding periods, and the table below them, which strangers fill. */
#include "policy/rate.h"

#include "core/helper.h"
#include "core/lru.h"
#include "policy/connection_count.h"

#define MINUTE (60 * USEC_SEC)

static void test_counts(void **state)
{
    (void)state;
    struct rate_table *t = rate_table_new(100);
    struct str key = STR("192.0.2.1");
    usec now = 1000 * USEC_SEC;
    assert_int_equal(rate_count(t, key, MINUTE, now), 0);
    for (int i = 0; i < 10; i++)
        rate_add(t, key, MINUTE, now, 1);
    assert_int_equal(rate_count(t, key, MINUTE, now), 10);
    assert_int_equal(rate_count(t, STR("192.0.2.2"), MINUTE, now), 0);
    /* They all count until the period is over, and none does soon after. */
    assert_int_equal(rate_count(t, key, MINUTE, now + MINUTE - 1), 10);
    assert_int_equal(rate_count(t, key, MINUTE, now + MINUTE + MINUTE / 6), 0);
    rate_add(t, key, MINUTE, now + 45 * USEC_SEC, 5);
    assert_int_equal(rate_count(t, key, MINUTE, now + 45 * USEC_SEC), 15);
    assert_int_equal(rate_count(t, key, MINUTE, now + 80 * USEC_SEC), 5);
    rate_add(t, key, MINUTE, now + 1000 * MINUTE, 1);
    assert_int_equal(rate_count(t, key, MINUTE, now + 1000 * MINUTE), 1);
    /* Another period (the setting was changed): it begins anew. */
    assert_int_equal(rate_count(t, key, 2 * MINUTE, now + 1000 * MINUTE), 0);
    rate_add(t, key, 2 * MINUTE, now + 1000 * MINUTE, UINT32_MAX);
    rate_add(t, key, 2 * MINUTE, now + 1000 * MINUTE, 7);
    assert_int_equal(rate_count(t, key, 2 * MINUTE, now + 1000 * MINUTE), UINT32_MAX);
    rate_table_free(t);
}

/* Whatever the moment, no period holds more than what was counted within it and a twelfth more. */
static void test_slides(void **state)
{
    (void)state;
    struct rate_table *t = rate_table_new(10);
    for (usec now = 0; now < 20 * MINUTE; now += USEC_SEC) {
        rate_add(t, STR("k"), MINUTE, now, 1);
        if (now > 2 * MINUTE)
            assert_in_range(rate_count(t, STR("k"), MINUTE, now), 60, 66);
    }
    rate_table_free(t);
}

static bool collect(void *arg, struct str key, uint64_t count)
{
    struct buf *b = arg;
    buf_printf(b, "%.*s=%d ", STR_ARG(key), (int)count);
    return true;
}

/* A million keys of a flood: the table stays small, and who came last is still known. */
static void test_flood(void **state)
{
    (void)state;
    struct rate_table *t = rate_table_new(1000);
    char key[32];
    for (int i = 0; i < 300000; i++) {
        snprintf(key, sizeof(key), "sender-%d", i);
        rate_add(t, str_from_c(key), MINUTE, 1, 1);
        if (i % 500 == 0)
            rate_add(t, STR("regular"), MINUTE, 1, 1);
    }
    assert_int_equal(rate_table_size(t), 1000);
    assert_true(rate_table_evicted(t) > 290000);
    assert_int_equal(rate_count(t, STR("regular"), MINUTE, 1), 600);
    assert_int_equal(rate_count(t, STR("sender-299999"), MINUTE, 1), 1);
    assert_int_equal(rate_count(t, STR("sender-0"), MINUTE, 1), 0);
    rate_table_free(t);

    t = rate_table_new(2);
    struct buf b = BUF_EMPTY;
    rate_add(t, STR("a"), MINUTE, 1, 1);
    rate_add(t, STR("b"), MINUTE, 1, 2);
    rate_add(t, STR("a"), MINUTE, 1, 1);
    rate_add(t, STR("c"), MINUTE, 1, 3);
    rate_each(t, MINUTE, 1, collect, &b);
    assert_string_equal(buf_c(&b), "c=3 a=2 ");
    buf_clear(&b);
    rate_each(t, MINUTE, 10 * MINUTE, collect, &b);
    assert_int_equal(b.n, 0);
    buf_free(&b);
    rate_table_free(t);
}

/* Keys with and without zeros, empty, of all lengths: each has its own entry. */
static void test_keys(void **state)
{
    (void)state;
    struct lru *l = lru_new(sizeof(int), 1000);
    char bytes[64] = {0};
    for (size_t n = 0; n < sizeof(bytes); n++)
        *(int *)lru_add(l, str_from(bytes, n)) = (int)n + 1;
    for (size_t n = 0; n < sizeof(bytes); n++) {
        int *value = lru_find(l, str_from(bytes, n));
        assert_non_null(value);
        assert_int_equal(*value, n + 1);
        assert_int_equal(lru_key(value).n, n);
    }
    lru_remove(l, lru_find(l, str_from(bytes, 8)));
    assert_null(lru_find(l, str_from(bytes, 8)));
    assert_int_equal(lru_count(l), sizeof(bytes) - 1);
    lru_free(l);
    lru_free(NULL);
}

static void test_connections(void **state)
{
    (void)state;
    struct connection_counts *t = connection_counts_new();
    struct connection_count *a = connection_count_take(t, STR("x"));
    struct connection_count *b = connection_count_take(t, STR("x"));
    struct connection_count *c = connection_count_take(t, STR("y"));
    assert_ptr_equal(a, b);
    assert_int_equal(connection_count_value(a), 2);
    assert_int_equal(connection_count_of(t, STR("y")), 1);
    connection_count_give(t, a);
    assert_int_equal(connection_count_of(t, STR("x")), 1);
    connection_count_give(t, b);
    assert_int_equal(connection_count_of(t, STR("x")), 0);
    connection_count_give(t, c);
    connection_counts_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts),      cmocka_unit_test(test_slides),
        cmocka_unit_test(test_flood),       cmocka_unit_test(test_keys),
        cmocka_unit_test(test_connections),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
