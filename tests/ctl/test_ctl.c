#include "core/arena.h"
#include "core/buf.h"
#include "core/loop.h"
#include "core/session_list.h"
#include "ctl/ctl.h"
#include "net/stream.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* A server of nothing but its control socket. */
struct server {
    struct loop *loop;
    struct session_list *sessions;
    struct ctl *ctl;
    char dir[64], path[80];
    int stops;
    bool reload_fails;
    void (*play)(struct server *s);
};

static bool reload(void *arg, json_t *result, struct err *e)
{
    struct server *s = arg;
    json_object_set_new(result, "restart_needed", json_string("user"));
    return !s->reload_fails || err_set(e, ERR_SYNTAX, "maild.conf:1: wrong");
}

static void stop(void *arg)
{
    ((struct server *)arg)->stops++;
}

static void describe(void *arg, json_t *status)
{
    (void)arg;
    json_object_set_new(status, "hostname", json_string("a.test"));
}

static void play_and_end(void *arg)
{
    struct server *s = arg;
    struct err e;
    struct ctl_context context = {.loop = s->loop,
                                  .sessions = s->sessions,
                                  .admin_group = "",
                                  .arg = s,
                                  .reload = reload,
                                  .stop = stop,
                                  .describe = describe};
    s->ctl = ctl_open(&context, s->path, &e);
    if (!s->ctl)
        fail_msg("%s", e.text);
    s->play(s);
    ctl_close(s->ctl);
    loop_stop(s->loop);
}

static void run(void (*play)(struct server *s))
{
    struct server s = {.dir = "/tmp/test_ctl.XXXXXX", .play = play};
    struct err e;
    assert_non_null(mkdtemp(s.dir));
    snprintf(s.path, sizeof(s.path), "%s/control.sock", s.dir);
    s.sessions = session_list_new();
    s.loop = loop_new(&e);
    fiber_start(s.loop, "test", play_and_end, &s);
    loop_run(s.loop);
    loop_free(s.loop);
    session_list_free(s.sessions);
    assert_int_not_equal(access(s.path, F_OK), 0);
    rmdir(s.dir);
}

static struct stream *connect_to(struct server *s)
{
    struct err e;
    char address[100];
    snprintf(address, sizeof(address), "unix:%s", s->path);
    struct stream *stream =
        stream_connect(s->loop, address, 0, NULL, deadline_in(10 * USEC_SEC), &e);
    if (!stream)
        fail_msg("%s", e.text);
    stream_set_timeout(stream, 10 * USEC_SEC);
    return stream;
}

static void say(struct stream *stream, const char *request)
{
    struct err e;
    assert_true(stream_printf(stream, &e, "%s\n", request) && stream_flush(stream, &e));
}

static void expect(struct stream *stream, const char *reply)
{
    struct err e;
    struct str line;
    char text[600];
    if (!stream_read_line(stream, 1 << 20, &line, NULL, &e))
        fail_msg("%s instead of %s", e.text, reply);
    snprintf(text, sizeof(text), "%.*s", STR_ARG(line));
    if (!strstr(text, reply))
        fail_msg("%s instead of %s", text, reply);
}

static void expect_end(struct stream *stream)
{
    struct err e;
    struct str line;
    assert_false(stream_read_line(stream, 1 << 20, &line, NULL, &e));
    assert_int_equal(e.kind, ERR_CLOSED);
    stream_close(stream);
}

static void play_requests(struct server *s)
{
    struct stream *c = connect_to(s);
    say(c, "{\"verb\": \"who\"}");
    expect(c, "{\"ok\":true,\"result\":[]}");
    say(c, "{\"verb\": \"reload\", \"args\": {}}");
    expect(c, "{\"ok\":true,\"result\":{\"restart_needed\":\"user\"}}");
    s->reload_fails = true;
    say(c, "{\"verb\": \"reload\"}");
    expect(c, "{\"ok\":false,\"kind\":\"syntax\",\"error\":\"maild.conf:1: wrong\"}");
    say(c, "{\"verb\": \"stop\"}");
    expect(c, "{\"ok\":true,\"result\":{\"pid\":");
    assert_int_equal(s->stops, 1);
    stream_close(c);
}

static void kick(struct session_entry *entry, const char *reason)
{
    (void)entry;
    (void)reason;
}

static void play_who(struct server *s)
{
    static const struct session_kind kind = {"imap", kick, NULL};
    struct session_entry entry = {.kind = &kind,
                                  .id = "ID1",
                                  .peer = "192.0.2.1",
                                  .login = "a\xff@example.test",
                                  .state = "IDLE",
                                  .since = 7 * USEC_SEC};
    assert_true(session_list_add(s->sessions, &entry, NULL));
    struct stream *c = connect_to(s);
    say(c, "{\"verb\": \"who\"}");
    expect(c, "[{\"component\":\"imap\",\"id\":\"ID1\",\"peer\":\"192.0.2.1\","
              "\"login\":\"a?@example.test\",\"state\":\"IDLE\",\"since\":7}]");
    stream_close(c);
    session_list_remove(s->sessions, &entry);
}

static void play_bad_clients(struct server *s)
{
    struct stream *good = connect_to(s), *c = connect_to(s);
    say(c, "{\"verb\": \"nonsense\"}");
    expect(c, "unknown verb \\\"nonsense\\\"");
    say(c, "[]");
    expect(c, "a request is");
    say(c, "{\"verb\": \"user show\", \"args\": {\"login\": 1}}");
    expect(c, "login: a string is expected");
    say(c, "{\"verb\": \"user show\"}");
    expect(c, "login: missing");
    say(c, "{\"verb\": ");
    expect(c, "not a line of JSON");
    expect_end(c);

    struct buf deep = BUF_EMPTY;
    for (int i = 0; i < 100000; i++)
        buf_add_char(&deep, '[');
    c = connect_to(s);
    say(c, buf_c(&deep));
    expect(c, "not a line of JSON");
    expect_end(c);
    buf_free(&deep);

    c = connect_to(s);
    struct err e;
    struct buf big = BUF_EMPTY;
    for (int i = 0; i < CTL_REQUEST_MAX + 65536; i++)
        buf_add_char(&big, 'x');
    (void)(stream_write(c, buf_str(&big), &e) && stream_flush(c, &e));
    buf_free(&big);
    stream_close(c);

    say(good, "{\"verb\": \"who\"}");
    expect(good, "{\"ok\":true,\"result\":[]}");
    stream_close(good);
}

static void play_close(struct server *s)
{
    struct stream *c = connect_to(s);
    say(c, "{\"verb\": \"who\"}");
    expect(c, "{\"ok\":true");
    /* stays open: ctl_close does not wait for it */
    ctl_close(s->ctl);
    s->ctl = NULL;
    expect_end(c);
}

static void test_requests(void **state)
{
    (void)state;
    run(play_requests);
}

static void test_who(void **state)
{
    (void)state;
    run(play_who);
}

static void test_bad_clients(void **state)
{
    (void)state;
    run(play_bad_clients);
}

static void test_close(void **state)
{
    (void)state;
    run(play_close);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_who),
        cmocka_unit_test(test_bad_clients),
        cmocka_unit_test(test_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
