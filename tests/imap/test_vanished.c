/*
 * VANISHED as clients read it (RFC 7162 3.2.10).
 */
#include "imap/vanished.h"

#include "core/helper.h"

static void test_neighbours_are_joined(void **state)
{
    (void)state;
    struct buf out = BUF_EMPTY;
    struct vanished w = {.out = &out};
    vanished_add(&w, 1, 1);
    vanished_add(&w, 2, 2);
    vanished_add(&w, 3, 5);
    vanished_add(&w, 7, 7);
    vanished_add(&w, UINT32_MAX, UINT32_MAX);
    vanished_end(&w);
    assert_string_equal(buf_c(&out), "* VANISHED 1:5,7,4294967295\r\n");
    buf_free(&out);
}

static void test_nothing_is_no_response(void **state)
{
    (void)state;
    struct buf out = BUF_EMPTY;
    struct vanished w = {.out = &out, .earlier = true};
    vanished_end(&w);
    assert_int_equal(out.n, 0);
    vanished_add(&w, 9, 9);
    vanished_end(&w);
    assert_string_equal(buf_c(&out), "* VANISHED (EARLIER) 9\r\n");
    buf_free(&out);
}

/* Every second of many: lines stay bearable, and nothing is lost between them. */
static void test_many_are_several_responses(void **state)
{
    (void)state;
    struct buf out = BUF_EMPTY;
    struct vanished w = {.out = &out};
    for (uint32_t uid = 1; uid < 10000; uid += 2)
        vanished_add(&w, uid, uid);
    vanished_end(&w);
    struct str rest = buf_str(&out);
    uint32_t expected = 1, uid;
    size_t lines = 0;
    while (rest.n) {
        struct str line = str_split(&rest, '\n');
        assert_true(line.n < 8000 && str_starts_with(line, STR("* VANISHED ")));
        line = str_trim(str_skip(line, 11));
        while (line.n) {
            assert_true(str_to_u32(str_split(&line, ','), &uid));
            assert_int_equal(uid, expected);
            expected += 2;
        }
        lines++;
    }
    assert_int_equal(expected, 10001);
    assert_int_equal(lines, 5);
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_neighbours_are_joined),
        cmocka_unit_test(test_nothing_is_no_response),
        cmocka_unit_test(test_many_are_several_responses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
