/*
 * The head of a file in the maildrop: what is written is read, and nothing else.
 */
#include "smtp/drop_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct buf example(void)
{
    struct drop_recipient recipients[] = {{STR("bob"), 2}, {STR("c@d.test"), 0}};
    struct drop d = {.sender = STR("alice@ex.test"),
                     .envelope_id = STR("id"),
                     .dsn_return = 1,
                     .recipients = recipients,
                     .recipient_count = 2,
                     .message_size = 1234567890123};
    struct buf out = BUF_EMPTY;
    drop_write_head(&out, &d);
    return out;
}

static bool read(struct arena *a, struct str bytes, struct drop *d)
{
    return drop_read_head(bytes, d) && d->message_offset == bytes.n &&
           drop_read_envelope(a, str_skip(bytes, DROP_HEAD_SIZE), d);
}

static void test_what_is_written_is_read(void **state)
{
    (void)state;
    struct arena *a = arena_new();
    struct buf head = example();
    struct drop d;
    assert_true(read(a, buf_str(&head), &d));
    assert_int_equal(d.message_size, 1234567890123);
    assert_true(str_equal(d.sender, STR("alice@ex.test")));
    assert_true(str_equal(d.envelope_id, STR("id")));
    assert_int_equal(d.dsn_return, 1);
    assert_int_equal(d.recipient_count, 2);
    assert_true(str_equal(d.recipients[1].address, STR("c@d.test")));
    assert_int_equal(d.recipients[0].notify, 2);
    buf_free(&head);
    arena_free(a);
}

static void test_what_is_cut_off_is_not_read(void **state)
{
    (void)state;
    struct arena *a = arena_new();
    struct buf head = example();
    struct drop d;
    for (size_t n = 0; n < head.n; n++)
        assert_false(read(a, str_head(buf_str(&head), n), &d));
    buf_add_char(&head, 0);
    assert_false(read(a, buf_str(&head), &d));
    buf_free(&head);
    arena_free(a);
}

static void test_counts_that_lie(void **state)
{
    (void)state;
    struct arena *a = arena_new();
    struct buf b = BUF_EMPTY;
    struct drop d;
    buf_add_u8(&b, 0);
    buf_add_counted(&b, STR(""));
    buf_add_counted(&b, STR("a@b.test"));
    size_t before = b.n;
    static const uint32_t counts[] = {0, 1, 2, 100000, 100001, UINT32_MAX};
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        b.n = before;
        buf_add_u32(&b, counts[i]);
        assert_false(drop_read_envelope(a, buf_str(&b), &d));
    }
    assert_true(arena_size(a) < 100000);
    buf_free(&b);
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_written_is_read),
        cmocka_unit_test(test_what_is_cut_off_is_not_read),
        cmocka_unit_test(test_counts_that_lie),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
