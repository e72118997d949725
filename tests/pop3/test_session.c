/* Sessions over a socket pair, with a store that fails on demand: what is told, what is deleted,
 * and that no reply is mistaken for whole when it is not. */
#include "auth/helper.h"

#include "core/crash.h"
#include "core/log.h"
#include "pop3/pop3.h"
#include "store/mailbox.h"

#include <stdio.h>
#include <sys/socket.h>

/* --- the store of these tests --- */

struct mailbox {
    struct message messages[3];
    size_t count;
    int references;
    struct err open_error, expunge_error, reader_error, read_error;
    uint64_t read_error_from; /* bytes that can be read before */
    uint32_t expunged[3];
    size_t expunged_count;
    bool expunge_called;
    struct str content;
};

static struct mailbox box;

bool mailbox_open(struct store *s, const struct account *account, struct str name,
                  struct mailbox **mailbox, struct err *e)
{
    (void)s;
    (void)account;
    assert_str(name, "INBOX");
    fiber_yield();
    *e = box.open_error;
    if (e->kind != ERR_NONE)
        return false;
    box.references++;
    *mailbox = &box;
    return true;
}

void mailbox_unref(struct mailbox *m)
{
    m->references--;
}

const struct message *mailbox_messages(const struct mailbox *m, size_t *count)
{
    *count = m->count;
    return m->messages;
}

bool mailbox_is_public(const struct mailbox *m)
{
    (void)m;
    return false;
}

void mailbox_suspect(const struct mailbox *m, struct arena *a, struct suspect *s)
{
    (void)m;
    (void)a;
    suspect_begin(s, SUSPECT_MAILBOX, STR("alice"), STR("INBOX"));
}

struct str mailbox_name(const struct mailbox *m)
{
    (void)m;
    return STR("INBOX");
}

uint32_t mailbox_uid_validity(const struct mailbox *m)
{
    (void)m;
    return 0x1234;
}

bool mailbox_expunge(struct mailbox *m, const uint32_t *uids, size_t count, struct err *e)
{
    fiber_yield();
    m->expunge_called = true;
    *e = m->expunge_error;
    if (e->kind != ERR_NONE)
        return false;
    memcpy(m->expunged, uids, count * sizeof(*uids));
    m->expunged_count = count;
    return true;
}

struct message_reader {
    int unused;
};

static struct message_reader the_reader;
static int readers;

bool message_open(struct mailbox *m, uint32_t uid, struct message_reader **r, struct err *e)
{
    (void)uid;
    fiber_yield();
    *e = m->reader_error;
    if (e->kind != ERR_NONE)
        return false;
    *r = &the_reader;
    readers++;
    return true;
}

uint64_t message_reader_size(const struct message_reader *r)
{
    (void)r;
    return box.content.n;
}

bool message_read_at(struct message_reader *r, void *p, size_t n, uint64_t offset, size_t *got,
                     struct err *e)
{
    (void)r;
    fiber_yield();
    if (box.read_error.kind != ERR_NONE && offset + n > box.read_error_from) {
        *e = box.read_error;
        return false;
    }
    struct str rest = str_head(str_skip(box.content, offset), n);
    memcpy(p, rest.p, rest.n);
    *got = rest.n;
    return true;
}

void message_close(struct message_reader *r)
{
    (void)r;
    readers--;
}

/* --- a server and a client --- */

struct world {
    struct fixture f;
    struct auth *auth;
    struct config *config;
    struct service *service;
    struct pop3_context context;
    struct stream *client;
};

static const struct settings_block *const blocks[] = {&listener_settings_block,
                                                      &pop3_settings_block, NULL};

static void read_config(struct world *w, const char *timeout)
{
    char *path = path_in(w->f.folder, "maild.conf");
    struct buf text = BUF_EMPTY;
    buf_printf(
        &text,
        "pop3 {\n timeout = %s\n}\n"
        "listener pop3 {\n protocol = pop3\n address = 127.0.0.1:1\n auth_without_tls = yes\n}\n",
        timeout);
    write_test_file(path, buf_str(&text));
    w->config = config_read(path, blocks, &w->f.e);
    if (!w->config)
        fail_msg("%s", w->f.e.text);
    buf_free(&text);
    free(path);
}

static void world_set_up(struct world *w, const char *timeout)
{
    struct auth_settings settings = {.failures_max = 3};
    set_up(&w->f);
    fill(&w->f);
    box = (struct mailbox){.messages = {{.uid = 2, .size_crlf = 20}, {.uid = 5, .size_crlf = 50}},
                           .count = 2};
    box.content = STR("Subject: x\n\n.body\n");
    log_set_level(LOG_LEVEL_ERROR + 1);
    read_config(w, timeout);
    w->service = service_new(w->config, config_at(w->config, &listener_settings_block, 0), NULL,
                             "mail.example.test");
    w->auth = auth_new(w->f.d, &settings, &w->f.e);
    assert_non_null(w->auth);
    w->context = (struct pop3_context){
        .loop = loop_current(), .auth = w->auth, .sessions = session_list_new()};
}

