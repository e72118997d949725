/* The log: one line per event, nothing from outside forges one, files are appended and reopened. */
#include "core/helper.h"

#include "core/log.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

static char *dir;

/* What the file holds when nothing is buffered. */
static struct buf content(const char *path)
{
    struct err e;
    struct buf b = BUF_EMPTY;
    log_flush();
    assert_true(disk_read_file(path, 1 << 24, &b, &e));
    buf_c(&b);
    return b;
}

static void test_lines(void **state)
{
    (void)state;
    struct err e;
    char *path = path_in(dir, "lines");
    assert_true(log_open(path, LOG_LEVEL_INFO, &e));
    assert_false(log_enabled(LOG_LEVEL_DEBUG));
    log_debug("smtpd", NULL, "not seen");
    log_info("smtpd", "id1", "from=<%s> size=%d", "a@b\r\nforged\x1b[1m\x7f", 7);
    log_error("queue", NULL, "caf\xc3\xa9 \xc2\x9b");
    struct buf b = content(path);
    const char *first =
        strstr(b.p, "Z info smtpd[id1]: from=<a@b\\x0d\\x0aforged\\x1b[1m\\x7f> size=7\n");
    assert_non_null(first);
    assert_int_equal(first - b.p, strlen("2026-01-01T00:00:00.000"));
    assert_non_null(strstr(b.p, "Z error queue: caf\xc3\xa9 \\xc2"));
    assert_null(strstr(b.p, "not seen"));
    buf_free(&b);
    log_set_level(LOG_LEVEL_DEBUG);
    log_debug("smtpd", NULL, "seen");
    b = content(path);
    assert_non_null(strstr(b.p, "seen"));
    buf_free(&b);
    free(path);
}

/* Whatever a value is, the line has the fields that its format has. */
static void test_values_forge_no_fields(void **state)
{
    (void)state;
    struct err e;
    char *path = path_in(dir, "fields");
    assert_true(log_open(path, LOG_LEVEL_INFO, &e));
    log_info("smtpd", NULL, "to=<%s> peer=%s", "\"a> peer=192.0.2.1 b\\\"@x", "198.51.100.1");
    log_info("smtpd", NULL, "reason=\"%.*s\" end", 9, "no\" a=\"\\bcut off");
    log_info("smtpd", NULL, "helo=%s tls=%s", "me login=root", "\"x\"");
    log_info("smtp", NULL, "status=sent (%s)", "250 ok (1) done) to=<v> status=sent (250");
    log_info("smtp", NULL, "to=<%s>%s%s%s relay", "a@b", " orig_to=<", "c> x", ">");
    log_info("smtp", NULL, "%s: \"<\" %s %c %%", "plain \"text\"", "a <b> (c)", '!');
    log_info("smtp", NULL, "%05.1f %-4d|%4d|%*d %lld %zu %x %02x %.3s %hhd", 1.25, 7, 8, 3, 9,
             (long long)INT64_MIN, (size_t)SIZE_MAX, 255u, 10u, "abcdef", 1);
    errno = ENOSPC;
    log_info("smtp", NULL, "cause=%m text=\"%m\"");
    struct buf b = content(path);
    static const char *const expected[] = {
        ": to=<\"a\\x3e peer=192.0.2.1 b\\\"@x> peer=198.51.100.1\n",
        ": reason=\"no\\x22 a=\\x22\\x5cb\" end\n",
        ": helo=me\\x20login=root tls=\\x22x\\x22\n",
        ": status=sent (250 ok (1) done\\x29 to=<v> status=sent (250)\n",
        ": to=<a@b> orig_to=<c\\x3e x> relay\n",
        ": plain \"text\": \"<\" a <b> (c) ! %\n",
        ": 001.2 7   |   8|  9 -9223372036854775808 18446744073709551615 ff 0a abc 1\n",
        ": cause=No\\x20space\\x20left\\x20on\\x20device text=\"No space left on device\"\n",
    };
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
        if (!strstr(b.p, expected[i]))
            fail_msg("missing: %s in\n%s", expected[i], b.p);
    buf_free(&b);
    b = BUF_EMPTY;
    log_add_bracketed(&b, STR("a> b\n"));
    assert_string_equal(buf_c(&b), "<a\\x3e b\\x0a>");
    buf_free(&b);
    free(path);
}

static void test_long_lines_are_cut(void **state)
{
    (void)state;
    struct err e;
    char *path = path_in(dir, "long");
    assert_true(log_open(path, LOG_LEVEL_INFO, &e));
    log_info("imap", NULL, "%09000d", 1);
    struct buf b = content(path);
    assert_in_range(b.n, 1000, 4096);
    assert_int_equal(b.p[b.n - 1], '\n');
    buf_free(&b);
    free(path);
}

static void test_reopen(void **state)
{
    (void)state;
    struct err e;
    char *path = path_in(dir, "log"), *old = path_in(dir, "log.1");
    assert_true(log_open(path, LOG_LEVEL_INFO, &e));
    log_info("imap", NULL, "before");
    assert_true(disk_rename(path, old, &e));
    log_info("imap", NULL, "renamed");
    assert_true(log_reopen(&e));
    log_info("imap", NULL, "after");
    struct buf b = content(old);
    assert_non_null(strstr(b.p, "before"));
    assert_non_null(strstr(b.p, "renamed"));
    buf_free(&b);
    b = content(path);
    assert_null(strstr(b.p, "renamed"));
    assert_non_null(strstr(b.p, "after"));
    buf_free(&b);
    assert_false(log_open("/nowhere/log", LOG_LEVEL_INFO, &e));
    assert_int_equal(e.kind, ERR_NOT_FOUND);
    log_info("imap", NULL, "still there");
    b = content(path);
    assert_non_null(strstr(b.p, "still there"));
    buf_free(&b);
    free(path), free(old);
}

#define LINES 20000

static void *write_lines(void *arg)
{
    for (int i = 0; i < LINES; i++) {
        log_info("thread", arg, "line %d", i);
        if (i % 1000 == 0)
            log_flush(); /* so that the buffer never overflows */
    }
    return NULL;
}

static void test_lines_of_threads_do_not_mix(void **state)
{
    (void)state;
    struct err e;
    char *path = path_in(dir, "threads");
    char names[3][2] = {"a", "b", "c"};
    pthread_t threads[3];
    assert_true(log_open(path, LOG_LEVEL_INFO, &e));
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_lines, names[i]), 0);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    struct buf b = content(path);
    struct str rest = buf_str(&b), line;
    int next[3] = {0}, count = 0;
    while ((line = str_split(&rest, '\n')).n > 0) {
        int number;
        char name;
        assert_int_equal(sscanf(line.p, "%*s info thread[%c]: line %d\n", &name, &number), 2);
        assert_in_range(name, 'a', 'c');
        assert_int_equal(number, next[name - 'a']++);
        count++;
    }
    assert_int_equal(count, 3 * LINES);
    buf_free(&b);
    free(path);
}

static int setup(void **state)
{
    (void)state;
    dir = make_directory();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    log_open(NULL, LOG_LEVEL_INFO, NULL);
    remove_directory(dir);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_values_forge_no_fields),
        cmocka_unit_test(test_long_lines_are_cut),
        cmocka_unit_test(test_reopen),
        cmocka_unit_test(test_lines_of_threads_do_not_mix),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
