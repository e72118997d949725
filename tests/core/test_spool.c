/* Messages in memory and in files: same bytes, right counts, and the file goes with the last user.
 */
#include "core/in_directory.h"

#include "core/spool.h"

#include <string.h>

static bool count_entry(void *arg, const char *name, unsigned char type)
{
    (void)name;
    (void)type;
    ++*(int *)arg;
    return true;
}

static int files(void)
{
    int count = 0;
    struct err e;
    assert_true(disk_list(dir, count_entry, &count, &e));
    return count;
}

static void assert_reads_back(struct spool *s, struct str expected)
{
    struct err e;
    struct buf b = BUF_EMPTY;
    size_t got;
    assert_int_equal(spool_size(s), expected.n);
    assert_true(spool_read_at(s, buf_reserve(&b, expected.n + 10), expected.n + 10, 0, &got, &e));
    b.n = got;
    assert_true(str_equal(buf_str(&b), expected));
    char tail[4];
    assert_true(spool_read_at(s, tail, sizeof tail, expected.n - 2, &got, &e));
    assert_int_equal(got, 2);
    assert_true(spool_read_at(s, tail, sizeof tail, expected.n + 5, &got, &e));
    assert_int_equal(got, 0);
    buf_free(&b);
}

static void small(void *arg)
{
    (void)arg;
    struct err e;
    struct spool *s = spool_new(dir, "small");
    assert_true(spool_write(s, STR("Subject: x\n"), &e));
    assert_true(spool_write(s, STR("\nbody\n"), &e));
    assert_true(spool_sync(s, &e));
    assert_int_equal(spool_lines(s), 3);
    assert_null(spool_path(s));
    assert_true(str_equal(spool_memory(s), STR("Subject: x\n\nbody\n")));
    assert_reads_back(s, STR("Subject: x\n\nbody\n"));
    struct buf b = BUF_EMPTY;
    assert_true(spool_read_header(s, 1000, &b, &e));
    assert_string_equal(buf_c(&b), "Subject: x\n\n");
    buf_clear(&b);
    assert_true(spool_read_header(s, 5, &b, &e));
    assert_string_equal(buf_c(&b), "Subje");
    buf_free(&b);
    assert_int_equal(files(), 0);
    spool_ref(s);
    spool_unref(s);
    spool_unref(s);
    spool_unref(NULL);
}

static void large(void *arg)
{
    bool keep = arg != NULL;
    struct err e;
    struct spool *s = spool_new(dir, "large");
    struct buf all = BUF_EMPTY;
    uint64_t lines = 0;
    while (all.n < 1000000) {
        size_t from = all.n;
        buf_printf(&all, "X-Line: %zu\n", all.n);
        lines++;
        assert_true(spool_write(s, str_skip(buf_str(&all), from), &e));
        assert_true(all.n > SPOOL_MEMORY_MAX || files() == 0);
    }
    assert_int_equal(spool_lines(s), lines);
    assert_non_null(spool_path(s));
    assert_null(spool_memory(s).p);
    assert_reads_back(s, buf_str(&all));
    buf_add_c(&all, "\nend\n");
    assert_true(spool_write(s, STR("\nend\n"), &e));
    assert_true(spool_sync(s, &e));
    struct stat st;
    assert_true(disk_stat(spool_path(s), &st, &e));
    assert_int_equal(st.st_size, all.n);
    struct buf header = BUF_EMPTY;
    assert_true(spool_read_header(s, 2000000, &header, &e));
    assert_int_equal(header.n, all.n - 4);
    assert_int_equal(files(), 1);

    struct spool *again = spool_from_file(spool_path(s), all.n, true);
    assert_true(spool_count_lines(again, &e));
    assert_int_equal(spool_lines(again), lines + 2);
    assert_reads_back(again, buf_str(&all));
    spool_unref(again);
    if (keep)
        spool_keep_file(s);
    spool_unref(s);
    for (int i = 0; i < 1000 && files() != (keep ? 1 : 0); i++)
        fiber_sleep(USEC_MSEC, &e);
    assert_int_equal(files(), keep ? 1 : 0);
    buf_free(&all);
    buf_free(&header);
}

IN_FIBER(header_across_steps)
{
    (void)arg;
    struct err e;
    /* The empty line at every place around the step of reading (16 KB). */
    for (size_t n = 16 * 1024 - 3; n <= 16 * 1024 + 1; n++) {
        struct spool *s = spool_new(dir, "header");
        struct buf b = BUF_EMPTY, got = BUF_EMPTY;
        memset(buf_reserve(&b, n), 'h', n);
        b.n = n;
        buf_add_c(&b, "\n\nbody\n\nmore\n");
        assert_true(spool_write(s, buf_str(&b), &e));
        assert_true(spool_read_header(s, 1 << 20, &got, &e));
        assert_int_equal(got.n, n + 2);
        buf_free(&b);
        buf_free(&got);
        spool_unref(s);
    }
}

IN_FIBER(failure_is_final)
{
    (void)arg;
    struct err e;
    char *nowhere = path_in(dir, "nowhere");
    struct spool *s = spool_new(nowhere, "x");
    struct buf b = BUF_EMPTY;
    memset(buf_reserve(&b, 300000), 'x', 300000);
    b.n = 300000;
    assert_false(spool_write(s, buf_str(&b), &e));
    assert_int_equal(e.kind, ERR_IO);
    assert_false(spool_write(s, STR("x"), &e));
    assert_int_equal(e.kind, ERR_IO);
    assert_false(spool_sync(s, &e));
    spool_unref(s);
    buf_free(&b);
    free(nowhere);
}

static void test_small_stays_in_memory(void **state)
{
    (void)state;
    run_in_fiber(small, NULL);
}

static void test_large_goes_to_a_file(void **state)
{
    (void)state;
    run_in_fiber(large, NULL);
    run_in_fiber(large, dir); /* keeps it */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_small_stays_in_memory),
        cmocka_unit_test(test_large_goes_to_a_file),
        cmocka_unit_test(test_header_across_steps),
        cmocka_unit_test(test_failure_is_final),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