static struct stream *connect_client(struct world *w)
{
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    pop3_accept(&w->context, service_ref(w->service), stream_new(loop_current(), fds[0]));
    struct stream *client = stream_new(loop_current(), fds[1]);
    stream_set_timeout(client, 10 * USEC_SEC);
    return client;
}

static void wait_for_end_of_sessions(struct world *w)
{
    struct err e;
    while (session_list_count(w->context.sessions) > 0)
        assert_true(fiber_sleep(USEC_MSEC, &e));
}

static void world_tear_down(struct world *w)
{
    wait_for_end_of_sessions(w);
    assert_int_equal(box.references, 0);
    assert_int_equal(readers, 0);
    assert_null(w->context.logged_in);
    session_list_free(w->context.sessions);
    auth_free(w->auth);
    service_unref(w->service);
    config_unref(w->config);
    log_set_level(LOG_LEVEL_INFO);
    tear_down(&w->f);
}

static void assert_line(struct stream *s, const char *expected)
{
    struct str line;
    struct err e;
    bool crlf;
    if (!stream_read_line(s, 1000, &line, &crlf, &e))
        fail_msg("instead of \"%s\": %s", expected, e.text);
    assert_true(crlf);
    char *text = mem_dup(line.p, line.n);
    if (!str_starts_with(line, str_from_c(expected)))
        fail_msg("expected \"%s\", got \"%s\"", expected, text);
    free(text);
}

static void assert_closed(struct stream *s)
{
    struct str line;
    struct err e;
    assert_false(stream_read_line(s, 1000, &line, NULL, &e));
    assert_int_equal(e.kind, ERR_CLOSED);
}

static void say(struct stream *s, const char *text)
{
    struct err e;
    assert_true(stream_write(s, str_from_c(text), &e) && stream_flush(s, &e));
}

static struct stream *log_in(struct world *w)
{
    struct stream *s = connect_client(w);
    assert_line(s, "+OK mail.example.test POP3 maild");
    say(s, "USER alice\r\nPASS secret\r\n");
    assert_line(s, "+OK");
    assert_line(s, "+OK 2 messages (70 octets)");
    return s;
}

IN_FIBER(deletion_at_quit)
{
    struct world w;
    (void)arg;
    world_set_up(&w, "10m");
    struct stream *s = log_in(&w);
    say(s, "DELE 2\r\nUIDL\r\nQUIT\r\nNOOP\r\n");
    assert_line(s, "+OK");
    assert_line(s, "+OK 1 messages");
    assert_line(s, "1 0000000200001234");
    assert_line(s, ".");
    assert_line(s, "+OK Bye");
    assert_int_equal(box.expunged_count, 1);
    assert_int_equal(box.expunged[0], 5);
    assert_closed(s);
    stream_close(s);
    world_tear_down(&w);
}

/* Whatever ends a session but QUIT deletes nothing. */
IN_FIBER(other_ends_delete_nothing)
{
    struct world w;
    (void)arg;
    world_set_up(&w, "1s");
    for (int i = 0; i < 4; i++) {
        struct stream *s = log_in(&w);
        say(s, "DELE 1\r\n");
        assert_line(s, "+OK");
        if (i == 0) { /* the client goes */
            stream_close(s);
        } else if (i == 1) { /* too many errors */
            for (int n = 0; n < 20; n++)
                say(s, "X\r\n");
            for (int n = 0; n < 20; n++)
                assert_line(s, "-ERR");
            assert_closed(s);
            stream_close(s);
        } else if (i == 2) { /* kicked while it waits */
            session_list_kick_all(w.context.sessions, "shutting down");
            assert_line(s, "-ERR [SYS/TEMP] shutting down");
            assert_closed(s);
            stream_close(s);
        } else { /* silent: without a word */
            assert_closed(s);
            stream_close(s);
        }
        wait_for_end_of_sessions(&w);
        assert_false(box.expunge_called);
    }
    world_tear_down(&w);
}

