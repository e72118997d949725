/* The log: one line per event, nothing from outside forges one, files are appended and reopened. */
#include "core/log_test.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

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
    struct buf b = content(path);
    assert_non_null(strstr(b.p, "before"));
    buf_free(&b);
    assert_true(disk_rename(path, old, &e));
    log_info("imap", NULL, "renamed");
    assert_true(log_reopen(&e));
    log_info("imap", NULL, "after");
    b = content(old);
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

static void add_event(void *arg, const struct log_event *event)
{
    assert_true(event->when > 0);
    buf_printf(arg, "%d %.*s|%.*s|%.*s\n", (int)event->level, STR_ARG(event->component),
               STR_ARG(event->id), STR_ARG(event->text));
}

/* Lines that the log's level keeps out of the file as well, and each action once. */
static void test_sink_gets_all_from_info_on(void **state)
{
    (void)state;
    struct err e;
    struct buf seen = BUF_EMPTY;
    char *path = path_in(dir, "sink"), *actions = path_in(dir, "sink.actions");
    assert_true(log_open(path, LOG_LEVEL_WARNING, &e));
    assert_true(log_open_actions(actions, &e));
    log_info("smtpd", "id1", "before there is a sink");
    log_set_sink(add_event, &seen);
    log_debug("smtpd", "id1", "too much");
    errno = ENOENT;
    log_info("smtpd", "id1", "from=<%s> cause=%m", "a>\n");
    assert_int_equal(errno, ENOENT);
    log_error("queue", NULL, "full");
    log_info_action("imap", "i2", "expunge");
    log_action("imap", "i3", "copy");
    log_trace("imap", "i4", "flags=<%s>", "\\Seen");
    log_set_sink(NULL, NULL);
    log_error("queue", NULL, "nobody listens");
    log_trace("imap", "i4", "nor here");
    assert_string_equal(
        buf_c(&seen),
        "1 smtpd|id1|from=<a\\x3e\\x0a> cause=No\\x20such\\x20file\\x20or\\x20directory\n"
        "3 queue||full\n1 imap|i2|expunge\n1 imap|i3|copy\n1 imap|i4|flags=<\\Seen>\n");
    struct buf b = content(path);
    assert_null(strstr(b.p, "from="));
    assert_non_null(strstr(b.p, "error queue: full\n"));
    assert_null(strstr(b.p, "flags="));
    buf_free(&b);
    buf_free(&seen);
    assert_true(log_open_actions(NULL, &e));
    free(actions);
    free(path);
}

static void expect_in(const char *path, const char *text, bool there)
{
    struct buf b = content(path);
    if ((strstr(b.p, text) != NULL) != there)
        fail_msg("%s %s \"%s\"", path, there ? "lacks" : "has", text);
    buf_free(&b);
}

static struct log_change *prepare_file(const char *path, enum log_level least, const char *actions,
                                       struct err *e)
{
    return log_prepare(&(struct log_target){LOG_KIND_FILE, path}, 1, least, actions, e);
}

/* Files that cannot be opened change nothing; what is not applied leaves nothing. */
static void test_change_in_two_steps(void **state)
{
    (void)state;
    struct err e;
    char *one = path_in(dir, "one"), *two = path_in(dir, "two"), *actions = path_in(dir, "actions");
    char *missing = path_in(dir, "missing/log");
    assert_true(log_open(one, LOG_LEVEL_INFO, &e));
    assert_null(prepare_file(missing, LOG_LEVEL_DEBUG, "", &e));
    assert_non_null(strstr(e.text, "missing/log"));
    assert_null(prepare_file(two, LOG_LEVEL_DEBUG, missing, &e));
    assert_int_equal(access(two, F_OK), -1);
    struct log_change *c = prepare_file(two, LOG_LEVEL_ERROR, actions, &e);
    assert_non_null(c);
    log_info("maild", NULL, "still one");
    log_forget(c);
    assert_int_equal(access(two, F_OK), -1);
    assert_int_equal(access(actions, F_OK), -1);
    expect_in(one, "still one", true);

    c = prepare_file(two, LOG_LEVEL_DEBUG, actions, &e);
    log_info("maild", NULL, "before");
    log_apply(c);
    log_debug("maild", NULL, "after");
    log_action("store", NULL, "action");
    expect_in(one, "before", true);
    expect_in(one, "after", false);
    expect_in(two, "after", true);
    expect_in(two, "action", false);
    expect_in(actions, "action", true);

    c = prepare_file(two, LOG_LEVEL_INFO, "", &e); /* the same file goes on */
    log_apply(c);
    log_action("store", NULL, "again");
    expect_in(two, "after", true);
    expect_in(two, "again", true);
    free(one);
    free(two);
    free(actions);
    free(missing);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_values_forge_no_fields),
        cmocka_unit_test(test_long_lines_are_cut),
        cmocka_unit_test(test_reopen),
        cmocka_unit_test(test_lines_of_threads_do_not_mix),
        cmocka_unit_test(test_sink_gets_all_from_info_on),
        cmocka_unit_test(test_change_in_two_steps),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
