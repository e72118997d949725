/*
 * Addresses in memory, compared with a plain list, and what they take.
 */
#include "core/helper.h"

#include "auth/address_table.h"

#include <stdio.h>

#define NAMES 400

struct model {
    bool there[NAMES], flag[NAMES];
    size_t count[NAMES], version[NAMES];
};

static struct str name_of(struct arena *a, size_t i)
{
    return arena_printf(a, "name.%zu@example.test", i);
}

static struct str text_of(struct arena *a, size_t i, size_t version, size_t k)
{
    return arena_printf(a, "%zu.%zu.%zu@far.test", i, version, k);
}

static void put(struct address_table *t, struct model *m, size_t i, size_t count)
{
    struct arena *a = arena_new();
    struct str *texts = arena_array(a, count, sizeof(*texts));
    m->version[i]++;
    for (size_t k = 0; k < count; k++)
        texts[k] = text_of(a, i, m->version[i], k);
    m->there[i] = true;
    m->count[i] = count;
    m->flag[i] = count % 2;
    address_table_put(t, name_of(a, i), texts, count, m->flag[i]);
    arena_free(a);
}

static void compare(const struct address_table *t, const struct model *m)
{
    struct arena *a = arena_new();
    size_t there = 0;
    for (size_t i = 0; i < NAMES; i++) {
        struct address_table_answer found;
        assert_int_equal(address_table_find(t, name_of(a, i), a, &found), m->there[i]);
        if (!m->there[i])
            continue;
        there++;
        assert_true(str_equal(found.address, name_of(a, i)));
        assert_int_equal(found.count, m->count[i]);
        assert_int_equal(found.flag, m->flag[i]);
        for (size_t k = 0; k < found.count; k++) {
            assert_true(str_equal(found.texts[k], text_of(a, i, m->version[i], k)));
            assert_int_equal(found.texts[k].p[found.texts[k].n], '\0');
        }
    }
    assert_int_equal(address_table_count(t), there);
    arena_free(a);
}

static void is_what_a_list_would_be(void **state)
{
    struct address_table *t = address_table_new(0);
    struct model m = {.there = {false}};
    uint32_t random = 1;
    (void)state;
    for (size_t step = 0; step < 20000; step++) {
        random = random * 1664525 + 1013904223;
        size_t i = (random >> 8) % NAMES;
        if ((random >> 28) < 9) {
            put(t, &m, i, random >> 30);
        } else {
            struct arena *a = arena_new();
            address_table_remove(t, name_of(a, i));
            m.there[i] = false;
            arena_free(a);
        }
        if (step % 500 == 0)
            compare(t, &m);
    }
    compare(t, &m);
    address_table_free(t);
}

static void what_is_found_stays(void **state)
{
    struct address_table *t = address_table_new(0);
    struct address_table_answer found;
    struct arena *a = arena_new();
    (void)state;
    address_table_put(t, STR("a@x.test"), &STR("b@x.test"), 1, true);
    assert_true(address_table_find(t, STR("a@x.test"), a, &found));
    address_table_put(t, STR("a@x.test"), &STR("c@x.test"), 1, false);
    address_table_remove(t, STR("a@x.test"));
    address_table_free(t);
    assert_true(found.flag);
    assert_true(str_equal(found.texts[0], STR("b@x.test")));
    arena_free(a);
}

/* 100,000 addresses, a tenth of them lists of five. */
static void an_address_takes_little(void **state)
{
    enum { ADDRESSES = 100000 };
    struct address_table *t = address_table_new(0);
    struct arena *a = arena_new();
    size_t text = 0;
    (void)state;
    for (size_t i = 0; i < ADDRESSES; i++) {
        struct str texts[5], name = arena_printf(a, "first.last%zu@domain%zu.test", i, i % 500);
        size_t count = i % 10 == 0 ? 5 : 1;
        text += name.n;
        for (size_t k = 0; k < count; k++) {
            texts[k] = arena_printf(a, "user%zu.%zu@domain%zu.test", i, k, i % 500);
            text += texts[k].n;
        }
        address_table_put(t, name, texts, count, false);
        arena_reset(a);
    }
    struct address_table_size size = address_table_get_size(t);
    assert_int_equal(size.text, text);
    printf("%zu bytes for each address beside its text\n", (size.bytes - text) / ADDRESSES);
    assert_true(size.bytes - text < (size_t)100 * ADDRESSES);
    address_table_free(t);
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_what_a_list_would_be),
        cmocka_unit_test(what_is_found_stays),
        cmocka_unit_test(an_address_takes_little),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
