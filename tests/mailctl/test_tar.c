/*
 * Archives: what is written is read again, whatever the paths and sizes, and damage is told.
 */
#include "core/mem.h"
#include "mailctl/tar.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static bool to_buf(void *arg, const void *p, size_t n, struct err *e)
{
    (void)e;
    buf_add(arg, p, n);
    return true;
}

/* In pieces of odd sizes. */
static bool from_str(void *arg, void *p, size_t n, size_t *got, struct err *e)
{
    struct str *rest = arg;
    (void)e;
    *got = n < 333 ? n : 333;
    *got = *got < rest->n ? *got : rest->n;
    memcpy(p, rest->p, *got);
    *rest = str_skip(*rest, *got);
    return true;
}

static void add(struct tar_writer *w, const char *path, const char *text, int64_t modified)
{
    uint64_t missing;
    struct err e;
    struct tar_member m = {.path = str_from_c(path),
                           .size = text ? strlen(text) : 0,
                           .modified = modified,
                           .directory = !text};
    assert_true(tar_write_member(w, &m, &e) && tar_write(w, str_from_c(text), &e) &&
                tar_end_member(w, &missing, &e));
    assert_int_equal(missing, 0);
}

static void expect(struct tar_reader *r, const char *path, const char *text, int64_t modified)
{
    struct tar_member m;
    struct buf b = BUF_EMPTY;
    struct err e;
    bool end;
    size_t got;
    if (!tar_read_member(r, &m, &end, &e))
        fail_msg("%s", e.text);
    assert_false(end);
    assert_true(str_equal(m.path, str_from_c(path)));
    assert_int_equal(m.directory, !text);
    assert_int_equal(m.modified, modified);
    do {
        assert_true(tar_read(r, buf_reserve(&b, 100), 100, &got, &e));
        b.n += got;
    } while (got > 0);
    assert_true(str_equal(buf_str(&b), str_from_c(text)));
    buf_free(&b);
}

static void expect_end(struct tar_reader *r)
{
    struct tar_member m;
    struct err e;
    bool end;
    assert_true(tar_read_member(r, &m, &end, &e) && end);
    tar_reader_free(r);
}

static void test_round_trip(void **state)
{
    (void)state;
    struct buf archive = BUF_EMPTY;
    struct tar_writer w = {.to = {to_buf, &archive}};
    struct err e;
    char path[300], block[513];
    memset(path, 'p', sizeof(path) - 1);
    path[sizeof(path) - 1] = '\0';
    memset(block, 'b', 512);
    block[512] = '\0';
    add(&w, "a", NULL, 1);
    add(&w, "a/file", "text", 1700000000);
    add(&w, "a/empty", "", 0);
    add(&w, path, block, -5);
    add(&w, "a/Gr\303\274\303\237e", "x", INT64_C(9000000000));
    assert_true(tar_end(&w, &e));
    assert_int_equal(archive.n % 512, 0);
    struct str rest = buf_str(&archive);
    struct tar_reader r = {.from = {from_str, &rest}};
    expect(&r, "a", NULL, 1);
    expect(&r, "a/file", "text", 1700000000);
    expect(&r, "a/empty", "", 0);
    expect(&r, path, block, -5);
    expect(&r, "a/Gr\303\274\303\237e", "x", INT64_C(9000000000));
    expect_end(&r);
    buf_free(&archive);
}

static void test_sizes_of_any_length(void **state)
{
    (void)state;
    struct buf archive = BUF_EMPTY;
    struct tar_writer w = {.to = {to_buf, &archive}};
    struct tar_member m = {.path = STR("big"), .size = UINT64_C(20) << 30}, read;
    struct err e;
    bool end;
    assert_true(tar_write_member(&w, &m, &e));
    struct str rest = buf_str(&archive);
    struct tar_reader r = {.from = {from_str, &rest}};
    assert_true(tar_read_member(&r, &read, &end, &e));
    assert_true(read.size == m.size && str_equal(read.path, m.path));
    tar_reader_free(&r);
    buf_free(&archive);
}

static void test_missing_bytes_become_zeros(void **state)
{
    (void)state;
    struct buf archive = BUF_EMPTY;
    struct tar_writer w = {.to = {to_buf, &archive}};
    struct tar_member m = {.path = STR("f"), .size = 3};
    uint64_t missing;
    struct err e;
    assert_true(tar_write_member(&w, &m, &e) && tar_write(&w, STR("a"), &e) &&
                tar_end_member(&w, &missing, &e));
    assert_int_equal(missing, 2);
    assert_int_equal(archive.n, 1024);
    assert_memory_equal(archive.p + 512, "a\0\0", 4);
    buf_free(&archive);
}

/* The error of reading all members. */
static const char *error_of(struct str archive, struct err *e)
{
    struct tar_reader r = {.from = {from_str, &archive}};
    struct tar_member m;
    bool end = false;
    *e = (struct err){0};
    while (!end && tar_read_member(&r, &m, &end, e))
        continue;
    tar_reader_free(&r);
    return e->text;
}

static void test_damage(void **state)
{
    (void)state;
    struct buf archive = BUF_EMPTY;
    struct tar_writer w = {.to = {to_buf, &archive}};
    struct err e;
    add(&w, "one", "1", 1);
    add(&w, "two", "2", 1);
    struct str whole = buf_str(&archive);
    assert_string_equal(error_of(whole, &e), "the archive is cut off");
    assert_string_equal(error_of(str_head(whole, 700), &e), "the archive is cut off");
    assert_non_null(strstr(error_of(STR("hello"), &e), "no tar archive"));
    assert_non_null(strstr(error_of(STR(""), &e), "no tar archive"));
    archive.p[1024 + 5] ^= 1;
    assert_string_equal(error_of(whole, &e), "the archive is damaged");
    archive.p[3] ^= 1;
    assert_non_null(strstr(error_of(whole, &e), "no tar archive"));
    buf_free(&archive);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_sizes_of_any_length),
        cmocka_unit_test(test_missing_bytes_become_zeros),
        cmocka_unit_test(test_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