IN_FIBER(failures_of_the_store)
{
    struct world w;
    (void)arg;
    world_set_up(&w, "10m");
    struct stream *s = connect_client(&w);
    box.open_error = (struct err){ERR_IO, "disk"};
    assert_line(s, "+OK");
    say(s, "USER alice\r\nPASS secret\r\nSTAT\r\n");
    assert_line(s, "+OK");
    assert_line(s, "-ERR [SYS/TEMP] ");
    assert_line(s, "-ERR");
    box.open_error.kind = ERR_NONE; /* and the maildrop is free again */
    say(s, "USER alice\r\nPASS secret\r\n");
    assert_line(s, "+OK");
    assert_line(s, "+OK 2 messages");
    box.reader_error = (struct err){ERR_NOT_FOUND, "gone"};
    say(s, "RETR 1\r\n");
    assert_line(s, "-ERR The message is gone");
    box.reader_error = (struct err){ERR_IO, "disk"};
    say(s, "TOP 1 0\r\n");
    assert_line(s, "-ERR [SYS/TEMP] ");
    box.reader_error.kind = ERR_NONE;
    box.read_error = (struct err){ERR_IO, "disk"};
    say(s, "RETR 1\r\n");
    assert_line(s, "-ERR [SYS/TEMP] ");
    box.read_error.kind = ERR_NONE;
    say(s, "RETR 1\r\n");
    assert_line(s, "+OK 20 octets");
    assert_line(s, "Subject: x");
    assert_line(s, "");
    assert_line(s, "..body");
    assert_line(s, ".");
    box.expunge_error = (struct err){ERR_NO_SPACE, "full"};
    say(s, "DELE 1\r\nQUIT\r\n");
    assert_line(s, "+OK");
    assert_line(s, "-ERR [SYS/TEMP] ");
    assert_closed(s);
    stream_close(s);
    world_tear_down(&w);
}

/* A message that cannot be read to its end: the reply has no end either. */
IN_FIBER(failure_in_the_middle)
{
    struct world w;
    struct str line;
    bool ended = false;
    (void)arg;
    world_set_up(&w, "10m");
    char *large = mem_zero(200000);
    memset(large, 'x', 200000);
    for (size_t i = 99; i < 200000; i += 100)
        large[i] = '\n';
    box.content = str_from(large, 200000);
    box.read_error = (struct err){ERR_IO, "disk"};
    box.read_error_from = 100000;
    struct stream *s = log_in(&w);
    say(s, "RETR 1\r\nQUIT\r\n");
    assert_line(s, "+OK");
    while (stream_read_line(s, 1000, &line, NULL, &w.f.e))
        ended |= line.n == 1 && line.p[0] == '.';
    assert_false(ended);
    stream_close(s);
    wait_for_end_of_sessions(&w);
    assert_false(box.expunge_called);
    box.read_error.kind = ERR_NONE;
    s = log_in(&w);
    say(s, "RETR 2\r\n");
    assert_line(s, "+OK");
    size_t lines = 0;
    while (stream_read_line(s, 1000, &line, NULL, &w.f.e) && line.n == 99)
        lines++;
    assert_int_equal(lines, 2000);
    assert_true(line.n == 1 && line.p[0] == '.');
    stream_close(s);
    world_tear_down(&w);
    free(large);
}

IN_FIBER(one_session_per_maildrop)
{
    struct world w;
    (void)arg;
    world_set_up(&w, "10m");
    struct stream *first = log_in(&w), *second = connect_client(&w);
    assert_line(second, "+OK");
    say(second, "USER Alice@Example.test\r\nPASS secret\r\n");
    assert_line(second, "+OK");
    assert_line(second, "-ERR [IN-USE]");
    say(first, "QUIT\r\n");
    assert_line(first, "+OK");
    assert_closed(first);
    say(second, "USER alice\r\nPASS secret\r\n");
    assert_line(second, "+OK");
    assert_line(second, "+OK 2 messages");
    stream_close(first);
    stream_close(second);
    world_tear_down(&w);
}

/* Lines of any length; killed while a login waits. */
IN_FIBER(strange_clients)
{
    struct world w;
    (void)arg;
    world_set_up(&w, "10m");
    struct stream *s = connect_client(&w);
    char *line = mem_zero(60001);
    memset(line, 'A', 60000);
    assert_line(s, "+OK");
    say(s, line);
    say(s, "\r\nCAPA\r\n");
    assert_line(s, "-ERR The line is too long");
    assert_line(s, "+OK");
    for (int i = 0; i < 12; i++)
        assert_line(s, "");
    assert_line(s, ".");
    say(s, "USER alice\r\nPASS secret\r\n");
    assert_true(fiber_sleep(USEC_MSEC, &w.f.e));
    session_list_kick_all(w.context.sessions, "shutting down");
    wait_for_end_of_sessions(&w);
    stream_close(s);
    free(line);
    world_tear_down(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_deletion_at_quit),
        cmocka_unit_test(test_other_ends_delete_nothing),
        cmocka_unit_test(test_failures_of_the_store),
        cmocka_unit_test(test_failure_in_the_middle),
        cmocka_unit_test(test_one_session_per_maildrop),
        cmocka_unit_test(test_strange_clients),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
