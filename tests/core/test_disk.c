/* The file system: errors name the path, limits hold, trees are removed without following links. */
#include "core/in_directory.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

static void test_replace_and_read(void **state)
{
    (void)state;
    struct err e;
    struct buf b = BUF_EMPTY;
    char *path = path_in(dir, "file");
    assert_true(disk_replace_file(path, STR("one"), 0640, &e));
    assert_true(disk_replace_file(path, STR("two two"), 0640, &e));
    struct stat st;
    assert_true(disk_stat(path, &st, &e));
    assert_int_equal(st.st_size, 7);
    assert_true(disk_read_file(path, 7, &b, &e));
    assert_string_equal(buf_c(&b), "two two");
    assert_false(disk_read_file(path, 6, &b, &e));
    assert_int_equal(e.kind, ERR_LIMIT);
    assert_int_equal(b.n, 7);
    char *tmp = path_in(dir, "file.tmp");
    assert_false(disk_stat(tmp, &st, &e));
    assert_int_equal(e.kind, ERR_NOT_FOUND);
    buf_free(&b);
    free(tmp);
    free(path);
}

static void test_read_of_a_file_without_size(void **state)
{
    (void)state;
    struct err e;
    struct buf b = BUF_EMPTY;
    assert_true(disk_read_file("/proc/self/status", 1 << 20, &b, &e));
    assert_true(str_starts_with(buf_str(&b), STR("Name:")));
    buf_free(&b);
}

/* What somebody may put where a file should be. */
static void test_odd_files(void **state)
{
    (void)state;
    struct err e;
    struct stat st;
    struct buf b = BUF_EMPTY;
    char *pipe = path_in(dir, "pipe"), *circle = path_in(dir, "circle");
    assert_int_equal(mkfifo(pipe, 0600), 0);
    assert_int_equal(symlink("circle", circle), 0);
    assert_false(disk_read_file(pipe, 100, &b, &e)); /* at once, though nobody writes to it */
    assert_false(disk_stat(circle, &st, &e));
    assert_int_equal(e.kind, ERR_NOT_FOUND);
    assert_true(disk_unlink(pipe, &e) && disk_unlink(circle, &e));
    free(pipe);
    free(circle);
    buf_free(&b);
}

static void test_errors_name_path_and_cause(void **state)
{
    (void)state;
    struct err e;
    int fd;
    assert_false(disk_open("/nowhere/at/all", O_RDONLY, 0, &fd, &e));
    assert_int_equal(fd, -1);
    assert_int_equal(e.kind, ERR_NOT_FOUND);
    assert_string_equal(e.text, "open /nowhere/at/all: No such file or directory");
    char *path = path_in(dir, "file");
    write_test_file(path, STR("x"));
    assert_false(disk_open(path, O_WRONLY | O_CREAT | O_EXCL, 0, &fd, &e));
    assert_int_equal(e.kind, ERR_EXISTS);
    assert_false(disk_make_dir(path, 0, &e));
    assert_non_null(strstr(e.text, "Not a directory"));
    assert_true(disk_unlink(path, &e));
    assert_true(disk_unlink(path, &e));
    free(path);
    assert_true(disk_open("/dev/full", O_WRONLY, 0, &fd, &e));
    assert_false(disk_write(fd, "x", 1, "/dev/full", &e));
    assert_int_equal(e.kind, ERR_NO_SPACE);
    disk_close(fd);
}

static void test_vectors(void **state)
{
    (void)state;
    struct err e;
    int fd;
    char *path = path_in(dir, "file");
    assert_true(disk_open(path, O_RDWR | O_CREAT, 0, &fd, &e));
    char a[] = "abc", b[] = "", c[] = "defg";
    struct iovec iov[] = {{a, 3}, {b, 0}, {c, 4}};
    assert_true(disk_write_at(fd, iov, 3, 10, path, &e));
    char back[32];
    size_t got;
    assert_true(disk_read_at(fd, back, sizeof back, 8, &got, path, &e));
    assert_int_equal(got, 9);
    assert_memory_equal(back, "\0\0abcdefg", 9);
    assert_true(disk_truncate(fd, 12, path, &e));
    assert_true(disk_read_at(fd, back, sizeof back, 10, &got, path, &e));
    assert_int_equal(got, 2);
    assert_true(disk_sync(fd, path, &e));
    disk_close(fd);
    assert_true(disk_set_times(path, 1234567890 * USEC_SEC + 5, &e));
    struct stat st;
    assert_true(disk_stat(path, &st, &e));
    assert_int_equal(st.st_mtime, 1234567890);
    free(path);
}

static bool count_entry(void *arg, const char *name, unsigned char type)
{
    (void)type;
    assert_true(name[0] != '.');
    return --*(int *)arg > 0;
}

static void test_directories(void **state)
{
    (void)state;
    struct err e;
    char *deep = path_in(dir, "a//b/c/"), *kept = path_in(dir, "kept"), *tree = path_in(dir, "a"),
         *link = path_in(dir, "a/link"), *inner = path_in(kept, "inner");
    assert_true(disk_make_dirs(deep, 0755, &e));
    assert_true(disk_make_dirs(deep, 0755, &e));
    assert_true(disk_make_dir(kept, 0, &e));
    write_test_file(inner, STR("x"));
    assert_int_equal(symlink(kept, link), 0);
    int count = 10;
    assert_true(disk_list(tree, count_entry, &count, &e));
    assert_int_equal(count, 8);
    count = 1;
    assert_true(disk_list(tree, count_entry, &count, &e));
    assert_int_equal(count, 0);
    assert_true(disk_remove_tree(tree, &e));
    assert_true(disk_remove_tree(tree, &e));
    struct stat st;
    assert_true(disk_stat(inner, &st, &e));
    assert_false(disk_remove_dir(kept, &e));
    free(deep), free(kept), free(tree), free(link), free(inner);
}

static void test_lock_is_exclusive(void **state)
{
    (void)state;
    struct err e;
    int first, second;
    char *path = path_in(dir, "lock");
    assert_true(disk_lock(path, &first, &e));
    assert_false(disk_lock(path, &second, &e));
    assert_int_equal(e.kind, ERR_EXISTS);
    disk_close(first);
    assert_true(disk_lock(path, &second, &e));
    disk_close(second);
    free(path);
}

static void test_free_space(void **state)
{
    (void)state;
    struct err e;
    uint64_t bytes, inodes;
    assert_true(disk_free_space(dir, &bytes, &inodes, &e));
    assert_true(bytes > 0 && inodes > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_replace_and_read, setup, teardown),
        cmocka_unit_test(test_read_of_a_file_without_size),
        cmocka_unit_test_setup_teardown(test_errors_name_path_and_cause, setup, teardown),
        cmocka_unit_test_setup_teardown(test_odd_files, setup, teardown),
        cmocka_unit_test_setup_teardown(test_vectors, setup, teardown),
        cmocka_unit_test_setup_teardown(test_directories, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lock_is_exclusive, setup, teardown),
        cmocka_unit_test_setup_teardown(test_free_space, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
