/* A process that dies of a fault says what it worked on; who is found twice is accused. */
#include "core/arena.h"
#include "core/crash.h"
#include "core/disk.h"
#include "core/log.h"
#include "core/worker.h"
#include "helper.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char *path;

static int set_up(void **state)
{
    char template[] = "/tmp/maild-crash-XXXXXX";
    struct buf p = BUF_EMPTY;
    (void)state;
    assert_non_null(mkdtemp(template));
    buf_printf(&p, "%s/crashes", template);
    path = strdup(buf_c(&p));
    buf_free(&p);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(path);
    *strrchr(path, '/') = '\0';
    rmdir(path);
    free(path);
    return 0;
}

static void write_lines(const char *text)
{
    struct err e;
    assert_true(disk_replace_file(path, str_from_c(text), 0600, &e));
}

static struct crashes *opened(void)
{
    struct err e;
    struct crashes *c = crashes_open(path, &e);
    if (!c)
        print_error("%s\n", e.text);
    assert_non_null(c);
    return c;
}

static char *line_of(const char *what, int64_t ago)
{
    static char line[2000];
    snprintf(line, sizeof(line), "%lld\t11\t%s\n", (long long)(clock_wall() / USEC_SEC - ago),
             what);
    return line;
}

/* --- the file --- */

static void test_twice_is_too_often(void **state)
{
    struct buf text = BUF_EMPTY;
    (void)state;
    buf_add_c(&text, line_of("message\tA1\t-", 20));
    buf_add_c(&text, line_of("mailbox\ta/b\tWork%20%25%2D", 10));
    buf_add_c(&text, line_of("message\tA1\t-", 5));
    write_lines(buf_c(&text));
    struct crashes *c = opened();
    assert_true(crashes_accuse(c, SUSPECT_MESSAGE, STR("A1"), STR("")));
    assert_false(crashes_accuse(c, SUSPECT_MESSAGE, STR("A2"), STR("")));
    assert_false(crashes_accuse(c, SUSPECT_SENDER, STR("A1"), STR("")));
    assert_false(crashes_accuse(c, SUSPECT_MAILBOX, STR("a/b"), STR("Work %-")));
    assert_int_equal(crashes_at(c, 1)->signal, 11);
    assert_memory_equal(crashes_at(c, 1)->part.p, "Work %-", 7);
    assert_null(crashes_at(c, 3));
    assert_false(crashes_accuse(NULL, SUSPECT_MESSAGE, STR("A1"), STR("")));
    crashes_free(c);
    buf_free(&text);
}

static void save(void *arg)
{
    struct err e;
    assert_true(crashes_save(arg, &e));
    assert_true(crashes_save(NULL, &e));
}

static void test_forgiven_is_forgotten_in_the_file_too(void **state)
{
    struct buf text = BUF_EMPTY;
    (void)state;
    for (int i = 0; i < 2; i++) {
        buf_add_c(&text, line_of("mailbox\ta/b\tOne", 20));
        buf_add_c(&text, line_of("mailbox\ta/b\tTwo", 20));
    }
    write_lines(buf_c(&text));
    struct crashes *c = opened();
    assert_int_equal(crashes_forgive(c, SUSPECT_MAILBOX, STR("a/b"), STR("One")), 2);
    run_in_fiber(save, c);
    assert_false(crashes_accuse(c, SUSPECT_MAILBOX, STR("a/b"), STR("One")));
    crashes_free(c);
    c = opened();
    assert_false(crashes_accuse(c, SUSPECT_MAILBOX, STR("a/b"), STR("One")));
    assert_true(crashes_accuse(c, SUSPECT_MAILBOX, STR("a/b"), STR("Two")));
    assert_int_equal(crashes_forgive(c, SUSPECT_MAILBOX, STR("a/b"), (struct str){0}), 2);
    assert_null(crashes_at(c, 0));
    crashes_free(c);
    buf_free(&text);
}

static void test_old_ones_do_not_count_but_who_is_accused_stays(void **state)
{
    const int64_t month = 30 * 86400;
    struct buf text = BUF_EMPTY;
    (void)state;
    for (int i = 0; i < 2; i++) {
        buf_add_c(&text, line_of("message\tA1\t-", month));
        buf_add_c(&text, line_of("mailbox\ta/b\tOne", month));
        buf_add_c(&text, line_of("sender\t192.0.2.1\tx@y", 3700));
    }
    buf_add_c(&text, line_of("mailbox\ta/b\tTwo", month));
    write_lines(buf_c(&text));
    struct crashes *c = opened();
    assert_false(crashes_accuse(c, SUSPECT_MESSAGE, STR("A1"), STR("")));
    assert_true(crashes_accuse(c, SUSPECT_MAILBOX, STR("a/b"), STR("One")));
    assert_false(crashes_accuse(c, SUSPECT_SENDER, STR("192.0.2.1"), STR("x@y")));
    assert_null(crashes_at(c, 2));
    crashes_free(c);
    buf_free(&text);
}

static void test_lines_that_cannot_be_read_are_left_out(void **state)
{
    static const char *const bad[] = {
        "",
        "x\t11\tmessage\tA1\t-\n",
        "1\t11\tmessage\tA1\n",
        "1\t11\tfolder\tA1\t-\n",
        "99999999999999999999\t11\tmessage\tA1\t-\n",
        "4000000000000000000\t11\tmessage\tA1\t-\n",
        "1\t999\tmessage\tA1\t-\n",
        "1\t11\tmessage\tA%1\t-\n",
        "1\t11\tmessage\tA1\t%GG\n",
        "1\t11\tmess",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        write_lines(bad[i]);
        struct crashes *c = opened();
        assert_null(crashes_at(c, 0));
        crashes_free(c);
    }
}

