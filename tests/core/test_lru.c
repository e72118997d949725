/* The table that keeps what was used last: bounds, order, values that hold something or are in use.
 */
#include "core/helper.h"

#include "core/lru.h"
#include "core/mem.h"

struct value {
    int number;
    bool busy;
    char *text;
};

static int dropped;

static bool is_busy(const void *value)
{
    return ((const struct value *)value)->busy;
}

static void drop(void *value)
{
    free(((struct value *)value)->text);
    dropped++;
}

static struct value *add(struct lru *l, const char *key, int number)
{
    struct value *v = lru_add(l, str_from_c(key));
    if (v && !v->text)
        v->text = mem_dup(key, strlen(key));
    if (v)
        v->number = number;
    return v;
}

static void note(void *arg, const void *value)
{
    buf_add_str(arg, lru_key(value));
}

static void expect(const struct lru *l, const char *oldest_first)
{
    struct buf b = BUF_EMPTY;
    lru_each_oldest(l, note, &b);
    assert_string_equal(buf_c(&b), oldest_first);
    assert_int_equal(lru_count(l), strlen(oldest_first));
    buf_free(&b);
}

static void test_owner(void **state)
{
    (void)state;
    struct lru *l = lru_new(sizeof(struct value), 3);
    lru_set_owner(l, is_busy, drop);
    dropped = 0;
    struct value *a = add(l, "a", 1);
    add(l, "b", 2);
    add(l, "c", 3);
    assert_ptr_equal(lru_find(l, STR("a")), a);
    expect(l, "bca");
    add(l, "d", 4);
    expect(l, "cad");
    assert_int_equal(dropped, 1);
    /* What is in use stays, and where it is. */
    a->busy = true;
    ((struct value *)lru_peek(l, STR("c")))->busy = true;
    add(l, "e", 5);
    expect(l, "cae");
    ((struct value *)lru_peek(l, STR("e")))->busy = true;
    assert_null(add(l, "f", 6));
    assert_non_null(add(l, "c", 7));
    expect(l, "aec");
    assert_int_equal(a->number, 1);
    a->busy = false;
    assert_int_equal(lru_evicted(l), 2);
    /* A lower limit holds from the next one on. */
    ((struct value *)lru_peek(l, STR("e")))->busy = false;
    lru_set_max(l, 2);
    expect(l, "aec");
    add(l, "g", 8);
    expect(l, "cg");
    ((struct value *)lru_peek(l, STR("c")))->busy = false;
    lru_remove(l, lru_peek(l, STR("g")));
    expect(l, "c");
    lru_free(l);
    assert_int_equal(dropped, 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_owner)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
