/* Arenas: alignment, zeroed memory, big and small pieces, hooks in reverse order. */
#include "core/helper.h"

#include "core/arena.h"
#include "core/mem.h"

#include <stdlib.h>
#include <string.h>

static void assert_zero(const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        assert_int_equal(p[i], 0);
}

static void test_memory_is_aligned_and_zeroed(void **state)
{
    (void)state;
    struct arena *a = arena_new();
    assert_true(arena_size(a) <= 512);
    for (int round = 0; round < 3; round++) {
        char *pieces[400];
        for (size_t i = 0; i < 400; i++) {
            size_t n = i % 50 == 49 ? 100000 : i;
            pieces[i] = arena_alloc(a, n);
            assert_int_equal((uintptr_t)pieces[i] % _Alignof(max_align_t), 0);
            assert_zero(pieces[i], n);
            memset(pieces[i], (int)i, n);
        }
        for (size_t i = 0; i < 400; i++)
            for (size_t k = 0; k < i && i % 50 != 49; k++)
                assert_int_equal((unsigned char)pieces[i][k], i & 255);
        assert_true(arena_size(a) > 800000);
        arena_reset(a);
        assert_true(arena_size(a) <= 512);
    }
    assert_non_null(arena_array(a, 0, 8));
    arena_free(a);
    arena_free(NULL);
}

static void test_strings(void **state)
{
    (void)state;
    struct arena *a = arena_new();
    struct str s = arena_str(a, STR("some text"));
    assert_string_equal(s.p, "some text");
    assert_int_equal(s.n, 9);
    assert_string_equal(arena_c(a, str_from(NULL, 0)), "");
    for (int i = 0; i < 100; i++) {
        s = arena_printf(a, "%d:%0*d", i, i * 10 + 1, 7);
        assert_int_equal(s.n, strlen(s.p));
        assert_true(s.n >= (size_t)i * 10 + 3);
    }
    arena_free(a);
}

/* In an arena and in heap memory: what is in the list stays, and the room doubles. */
static void test_lists_grow(void **state)
{
    (void)state;
    struct arena *a = arena_new();
    size_t room = 0, own_room = 0;
    int *list = NULL, *own = NULL;
    for (int i = 0; i < 100; i++) {
        list = arena_grow(a, list, (size_t)i, &room, sizeof(*list), 3);
        own = mem_grow(own, (size_t)i, &own_room, sizeof(*own), 3);
        list[i] = own[i] = i;
        assert_true(room > (size_t)i && own_room == room);
    }
    assert_int_equal(room, 192);
    for (int i = 0; i < 100; i++)
        assert_true(list[i] == i && own[i] == i);
    free(own);
    arena_free(a);
}

static char order[4];

static void hook(void *arg)
{
    strncat(order, arg, 1);
}

static void test_hooks_run_last_first(void **state)
{
    (void)state;
    char one[] = "1", two[] = "2", three[] = "3";
    struct arena *a = arena_new();
    arena_on_free(a, hook, one);
    arena_on_free(a, hook, two);
    arena_reset(a);
    assert_string_equal(order, "21");
    arena_on_free(a, hook, three);
    arena_free(a);
    assert_string_equal(order, "213");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory_is_aligned_and_zeroed),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_lists_grow),
        cmocka_unit_test(test_hooks_run_last_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
