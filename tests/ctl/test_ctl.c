#include "core/arena.h"
#include "core/buf.h"
#include "core/log.h"
#include "core/loop.h"
#include "core/session_list.h"
#include "ctl/ctl.h"
#include "net/stream.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
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

static bool reload(void *arg, bool dry_run, json_t *result, struct err *e)
{
    assert_false(dry_run);
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
                                  .users_domain = "",
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
    expect(c, "{\"ok\":true,\"result\":{\"sessions\":0}}");
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

/* --- who, kick --- */

struct client {
    struct session_entry entry;
    struct session_list *list;
    char id[16], peer[24], login[32];
};

/* As a parked session does: it is gone at once. */
static void kick(struct session_entry *entry, const char *reason)
{
    struct client *c = (struct client *)entry;
    assert_string_equal(reason, "ended by the administrator");
    session_list_remove(c->list, entry);
}

static usec idle_since(const struct session_entry *entry)
{
    return entry->state ? clock_monotonic() - 100 * USEC_SEC : 0;
}

static const struct session_kind imap_kind = {
    .component = "imap", .kick = kick, .idle_since = idle_since};
static const struct session_kind smtp_kind = {.component = "smtpd", .kick = kick};

static void add_client(struct server *s, struct client *c, int n, const struct session_kind *kind,
                       const char *login)
{
    struct err e;
    c->list = s->sessions;
    snprintf(c->id, sizeof(c->id), "ID%d", n);
    snprintf(c->peer, sizeof(c->peer), "192.0.2.%d", n % 250);
    c->entry = (struct session_entry){.kind = kind,
                                      .id = c->id,
                                      .peer = c->peer,
                                      .state = login ? "IDLE" : NULL,
                                      .since = 7 * USEC_SEC};
    assert_true(session_list_add(s->sessions, &c->entry, &e));
    if (login)
        assert_true(session_list_login(s->sessions, &c->entry, login, &e));
}

static void play_who(struct server *s)
{
    static const struct {
        const char *args, *reply;
    } cases[] = {
        {"{}", "{\"item\":{\"component\":\"imap\",\"id\":\"ID1\",\"peer\":\"192.0.2.1\","
               "\"login\":\"a?@example.test\",\"state\":\"IDLE\",\"since\":7,\"idle\":100}}"},
        {"{\"user\": \"-\"}", "ID2"},
        {"{\"user\": \"BOB\"}", "ID3"},
        {"{\"user\": \"bob@example.org\"}", "ID3"},
        {"{\"user\": \"@Example.ORG\"}", "ID3"},
        {"{\"user\": \"ob\"}", "{\"sessions\":0}"},
        {"{\"user\": \"@ample.org\"}", "{\"sessions\":0}"},
        {"{\"protocol\": \"smtp\"}", "ID2"},
        {"{\"protocol\": \"SMTPD\"}", "ID2"},
        {"{\"protocol\": \"smt\"}", "{\"sessions\":0}"},
        {"{\"peer\": \"192.0.2.2\"}", "ID2"},
        {"{\"peer\": \"192.0.2.2/31\", \"user\": \"bob\"}", "ID3"},
        {"{\"peer\": \"unix\"}", "{\"sessions\":0}"},
        {"{\"peer\": \"192.0.2.2/99\"}", "\"kind\":\"syntax\""},
        {"{\"peer\": 7}", "\"kind\":\"syntax\""},
        {"{\"idle\": 99, \"user\": \"bob\"}", "ID3"},
        {"{\"idle\": 101}", "{\"sessions\":0}"},
        {"{\"idle\": -1}", "\"kind\":\"syntax\""},
        {"{\"idle\": \"long\"}", "\"kind\":\"syntax\""},
        {"{\"state\": \"idle\", \"user\": \"bob\"}", "ID3"},
        {"{\"count\": \"state\"}", "{\"item\":{\"name\":\"IDLE\",\"sessions\":2}}"},
        {"{\"count\": \"weather\"}", "\"kind\":\"syntax\""},
        {"{\"count\": []}", "\"kind\":\"syntax\""},
    };
    char request[200];
    struct client clients[3] = {0};
    add_client(s, &clients[0], 1, &imap_kind, "a\xff@example.test");
    add_client(s, &clients[1], 2, &smtp_kind, NULL);
    add_client(s, &clients[2], 3, &imap_kind, "bob@example.org");
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct stream *c = connect_to(s);
        snprintf(request, sizeof(request), "{\"verb\": \"who\", \"args\": %s}", cases[i].args);
        say(c, request);
        expect(c, cases[i].reply);
        stream_close(c);
    }
    for (int i = 0; i < 3; i++)
        session_list_remove(s->sessions, &clients[i].entry);
}

/* More than there is time for in one turn. */
#define MANY_CLIENTS 30000

static void play_kick(struct server *s)
{
    struct client *clients = calloc(MANY_CLIENTS, sizeof(*clients));
    struct stream *c = connect_to(s);
    for (int i = 0; i < MANY_CLIENTS; i++) {
        snprintf(clients[i].login, sizeof(clients[i].login), "user%d@e.test", i);
        add_client(s, &clients[i], i, i % 3 ? &imap_kind : &smtp_kind,
                   i % 3 ? NULL : clients[i].login);
    }
    say(c, "{\"verb\": \"kick\"}");
    expect(c, "\"kind\":\"syntax\"");
    say(c, "{\"verb\": \"kick\", \"args\": {\"id\": \"ID4\", \"user\": \"bob\"}}");
    expect(c, "\"kind\":\"syntax\"");
    say(c, "{\"verb\": \"kick\", \"args\": {\"id\": \"ID4\"}}");
    expect(c, "{\"sessions\":1}");
    say(c, "{\"verb\": \"kick\", \"args\": {\"id\": \"ID4\"}}");
    expect(c, "\"kind\":\"missing\"");
    say(c, "{\"verb\": \"kick\", \"args\": {\"user\": \"carol\"}}");
    expect(c, "\"kind\":\"missing\"");
    say(c, "{\"verb\": \"kick\", \"args\": {\"user\": \"@e.test\"}}");
    expect(c, "{\"sessions\":10000}");
    assert_int_equal(session_list_count(s->sessions), MANY_CLIENTS - 10001);
    say(c, "{\"verb\": \"limits\"}");
    expect(c, "{\"item\":{\"name\":\"connections_max\",\"unit\":\"sessions\",\"present\":19999,");
    say(c, "{\"verb\": \"kick\", \"args\": {\"protocol\": \"imap\"}}");
    struct err e;
    struct str line;
    while (stream_read_line(c, 1 << 20, &line, NULL, &e) && !str_starts_with(line, STR("{\"ok\"")))
        continue;
    expect(c, "{\"sessions\":19999}");
    assert_int_equal(session_list_count(s->sessions), 0);
    stream_close(c);
    free(clients);
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
    expect(good, "{\"ok\":true,\"result\":{\"sessions\":0}}");
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

static void test_kick(void **state)
{
    (void)state;
    run(play_kick);
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
    log_set_level(LOG_LEVEL_ERROR); /* a line for each of many sessions */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests), cmocka_unit_test(test_who),
        cmocka_unit_test(test_kick),     cmocka_unit_test(test_bad_clients),
        cmocka_unit_test(test_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
