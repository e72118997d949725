/* The numbers of a session's messages, marks of deletion and their sums. */
#include "pop3/maildrop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct message messages[] = {
    {.uid = 3, .size = 90, .size_crlf = 100},
    {.uid = 7, .size = 190, .size_crlf = 200},
    {.uid = 4000000000, .size = 290, .size_crlf = 300},
};

static void test_numbers(void **state)
{
    (void)state;
    struct maildrop d;
    maildrop_take(&d, 1700000001, messages, 3);
    assert_int_equal(d.left, 3);
    assert_int_equal(d.octets, 600);
    const char *wrong[] = {"0", "4", "-1", "+1", "", "1x", "x", " 1", "1 ", "18446744073709551617"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
        assert_null(maildrop_find(&d, str_from_c(wrong[i])));
    struct maildrop_message *m = maildrop_find(&d, STR("2"));
    assert_int_equal(m->uid, 7);
    assert_int_equal(m->size, 200);
    assert_int_equal(maildrop_number(&d, m), 2);
    maildrop_free(&d);
}

static void test_deletion(void **state)
{
    (void)state;
    struct maildrop d;
    size_t count;
    maildrop_take(&d, 1700000001, messages, 3);
    maildrop_delete(&d, maildrop_find(&d, STR("3")));
    maildrop_delete(&d, maildrop_find(&d, STR("1")));
    assert_null(maildrop_find(&d, STR("1")));
    assert_int_equal(maildrop_number(&d, maildrop_find(&d, STR("2"))), 2);
    assert_int_equal(d.left, 1);
    assert_int_equal(d.octets, 200);
    uint32_t *uids = maildrop_deleted(&d, &count);
    assert_int_equal(count, 2);
    assert_int_equal(uids[0], 3);
    assert_int_equal(uids[1], 4000000000);
    free(uids);
    maildrop_undelete_all(&d);
    assert_int_equal(d.left, 3);
    assert_int_equal(d.octets, 600);
    assert_non_null(maildrop_find(&d, STR("1")));
    free(maildrop_deleted(&d, &count));
    assert_int_equal(count, 0);
    maildrop_free(&d);
}

static void test_unique_id(void **state)
{
    (void)state;
    struct maildrop d;
    struct buf b = BUF_EMPTY;
    maildrop_take(&d, 1700000001, messages, 3);
    maildrop_add_unique_id(&d, maildrop_find(&d, STR("2")), &b);
    assert_string_equal(buf_c(&b), "000000076553f101");
    buf_free(&b);
    maildrop_free(&d);
}

static void test_empty(void **state)
{
    (void)state;
    struct maildrop d;
    maildrop_take(&d, 1, NULL, 0);
    assert_null(maildrop_find(&d, STR("1")));
    maildrop_undelete_all(&d);
    assert_int_equal(d.left, 0);
    maildrop_free(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_deletion),
        cmocka_unit_test(test_unique_id),
        cmocka_unit_test(test_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
