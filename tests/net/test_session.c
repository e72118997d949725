/* A protocol that repeats each line, and says "news" when it is woken. */
#include "net/session.h"

#include "net_test.h"

#include <string.h>

struct echo {
    struct session net;
    char *finished; /* where to note why it ended */
};

static struct session_list *list;
static struct listener_settings listener = {.name = "test", .tls = SERVICE_TLS_NONE};
static struct service service;
static usec timeout, silence;
static bool slow; /* work waits for a while */

static void greet(struct session *s)
{
    struct err e;
    stream_write(s->stream, STR("hello\n"), &e);
}

static void work(struct session *s, unsigned events)
{
    struct err e;
    struct str line;
    if (events & SESSION_NEWS)
        stream_write(s->stream, STR("news\n"), &e);
    if (events & SESSION_TIMEOUT) {
        stream_write(s->stream, STR("too long\n"), &e);
        session_end(s, "timeout");
    }
    if (slow && !fiber_sleep(USEC_SEC * 60, &e))
        session_end_failed(s, &e);
    if (!(events & SESSION_INPUT))
        return;
    if (!session_read_line(s, 100, &line, NULL, &e)) {
        session_end_failed(s, &e);
        return;
    }
    stream_printf(s->stream, &e, "%.*s\n", STR_ARG(line));
    if (str_equal(line, STR("quit")))
        session_end(s, "quit");
}

static usec parked_timeout(const struct session *s)
{
    (void)s;
    return timeout;
}

static usec silence_wanted(const struct session *s)
{
    (void)s;
    return silence;
}

static void farewell(struct session *s, enum session_farewell why, const char *text)
{
    struct buf b = BUF_EMPTY;
    buf_printf(&b, "%d %s\n", (int)why, text);
    stream_write_now(s->stream, buf_str(&b));
    buf_free(&b);
}

static void finish(struct session *s)
{
    struct echo *echo = (struct echo *)s;
    snprintf(echo->finished, 40, "%s", s->ended);
    free(echo);
}

static const struct session_protocol protocol = {.kind = {"echo", session_kick, session_idle_since},
                                                 .silence = silence_wanted,
                                                 .greet = greet,
                                                 .work = work,
                                                 .timeout = parked_timeout,
                                                 .farewell = farewell,
                                                 .finish = finish};

static struct session *begin(struct stream **client, char *finished)
{
    int fds[2];
    struct echo *echo = MEM_NEW(struct echo);
    tcp_pair(fds);
    echo->finished = finished;
    finished[0] = 0;
    service = (struct service){.references = 1000, .listener = &listener, .hostname = "test"};
    *client = stream_new(loop, fds[0]);
    session_accept(&echo->net, &protocol, loop, list, &service, stream_new(loop, fds[1]));
    return &echo->net;
}

static void expect(struct stream *client, const char *text)
{
    struct err e = {0};
    struct str line;
    assert_true(stream_read_line(client, 1000, &line, NULL, &e));
    assert_true(str_equal(line, str_from_c(text)));
}

static void say(struct stream *client, const char *text)
{
    struct err e;
    assert_true(stream_write(client, str_from_c(text), &e) && stream_flush(client, &e));
}

static void expect_end(struct stream *client)
{
    struct err e = {0};
    assert_false(stream_fill(client, 100, &e));
    assert_int_equal(e.kind, ERR_CLOSED);
    stream_close(client);
    assert_int_equal(session_list_count(list), 0);
}

static void commands(void)
{
    struct stream *client;
    char finished[40];
    struct session *s = begin(&client, finished);
    expect(client, "hello");
    let_run();
    assert_null(s->fiber);
    assert_true(stream_is_parked(s->stream));
    say(client, "one\ntwo\nthr");
    expect(client, "one");
    expect(client, "two");
    say(client, "ee\nquit\nafter\n");
    expect(client, "three");
    expect(client, "quit");
    expect_end(client);
    assert_string_equal(finished, "quit");
}

/* The greeting is held back: no fiber waits, and who speaks meanwhile is seen. */
static void silent(void)
{
    struct stream *client;
    char finished[40];
    silence = USEC_MSEC;
    struct session *s = begin(&client, finished);
    assert_null(s->fiber);
    expect(client, "hello");
    say(client, "quit\n");
    expect(client, "quit");
    expect_end(client);
    assert_string_equal(finished, "quit");
}