static void test_the_file_is_bounded(void **state)
{
    struct buf text = BUF_EMPTY;
    (void)state;
    for (int i = 0; i < 3000; i++) {
        char what[64];
        snprintf(what, sizeof(what), "message\tM%d\t-", i);
        buf_add_c(&text, line_of(what, 20));
    }
    write_lines(buf_c(&text));
    struct crashes *c = opened();
    size_t count = 0;
    while (crashes_at(c, count))
        count++;
    assert_int_equal(count, 1000);
    assert_memory_equal(crashes_at(c, 999)->name.p, "M2999", 5);
    crashes_free(c);
    buf_free(&text);
}

/* --- processes that die --- */

static void die(void *arg)
{
    (void)arg;
    raise(SIGSEGV);
}

static void die_in_a_worker(void *arg)
{
    struct suspect s;
    (void)arg;
    suspect_begin(&s, SUSPECT_MAILBOX, STR("example.test/alice"),
                  STR("Gr\xc3\xbc\xc3\x9f"
                      "e"));
    worker_run(WORKER_CPU, die, NULL);
    suspect_end(&s);
}

static void wait_a_while(void *arg)
{
    struct suspect s;
    (void)arg;
    suspect_begin(&s, SUSPECT_MESSAGE, STR("other"), STR(""));
    fiber_sleep(10 * USEC_SEC, NULL);
    suspect_end(&s);
}

static void die_in_a_fiber(void *arg)
{
    struct suspect outer, inner;
    (void)arg;
    suspect_begin(&outer, SUSPECT_MESSAGE, STR("A1"), STR(""));
    suspect_begin(&inner, SUSPECT_MAILBOX, STR("a/b"), STR("x"));
    suspect_end(&inner);
    fiber_sleep(USEC_MSEC, NULL); /* the other one is begun by now */
    abort();
}

/* 16 MB: no stack is that large. */
static char die_of_recursion(unsigned depth)
{
    volatile char room[4096];
    room[depth % sizeof(room)] = (char)depth;
    if (depth < 4096)
        room[0] = (char)(room[1] + die_of_recursion(depth + 1));
    return room[depth % sizeof(room)];
}

static void die_of_a_full_stack(void *arg)
{
    struct suspect s;
    suspect_begin(&s, SUSPECT_MESSAGE, STR("deep"), STR(""));
    (void)arg;
    die_of_recursion(0);
    suspect_end(&s);
}

static void die_without_blame(void *arg)
{
    struct suspect s;
    suspect_begin(&s, SUSPECT_MESSAGE, STR("A1"), STR(""));
    suspect_end(&s);
    die(arg);
}

/* A process that runs these fibers does not end well. */
static bool died(void (*first)(void *arg), void (*second)(void *arg))
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct err e;
        struct loop *l = loop_new(&e);
        signal(SIGSEGV, SIG_DFL); /* cmocka's own */
        if (!freopen("/dev/null", "w", stderr))
            _exit(0);
        crashes_free(opened());
        fiber_start(l, "first", first, NULL);
        if (second)
            fiber_start(l, "second", second, NULL);
        loop_run(l);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return !WIFEXITED(status) || WEXITSTATUS(status) != 0;
}

static void test_whose_fault_it_was(void **state)
{
    (void)state;
    assert_true(died(die_in_a_fiber, wait_a_while));
    assert_true(died(die_in_a_worker, NULL));
    assert_true(died(die_of_a_full_stack, NULL));
    assert_true(died(die_without_blame, NULL));
    struct crashes *c = opened();
    assert_int_equal(crashes_at(c, 0)->signal, SIGABRT);
    assert_int_equal(crashes_at(c, 0)->kind, SUSPECT_MESSAGE);
    assert_true(str_equal(crashes_at(c, 0)->name, STR("A1")));
    assert_int_equal(crashes_at(c, 1)->kind, SUSPECT_MAILBOX);
    assert_true(str_equal(crashes_at(c, 1)->name, STR("example.test/alice")));
    assert_true(str_equal(crashes_at(c, 1)->part, STR("Gr\xc3\xbc\xc3\x9f"
                                                      "e")));
    assert_true(str_equal(crashes_at(c, 2)->name, STR("deep")));
    assert_null(crashes_at(c, 3));
    crashes_free(c);
}

/* What was logged last tells what happened. */
static void log_and_die(void *arg)
{
    struct err e;
    struct buf log = BUF_EMPTY;
    buf_printf(&log, "%s.log", path);
    if (!log_open(buf_c(&log), LOG_LEVEL_INFO, &e))
        _exit(0);
    for (int i = 0; i < 3; i++)
        log_info("maild", NULL, "line=%d", i);
    log_error("maild", NULL, "this is bad");
    die(arg);
}

static void test_the_last_lines_are_in_the_log(void **state)
{
    struct err e;
    struct buf log = BUF_EMPTY, text = BUF_EMPTY;
    (void)state;
    assert_true(died(log_and_die, NULL));
    buf_printf(&log, "%s.log", path);
    assert_true(disk_read_file(buf_c(&log), 1 << 20, &text, &e));
    const char *last = strstr(buf_c(&text), " line=2\n");
    assert_non_null(last);
    assert_non_null(strstr(last, ": this is bad\n"));
    unlink(buf_c(&log));
    buf_free(&log);
    buf_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        /* First: what is watched is for the life of the process. */
        cmocka_unit_test_setup_teardown(test_the_last_lines_are_in_the_log, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_whose_fault_it_was, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_twice_is_too_often, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_forgiven_is_forgotten_in_the_file_too, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_old_ones_do_not_count_but_who_is_accused_stays, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_lines_that_cannot_be_read_are_left_out, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_the_file_is_bounded, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
