/*
 * The list of UIDs that sessions share: what a holder has found in it stays, whatever comes and
 * goes.
 */
#include "store_helper.h"

#include "store/uid_list.h"

static void assert_uids(const struct uid_list *l, size_t count, uint32_t first)
{
    for (size_t i = 0; i < count; i++)
        assert_int_equal(l->uids[i], first + i);
}

static void comes_and_goes(void *arg)
{
    struct fixture *f = arg;
    struct err e;
    fixture_open(f, f->root);
    struct mailbox *m = open_box(f, &alice, "INBOX");
    struct uid_list *empty = mailbox_uid_list(m);
    assert_int_equal(empty->count, 0);

    append(f, m, STR("one\n"), 0, NULL, INT64_MIN);
    struct uid_list *one = mailbox_uid_list(m);
    assert_ptr_equal(one, empty); /* appended in place */
    assert_uids(one, 1, 1);

    for (int i = 0; i < 40; i++)
        append(f, m, STR("more\n"), 0, NULL, INT64_MIN);
    struct uid_list *more = mailbox_uid_list(m);
    assert_int_equal(more->count, 41);
    assert_int_equal(more->lineage, one->lineage);
    assert_uids(more, 41, 1);
    assert_uids(one, 1, 1);

    assert_true(mailbox_expunge(m, (uint32_t[]){1, 2}, 2, &e));
    struct uid_list *fewer = mailbox_uid_list(m);
    assert_int_equal(fewer->count, 39);
    assert_true(fewer->lineage != more->lineage);
    assert_uids(fewer, 39, 3);
    assert_uids(more, 41, 1);

    uid_list_unref(empty);
    uid_list_unref(one);
    uid_list_unref(more);
    mailbox_unref(m);
    fixture_close(f);
    assert_uids(fewer, 39, 3); /* held longer than the mailbox */
    uid_list_unref(fewer);
}

static void test_comes_and_goes(void **state)
{
    (void)state;
    with_store(comes_and_goes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_comes_and_goes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
