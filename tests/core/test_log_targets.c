/*
 * Where the log goes besides a file: syslog and the journal, played by sockets of ours; and what
 * becomes of lines that a target does not take.
 */
#include "core/log_test.h"

#include "core/mem.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static int listen_at(const char *path)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_true(strlen(path) < sizeof a.sun_path);
    memcpy(a.sun_path, path, strlen(path));
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    return fd;
}

/* The next datagram, waited for. */
static char *receive(int fd)
{
    static char text[9000];
    struct pollfd p = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&p, 1, 30000), 1);
    ssize_t n = recv(fd, text, sizeof text - 1, 0);
    assert_true(n > 0);
    text[n] = '\0';
    return text;
}

static void go_to(const struct log_target *list, size_t count)
{
    struct err e = {.text = ""};
    struct log_change *c = log_prepare(list, count, LOG_LEVEL_INFO, "", &e);
    if (!c)
        fail_msg("%s", e.text);
    log_apply(c);
}

static void expect(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("\"%s\" lacks \"%s\"", text, part);
}

static void test_syslog_and_journal(void **state)
{
    (void)state;
    char *syslog = path_in(dir, "log"), *journal = path_in(dir, "journal");
    int one = listen_at(syslog), two = listen_at(journal);
    go_to((struct log_target[]){{LOG_KIND_SYSLOG, syslog}, {LOG_KIND_JOURNAL, journal}}, 2);
    log_info("queue", "25wz5mkg01t4j", "removed");
    log_error("maild", NULL, "not started: x\ny=z");

    const char *line = receive(one);
    assert_int_equal(strncmp(line, "<22>", 4), 0);
    expect(line, " maild[");
    expect(line, "]: info queue[25wz5mkg01t4j]: removed");
    line = receive(one);
    assert_int_equal(strncmp(line, "<19>", 4), 0);
    expect(line, ": error maild: not started: x\\x0ay=z");

    line = receive(two);
    assert_int_equal(strncmp(line, "MESSAGE=info queue[25wz5mkg01t4j]: removed\nPRIORITY=6\n", 54),
                     0);
    expect(line, "\nSYSLOG_IDENTIFIER=maild\n");
    expect(line, "\nMAILD_COMPONENT=queue\n");
    expect(line, "\nMAILD_ID=25wz5mkg01t4j\n");
    line = receive(two);
    expect(line, "\nPRIORITY=3\n");
    assert_null(strstr(line, "MAILD_ID"));
    assert_null(strstr(line, "\ny=z"));
    close(one);
    close(two);
    free(syslog);
    free(journal);
}

/* Started before syslog, and syslog is started anew: nothing is lost. */
static void test_syslog_comes_and_goes(void **state)
{
    (void)state;
    struct buf troubles = BUF_EMPTY;
    char *path = path_in(dir, "late");
    go_to((struct log_target[]){{LOG_KIND_SYSLOG, path}}, 1);
    log_info("maild", NULL, "early");
    log_flush();
    log_troubles(&troubles);
    expect(buf_c(&troubles), "late cannot be written since ");
    int fd = listen_at(path);
    expect(receive(fd), "early");
    close(fd);
    unlink(path);
    fd = listen_at(path);
    log_info("maild", NULL, "again");
    expect(receive(fd), "again");
    log_flush();
    buf_clear(&troubles);
    log_troubles(&troubles);
    expect(buf_c(&troubles), "late could not be written from ");
    assert_null(strstr(buf_c(&troubles), "lost"));
    buf_free(&troubles);
    close(fd);
    free(path);
}

/* A target that fails to open changes nothing. */
static void test_all_or_nothing(void **state)
{
    (void)state;
    struct err e;
    char *path = path_in(dir, "stays"), *missing = path_in(dir, "none/log");
    int fd = listen_at(path);
    go_to((struct log_target[]){{LOG_KIND_SYSLOG, path}}, 1);
    assert_null(log_prepare(
        (struct log_target[]){{LOG_KIND_STDERR, NULL}, {LOG_KIND_FILE, missing}}, 2, 0, "", &e));
    expect(e.text, "none/log");
    log_info("maild", NULL, "still here");
    expect(receive(fd), "still here");
    close(fd);
    free(path);
    free(missing);
}

static void limit_files(rlim_t size)
{
    struct rlimit limit;
    getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = size;
    setrlimit(RLIMIT_FSIZE, &limit);
}

/* The file takes no more for a while. What was logged meanwhile follows, as far as it was kept; how
 * much is missing is said there, and for whoever asks. */
static void test_file_is_full(void **state)
{
    (void)state;
    struct buf troubles = BUF_EMPTY;
    char *path = path_in(dir, "full");
    char *long_text = mem_alloc(3001);
    memset(long_text, 'x', 3000);
    long_text[3000] = '\0';
    signal(SIGXFSZ, SIG_IGN);
    go_to((struct log_target[]){{LOG_KIND_FILE, path}}, 1);
    log_info("maild", NULL, "first");
    log_flush();
    limit_files(100);
    log_info("maild", NULL, "this line is cut in the middle and goes on where it was cut");
    log_flush();
    for (int i = 0; i < 1000; i++)
        log_info("maild", NULL, "line=%d %s", i, long_text);
    log_troubles(&troubles);
    expect(buf_c(&troubles), "full cannot be written since ");
    expect(buf_c(&troubles), "File too large; ");
    limit_files(RLIM_INFINITY);
    log_flush();
    log_info("maild", NULL, "last");
    log_flush();
    struct buf all = content(path);
    expect(buf_c(&all), "this line is cut in the middle and goes on where it was cut\n");
    expect(buf_c(&all), "line=100 ");
    assert_null(strstr(buf_c(&all), "line=999 "));
    expect(buf_c(&all), " warning maild: lines of the log were lost count=");
    expect(buf_c(&all), " last\n");
    buf_clear(&troubles);
    log_troubles(&troubles);
    expect(buf_c(&troubles), "full could not be written from ");
    expect(buf_c(&troubles), " lines are lost\n");
    buf_free(&troubles);
    buf_free(&all);
    free(long_text);
    free(path);
}

