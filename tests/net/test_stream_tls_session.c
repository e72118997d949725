/* A second TLS connection to a server that is known, and what binds a login to one. */
#include "net/tls_session.h"
#include "net/tls_test.h"

/* A connection whose client offers the session; the tickets have arrived. */
static void connect_again(struct stream *s[2], struct tls_session *offered)
{
    struct str line;
    stream_pair(s);
    if (offered)
        stream_resume_tls(s[0], offered);
    struct tls_shaking client = {.s = s[0], .verify = "mail.example.test"};
    assert_non_null(fiber_start(loop, "client", tls_shake, &client));
    assert_ok(stream_start_tls_server(s[1], tls_server, e));
    while (!client.done)
        fiber_yield();
    assert_true(client.ok);
    assert_ok(stream_printf(s[1], e, "220 ready\r\n"));
    assert_ok(stream_flush(s[1], e));
    assert_ok(stream_read_line(s[0], 100, &line, NULL, e));
}

static void close_both(struct stream *s[2])
{
    stream_close(s[0]);
    stream_close(s[1]);
}

static void resumption(void)
{
    struct stream *s[2];
    connect_again(s, NULL);
    assert_false(stream_tls_is_resumed(s[0]));
    struct tls_session *session = stream_tls_session(s[0]);
    assert_non_null(session);
    close_both(s);

    connect_again(s, session);
    assert_true(stream_tls_is_resumed(s[0]) && stream_tls_is_resumed(s[1]));
    struct tls_session *next = stream_tls_session(s[0]);
    close_both(s);
    tls_session_free(session);

    /* Another server's: the handshake is a full one. */
    struct tls_context *own = tls_server;
    struct tls_settings settings = tls_test_settings();
    assert_ok((tls_server = tls_server_context(&settings, e)));
    connect_again(s, next);
    assert_false(stream_tls_is_resumed(s[0]));
    close_both(s);
    tls_context_unref(tls_server);
    tls_server = own;
    tls_session_free(next);
    tls_session_free(NULL);

    stream_pair(s);
    assert_null(stream_tls_session(s[0]));
    assert_false(stream_tls_is_resumed(s[0]));
    close_both(s);
}

static void binding(void)
{
    unsigned char of_client[TLS_BINDING_SIZE], of_server[TLS_BINDING_SIZE];
    struct stream *s[2], *plain[2];
    connect_again(s, NULL);
    assert_true(stream_tls_binding(s[0], of_client) && stream_tls_binding(s[1], of_server));
    assert_memory_equal(of_client, of_server, TLS_BINDING_SIZE);
    close_both(s);
    stream_pair(plain);
    assert_false(stream_tls_binding(plain[0], of_client));
    close_both(plain);
}

/* Before something is said: the other side may have spoken, or be gone. */
static void quiet(void)
{
    struct stream *s[2];
    struct str line;
    connect_again(s, NULL);
    assert_true(stream_is_quiet(s[0]));
    assert_ok(stream_printf(s[1], e, "421 enough\r\n"));
    assert_ok(stream_flush(s[1], e));
    let_run();
    assert_false(stream_is_quiet(s[0]));
    assert_false(stream_is_quiet(s[0]));
    assert_ok(stream_read_line(s[0], 100, &line, NULL, e));
    assert_true(stream_is_quiet(s[0]));
    stream_close(s[1]);
    let_run();
    assert_false(stream_is_quiet(s[0]));
    stream_close(s[0]);

    stream_pair(s);
    assert_true(stream_is_quiet(s[0]));
    stream_close(s[1]);
    let_run();
    assert_false(stream_is_quiet(s[0]));
    stream_close(s[0]);
}

#define LOOP_TEST(name)                                                                            \
    static void test_##name(void **state)                                                          \
    {                                                                                              \
        (void)state;                                                                               \
        in_loop(name);                                                                             \
    }

LOOP_TEST(resumption)
LOOP_TEST(binding)
LOOP_TEST(quiet)

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_resumption),
                                       cmocka_unit_test(test_binding),
                                       cmocka_unit_test(test_quiet)};
    return cmocka_run_group_tests(tests, tls_setup, tls_teardown);
}
