/* The numbers of a session's messages, marks of deletion and their sums. */
#include "pop3/maildrop.h"
#include "store/message_file.h"

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
    maildrop_take(&d, 1700000001, STR("%08Xu%08Xv"), messages, 3);
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
    maildrop_take(&d, 1700000001, STR("%08Xu%08Xv"), messages, 3);
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
    maildrop_take(&d, 1700000001, STR("%08Xu%08Xv"), messages, 3);
    maildrop_add_unique_id(&d, maildrop_find(&d, STR("2")), &b);
    assert_string_equal(buf_c(&b), "000000076553f101");
    buf_free(&b);
    maildrop_free(&d);
}

/* Dovecot's formats, and what its list has kept: it goes first, and so does its order. */
static void test_dovecot(void **state)
{
    (void)state;
    static const struct {
        const char *format, *ids[3];
    } cases[] = {
        {"%v.%u", {"7.1", "kept", "base3"}},
        {"%8Xu-%04v", {"       1-0007", "kept", "base3"}},
        {"%f", {"base1", "kept", "base3"}},
        {"<%g>%%", {"<guid1>%", "kept", "base3"}},
    };
    struct file_pool pool = {0};
    const struct message three[] = {
        {.uid = 1, .file = message_file_new(&pool, FILE_CUR, STR("base1:2,S"), STR("Gguid1 O30"))},
        {.uid = 2, .file = message_file_new(&pool, FILE_CUR, STR("base2:2,"), STR("Pkept"))},
        {.uid = 3, .file = message_file_new(&pool, FILE_NEW, STR("base3"), STR("P O4"))},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct maildrop d;
        struct err e;
        assert_true(maildrop_check_format(str_from_c(cases[i].format), &e));
        maildrop_take(&d, 7, str_from_c(cases[i].format), three, 3);
        static const uint32_t uids[] = {3, 1, 2};
        for (size_t k = 0; k < 3; k++) {
            struct buf b = BUF_EMPTY;
            assert_int_equal(d.messages[k].uid, uids[k]);
            maildrop_add_unique_id(&d, &d.messages[k], &b);
            assert_string_equal(buf_c(&b), cases[i].ids[uids[k] - 1]);
            buf_free(&b);
            maildrop_delete(&d, &d.messages[k]);
        }
        size_t count;
        uint32_t *deleted = maildrop_deleted(&d, &count);
        for (uint32_t k = 0; k < 3; k++)
            assert_int_equal(deleted[k], k + 1);
        free(deleted);
        maildrop_free(&d);
    }
    const char *wrong[] = {"", "%v", "x", "%", "%08", "%08X", "%m", "a %u", "%99999999999u", "%-u"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
        assert_false(maildrop_check_format(str_from_c(wrong[i]), NULL));
    file_pool_free(&pool);
}

static void test_empty(void **state)
{
    (void)state;
    struct maildrop d;
    maildrop_take(&d, 1, STR("%u"), NULL, 0);
    assert_null(maildrop_find(&d, STR("1")));
    maildrop_undelete_all(&d);
    assert_int_equal(d.left, 0);
    maildrop_free(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),   cmocka_unit_test(test_deletion),
        cmocka_unit_test(test_unique_id), cmocka_unit_test(test_dovecot),
        cmocka_unit_test(test_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