/* What a pipe held until now, and what comes until `last` stands in it. */
static struct buf read_until(int fd, const char *last)
{
    struct buf all = BUF_EMPTY;
    struct pollfd p = {.fd = fd, .events = POLLIN};
    while (!strstr(buf_c(&all), last)) {
        assert_int_equal(poll(&p, 1, 30000), 1);
        ssize_t n = read(fd, buf_reserve(&all, 65536), 65536);
        assert_true(n > 0);
        all.n += (size_t)n;
    }
    return all;
}

/* The lines "line=N" are there from `first` on, each behind the one before. Returns how many. */
static int count_in_order(const char *text, int first)
{
    char line[32];
    for (int n = first;; n++) {
        snprintf(line, sizeof line, " line=%d ", n);
        const char *found = strstr(text, line);
        if (!found)
            return n - first;
        text = found;
    }
}

/* Whoever logs, flushes, opens anew or goes elsewhere is not held up by a target that hangs; what
 * the memory holds comes in order, and how much is missing is said. */
static void test_nobody_reads(void **state)
{
    (void)state;
    struct buf troubles = BUF_EMPTY;
    char *path = path_in(dir, "pipe"), *other = path_in(dir, "elsewhere");
    char *filling = mem_alloc(1001);
    memset(filling, 'x', 1000);
    filling[1000] = '\0';
    assert_int_equal(mkfifo(path, 0600), 0);
    int reader = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    go_to((struct log_target[]){{LOG_KIND_FILE, path}}, 1);
    for (int i = 0; i < 3000; i++)
        log_error("maild", NULL, "line=%d %s", i, filling);
    usec begin = clock_monotonic();
    log_flush();
    log_flush();
    log_flush();
    assert_in_range(clock_monotonic() - begin, USEC_SEC, 10 * USEC_SEC);
    log_troubles(&troubles);
    expect(buf_c(&troubles), "pipe takes no lines since ");
    expect(buf_c(&troubles), "hangs; ");
    expect(buf_c(&troubles), " lines are lost\n");

    begin = clock_monotonic();
    struct err e;
    assert_true(log_reopen(&e));
    go_to((struct log_target[]){{LOG_KIND_FILE, other}}, 1);
    log_error("maild", NULL, "from here on");
    assert_in_range(clock_monotonic() - begin, 0, USEC_SEC);
    fcntl(reader, F_SETFL, 0);
    struct buf all = read_until(reader, "lines of the log were lost count=");
    assert_in_range(count_in_order(buf_c(&all), 0), 1000, 2999);
    assert_null(strstr(buf_c(&all), "from here on"));
    buf_free(&all);
    all = content(other);
    expect(buf_c(&all), ": from here on\n");
    assert_null(strstr(buf_c(&all), "line="));
    buf_clear(&troubles);
    log_troubles(&troubles);
    assert_null(strstr(buf_c(&troubles), "takes no lines"));
    close(reader);
    free(filling);
    buf_free(&all);
    buf_free(&troubles);
    free(path);
    free(other);
}

/* An error is out soon without anybody's asking. */
static void test_lines_come_soon(void **state)
{
    (void)state;
    char *path = path_in(dir, "soon");
    assert_int_equal(mkfifo(path, 0600), 0);
    int reader = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    go_to((struct log_target[]){{LOG_KIND_FILE, path}}, 1);
    fcntl(reader, F_SETFL, 0);
    log_error("maild", NULL, "error");
    struct buf all = read_until(reader, ": error\n");
    buf_free(&all);
    log_info("maild", NULL, "info");
    all = read_until(reader, ": info\n");
    buf_free(&all);
    close(reader);
    free(path);
}

/* Standard error that is the journal's. */
static void test_priorities_on_standard_error(void **state)
{
    (void)state;
    struct stat st;
    char *path = path_in(dir, "stderr"), named[64];
    int saved = dup(STDERR_FILENO), fd = open(path, O_RDWR | O_CREAT | O_APPEND, 0600);
    dup2(fd, STDERR_FILENO);
    fstat(fd, &st);
    go_to((struct log_target[]){{LOG_KIND_STDERR, NULL}}, 1);
    log_info("maild", NULL, "plain");
    log_flush();
    snprintf(named, sizeof named, "%llu:%llu", (unsigned long long)st.st_dev,
             (unsigned long long)st.st_ino);
    setenv("JOURNAL_STREAM", named, 1);
    log_warning("maild", NULL, "with priority");
    log_flush();
    unsetenv("JOURNAL_STREAM");
    dup2(saved, STDERR_FILENO);
    struct buf all = content(path);
    assert_int_equal(all.p[0], '2');
    expect(buf_c(&all), "plain\n<4>2");
    expect(buf_c(&all), "with priority\n");
    buf_free(&all);
    close(fd);
    close(saved);
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_syslog_and_journal),
                                       cmocka_unit_test(test_syslog_comes_and_goes),
                                       cmocka_unit_test(test_all_or_nothing),
                                       cmocka_unit_test(test_file_is_full),
                                       cmocka_unit_test(test_nobody_reads),
                                       cmocka_unit_test(test_lines_come_soon),
                                       cmocka_unit_test(test_priorities_on_standard_error)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
