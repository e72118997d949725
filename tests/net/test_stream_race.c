/* Connecting to the first of several addresses: silent ones, refusing ones, wrong ones. */
#include "net/net_test.h"
#include "net/stream_race.h"

static const struct stream_race rules = {.stagger = 20 * USEC_MSEC, .timeout = 10 * USEC_SEC};

/* A socket that listens at the address; its port. backlog 0 and two clients make it swallow SYNs.
 */
static int listen_at(const char *address, int backlog, uint16_t *port)
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    socklen_t n = sizeof(in);
    assert_int_equal(inet_pton(AF_INET, address, &in.sin_addr), 1);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof(in)), 0);
    assert_int_equal(listen(fd, backlog), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &n), 0);
    *port = ntohs(in.sin_port);
    return fd;
}

struct silent {
    int fd, clients[3];
    uint16_t port;
};

static struct silent silent_at(const char *address)
{
    struct silent s;
    struct sockaddr_in in = {.sin_family = AF_INET};
    s.fd = listen_at(address, 0, &s.port);
    inet_pton(AF_INET, address, &in.sin_addr);
    in.sin_port = htons(s.port);
    for (size_t i = 0; i < 3; i++) {
        s.clients[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        connect(s.clients[i], (struct sockaddr *)&in, sizeof(in));
    }
    return s;
}

static void silent_close(const struct silent *s)
{
    close(s->fd);
    for (size_t i = 0; i < 3; i++)
        close(s->clients[i]);
}

static void answers_behind_silence(void)
{
    struct silent silent = silent_at("127.0.0.1");
    uint16_t port;
    size_t winner = 9;
    struct stream *s;
    int fd = listen_at("127.0.0.2", 5, &port);
    struct stream_target targets[] = {{.address = "127.0.0.1", .port = silent.port},
                                      {.address = "127.0.0.1", .port = silent.port},
                                      {.address = "127.0.0.2", .port = port}};
    assert_ok(s = stream_connect_race(loop, targets, 3, &rules, &winner, e));
    assert_int_equal(winner, 2);
    assert_string_equal(stream_peer(s), "127.0.0.2");
    assert_int_equal(targets[0].error.kind, ERR_NONE);
    stream_close(s);
    close(fd);
    silent_close(&silent);
}

/* The next one is not waited for when nobody is under way. */
static void answers_behind_refusals(void)
{
    static const struct stream_race patient = {.stagger = 60 * USEC_SEC, .timeout = USEC_SEC};
    uint16_t closed, port;
    size_t winner = 9;
    struct stream *s;
    close(listen_at("127.0.0.1", 5, &closed));
    int fd = listen_at("127.0.0.1", 5, &port);
    struct stream_target targets[] = {
        {.address = "127.0.0.1", .port = closed},
        {.address = "no address", .port = closed},
        {.address = "unix:/nonexistent/socket"},
        {.address = "127.0.0.1", .port = port, .source = "::1"},
        {.address = "127.0.0.1", .port = port, .source = "127.0.0.5"}};
    assert_ok(s = stream_connect_race(loop, targets, 5, &patient, &winner, e));
    assert_int_equal(winner, 4);
    assert_string_equal(stream_local(s), "127.0.0.5");
    assert_int_equal(targets[0].error.kind, ERR_CLOSED);
    assert_non_null(strstr(targets[0].error.text, "refused"));
    assert_int_equal(targets[1].error.kind, ERR_PERM);
    assert_int_equal(targets[2].error.kind, ERR_CLOSED);
    assert_non_null(strstr(targets[3].error.text, "not of the target's family"));
    assert_int_equal(targets[4].error.kind, ERR_NONE);
    stream_close(s);
    close(fd);
}

static void nobody_answers(void)
{
    static const struct stream_race short_time = {.stagger = USEC_MSEC, .timeout = 50 * USEC_MSEC};
    struct silent silent = silent_at("127.0.0.1");
    uint16_t closed;
    size_t winner = 9;
    close(listen_at("127.0.0.1", 5, &closed));
    struct stream_target targets[] = {{.address = "127.0.0.1", .port = silent.port},
                                      {.address = "127.0.0.1", .port = closed}};
    assert_err(stream_connect_race(loop, targets, 2, &short_time, &winner, e), ERR_TIMEOUT);
    assert_int_equal(targets[0].error.kind, ERR_TIMEOUT);
    assert_int_equal(targets[1].error.kind, ERR_CLOSED);
    assert_err(stream_connect_race(loop, targets, 0, &short_time, &winner, e), ERR_PERM);
    assert_int_equal(winner, 9);
    silent_close(&silent);
}

static void cancel_test(void *arg)
{
    (void)arg;
    fiber_cancel(test_fiber);
}

static void cancelled(void)
{
    struct silent silent = silent_at("127.0.0.1");
    size_t winner;
    struct stream_target target = {.address = "127.0.0.1", .port = silent.port};
    fiber_start(loop, "canceller", cancel_test, NULL);
    assert_err(stream_connect_race(loop, &target, 1, &rules, &winner, e), ERR_CANCELLED);
    silent_close(&silent);
}

#define LOOP_TEST(name)                                                                            \
    static void test_##name(void **state)                                                          \
    {                                                                                              \
        (void)state;                                                                               \
        in_loop(name);                                                                             \
    }

LOOP_TEST(answers_behind_silence)
LOOP_TEST(answers_behind_refusals)
LOOP_TEST(nobody_answers)
LOOP_TEST(cancelled)

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_answers_behind_silence),
                                       cmocka_unit_test(test_answers_behind_refusals),
                                       cmocka_unit_test(test_nobody_answers),
                                       cmocka_unit_test(test_cancelled)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