static void early(void)
{
    struct stream *client;
    char finished[40];
    silence = 3600 * USEC_SEC;
    struct session *s = begin(&client, finished);
    say(client, "one\n");
    expect(client, "hello");
    expect(client, "one");
    assert_true(s->early);
    say(client, "quit\n");
    expect(client, "quit");
    expect_end(client);

    begin(&client, finished);
    stream_close(client);
    while (!finished[0])
        let_run();
    assert_string_equal(finished, "connection closed");

    s = begin(&client, finished);
    let_run();
    session_kick(&s->entry, "go");
    expect(client, "2 go");
    expect_end(client);
    silence = 0;
}

static void news(void)
{
    struct stream *client;
    char finished[40];
    struct session *s = begin(&client, finished);
    expect(client, "hello");
    let_run();
    session_wake(s);
    session_wake(s);
    expect(client, "news");
    say(client, "quit\n");
    expect(client, "quit");
    expect_end(client);
}

static void time_out(void)
{
    struct stream *client;
    char finished[40];
    timeout = 20 * USEC_MSEC;
    begin(&client, finished);
    expect(client, "hello");
    expect(client, "too long");
    expect_end(client);
    assert_string_equal(finished, "timeout");
}

static void peer_goes(void)
{
    struct stream *client;
    char finished[40];
    begin(&client, finished);
    expect(client, "hello");
    let_run();
    stream_close(client);
    assert_true(session_list_wait_empty(list, deadline_in(10 * USEC_SEC)));
    assert_string_equal(finished, "connection closed");
}

static void kicked_while_parked(void)
{
    struct stream *client;
    char finished[40];
    struct session *s = begin(&client, finished);
    expect(client, "hello");
    let_run();
    session_kick(&s->entry, "go away");
    assert_string_equal(finished, "kicked");
    expect(client, "2 go away");
    expect_end(client);
}

static void kicked_at_work(void)
{
    struct stream *client;
    char finished[40];
    struct session *s = begin(&client, finished);
    expect(client, "hello");
    slow = true;
    say(client, "one\n");
    while (!s->fiber)
        fiber_yield();
    session_kick(&s->entry, "go away");
    session_kick(&s->entry, "twice does no harm");
    assert_true(session_list_wait_empty(list, deadline_in(10 * USEC_SEC)));
    assert_string_equal(finished, "kicked");
    expect(client, "2 go away");
    expect_end(client);
}

static void refused(void)
{
    struct stream *client;
    char finished[40];
    session_list_refuse(list);
    begin(&client, finished);
    assert_string_equal(finished, "refused");
    expect(client, "0 Too many connections, try again later");
    expect_end(client);
}

static void run(void (*fn)(void))
{
    list = session_list_new();
    timeout = 60 * USEC_SEC;
    slow = false;
    in_loop(fn);
    session_list_free(list);
}

#define TEST(name, fn)                                                                             \
    static void name(void **state)                                                                 \
    {                                                                                              \
        (void)state;                                                                               \
        run(fn);                                                                                   \
    }
TEST(test_commands_are_run_as_they_come, commands)
TEST(test_the_greeting_waits_for_silence, silent)
TEST(test_who_speaks_before_the_greeting_is_seen, early)
TEST(test_news_wake_a_parked_session_once, news)
TEST(test_a_silent_client_times_out, time_out)
TEST(test_a_client_that_goes_ends_the_session, peer_goes)
TEST(test_a_parked_session_is_kicked_at_once, kicked_while_parked)
TEST(test_a_session_at_work_is_kicked_while_it_waits, kicked_at_work)
TEST(test_a_refused_client_is_told_why, refused)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_commands_are_run_as_they_come),
        cmocka_unit_test(test_the_greeting_waits_for_silence),
        cmocka_unit_test(test_who_speaks_before_the_greeting_is_seen),
        cmocka_unit_test(test_news_wake_a_parked_session_once),
        cmocka_unit_test(test_a_silent_client_times_out),
        cmocka_unit_test(test_a_client_that_goes_ends_the_session),
        cmocka_unit_test(test_a_parked_session_is_kicked_at_once),
        cmocka_unit_test(test_a_session_at_work_is_kicked_while_it_waits),
        cmocka_unit_test(test_a_refused_client_is_told_why),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
