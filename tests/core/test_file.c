/* Files from fibers, cached or not. */
#include "core/helper.h"

#include "core/file.h"
#include "core/mem.h"

#include <string.h>

static void work(void *arg)
{
    const char *dir = arg;
    struct err e;
    char *path = path_in(dir, "file"), *other = path_in(dir, "other");
    struct buf big = BUF_EMPTY, back = BUF_EMPTY;
    while (big.n < 3 << 20)
        buf_printf(&big, "line %zu\n", big.n);

    int fd;
    assert_true(file_open(path, O_RDWR | O_CREAT, 0600, &fd, &e));
    assert_true(file_write(fd, big.p, big.n, path, &e));
    assert_true(file_sync(fd, path, &e));
    size_t got;
    char some[100];
    assert_true(file_read_at(fd, some, sizeof some, 1000, &got, path, &e));
    assert_int_equal(got, sizeof some);
    assert_memory_equal(some, big.p + 1000, sizeof some);
    assert_true(file_read_at(fd, some, sizeof some, big.n - 7, &got, path, &e));
    assert_int_equal(got, 7);
    assert_true(file_read_at(fd, some, sizeof some, big.n, &got, path, &e));
    assert_int_equal(got, 0);
    char *whole = mem_alloc(big.n + 10);
    assert_true(file_read_at(fd, whole, big.n + 10, 0, &got, path, &e));
    assert_int_equal(got, big.n);
    assert_memory_equal(whole, big.p, big.n);
    free(whole);

    /* Out of the page cache: the kernel would block, a worker reads. */
    assert_int_equal(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
    assert_true(file_read_at(fd, some, sizeof some, 1 << 20, &got, path, &e));
    assert_int_equal(got, sizeof some);
    assert_memory_equal(some, big.p + (1 << 20), sizeof some);
    file_close(fd);

    assert_true(file_read_all(path, big.n, &back, &e));
    assert_true(str_equal(buf_str(&back), buf_str(&big)));
    assert_false(file_read_all(path, big.n - 1, &back, &e));
    assert_int_equal(e.kind, ERR_LIMIT);
    assert_true(file_rename(path, other, &e));
    assert_false(file_open(path, O_RDONLY, 0, &fd, &e));
    assert_int_equal(e.kind, ERR_NOT_FOUND);
    assert_false(file_read_all(path, 100, &back, &e));
    assert_int_equal(e.kind, ERR_NOT_FOUND);
    assert_false(file_read_all(dir, 100, &back, &e));
    assert_true(file_replace(other, STR("new"), 0600, &e));
    buf_clear(&back);
    assert_true(file_read_all(other, 100, &back, &e));
    assert_true(str_equal(buf_str(&back), STR("new")));
    assert_true(file_unlink(other, &e));
    assert_true(file_unlink(other, &e));
    buf_free(&big);
    buf_free(&back);
    free(path);
    free(other);
}

static void test_files(void **state)
{
    (void)state;
    char *dir = make_directory();
    run_in_fiber(work, dir);
    remove_directory(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_files)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
