/* TLS on streams: both versions, what a man in the middle tries, and who is who. */
#include "net/stream_private.h"
#include "net/tls_private.h"
#include "net/tls_test.h"

#include <openssl/ssl.h>

static void versions(void)
{
    struct stream *s[2];
    struct str line;
    tls_pair(s);
    assert_true(stream_is_tls(s[0]) && stream_is_tls(s[1]));
    assert_string_equal(stream_tls_version(s[1]), "TLSv1.3");
    assert_non_null(stream_tls_cipher(s[1]));
    assert_ok(stream_printf(s[0], e, "A%d LOGOUT\r\n", 1));
    assert_ok(stream_flush(s[0], e));
    assert_ok(stream_read_line(s[1], 100, &line, NULL, e));
    assert_str(line, "A1 LOGOUT");
    stream_close(s[0]);
    assert_err(stream_read_line(s[1], 100, &line, NULL, e), ERR_CLOSED);
    stream_close(s[1]);
}

static void test_versions(void **state)
{
    (void)state;
    in_loop(versions);
}

/* --- STARTTLS --- */

static void refuses(const char *sent_at_once, bool read_first)
{
    int fd;
    struct str line;
    char reply[100];
    struct stream *s = stream_and_fd(&fd);
    send_c(fd, sent_at_once);
    if (read_first)
        assert_ok(stream_read_line(s, 100, &line, NULL, e));
    assert_ok(stream_write(s, STR("220 ready\r\n"), e));
    assert_err(stream_start_tls_server(s, tls_server, e), ERR_TLS);
    assert_false(stream_is_tls(s));
    assert_int_equal(stream_buffered(s).n, 0);
    assert_err(stream_read_line(s, 100, &line, NULL, e), ERR_TLS);
    stream_close(s);
    ssize_t n = recv(fd, reply, sizeof(reply), MSG_WAITALL);
    assert_true(n < 11 + 30); /* the reply and perhaps an alert, no handshake */
    close(fd);
}

/* CVE-2011-0411: a command smuggled in behind STARTTLS, in the same segment or in the next. */
static void injection(void)
{
    refuses("STARTTLS\r\nRSET\r\n", true);
    refuses("STARTTLS\r\nR", true);
    refuses("RSET\r\nMAIL FROM:<a@example.test>\r\n", false);
}

static void test_injection(void **state)
{
    (void)state;
    in_loop(injection);
}

/* And the other way round: a reply smuggled in behind the server's 220. */
static void reply_injection(void)
{
    int fd;
    struct str line;
    struct stream *s = stream_and_fd(&fd);
    send_c(fd, "220 ready\r\n250 AUTH PLAIN\r\n");
    assert_ok(stream_read_line(s, 100, &line, NULL, e));
    assert_err(stream_start_tls_client(s, tls_client, NULL, NULL, e), ERR_TLS);
    stream_close(s);
    close(fd);
}

static void test_reply_injection(void **state)
{
    (void)state;
    in_loop(reply_injection);
}

static void upgrade(void)
{
    struct stream *s[2];
    struct str line;
    stream_pair(s);
    assert_ok(stream_write(s[0], STR("STARTTLS\r\n"), e) && stream_flush(s[0], e));
    assert_ok(stream_read_line(s[1], 100, &line, NULL, e));
    struct tls_shaking client = {.s = s[0], .verify = "127.0.0.1"};
    fiber_start(loop, "client", tls_shake, &client);
    assert_ok(stream_start_tls_server(s[1], tls_server, e));
    assert_ok(stream_write(s[1], STR("* OK\r\n"), e) && stream_flush(s[1], e));
    while (!client.done)
        fiber_yield();
    assert_true(client.ok);
    assert_ok(stream_read_line(s[0], 100, &line, NULL, e));
    assert_str(line, "* OK");
    stream_close(s[1]);
    stream_close(s[0]);
}

static void test_upgrade(void **state)
{
    (void)state;
    in_loop(upgrade);
}

/* --- who is who --- */

static void shake_with(const char *verify, struct tls_shaking *client)
{
    struct stream *s[2];
    stream_pair(s);
    *client = (struct tls_shaking){.s = s[0], .verify = verify};
    fiber_start(loop, "client", tls_shake, client);
    struct err e;
    stream_start_tls_server(s[1], tls_server, &e);
    while (!client->done)
        fiber_yield();
    stream_close(s[0]);
    stream_close(s[1]);
}

static void names(void)
{
    static const char *const good[] = {"mail.example.test", "localhost", "127.0.0.1", "::1", NULL};
    static const char *const bad[] = {"example.test", "a.mail.example.test", "127.0.0.2"};
    struct tls_shaking client;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        shake_with(good[i], &client);
        assert_true(client.ok);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        shake_with(bad[i], &client);
        assert_false(client.ok);
        assert_int_equal(client.e.kind, ERR_TLS);
        assert_non_null(strstr(client.e.text, "mismatch"));
    }
}

static void test_names(void **state)
{
    (void)state;
    in_loop(names);
}

/* Nobody vouches for the certificate: refused when verification is asked for, else fine. */
static void unknown_authority(void)
{
    struct tls_settings s = {.ca_file = "", .client_ca_file = ""};
    struct tls_context *own = tls_client;
    struct tls_shaking client;
    assert_ok((tls_client = tls_client_context(&s, e)));
    shake_with("mail.example.test", &client);
    assert_false(client.ok);
    assert_int_equal(client.e.kind, ERR_TLS);
    assert_non_null(strstr(client.e.text, "self-signed"));
    shake_with(NULL, &client);
    assert_true(client.ok);
    tls_context_unref(tls_client);
    tls_client = own;
}

static void test_unknown_authority(void **state)
{
    (void)state;
    in_loop(unknown_authority);
}

/* --- handshakes that come to nothing --- */

static void broken_handshakes(void)
{
    int fd;
    struct stream *s = stream_and_fd(&fd);
    send_c(fd, "EHLO not.tls.test\r\n");
    assert_err(stream_start_tls_server(s, tls_server, e), ERR_TLS);
    stream_close(s);
    close(fd);

    s = stream_and_fd(&fd);
    stream_set_timeout(s, 20 * USEC_MSEC);
    assert_err(stream_start_tls_server(s, tls_server, e), ERR_TIMEOUT);
    stream_write_now(s, STR("plain text must not leave"));
    stream_close(s);
    char c;
    assert_int_equal(recv(fd, &c, 1, 0), 0);
    close(fd);

    s = stream_and_fd(&fd);
    close(fd);
    assert_err(stream_start_tls_server(s, tls_server, e), ERR_CLOSED);
    stream_close(s);
}

static void test_broken_handshakes(void **state)
{
    (void)state;
    in_loop(broken_handshakes);
}

/* A record that was tampered with, and an end without close_notify. */
static void broken_records(void)
{
    struct stream *s[2];
    struct str line;
    tls_pair(s);
    static const char record[] = "\x17\x03\x03\x00\x20tampered with tampered with 1234";
    send(stream_fd(s[0]), record, sizeof(record) - 1, MSG_NOSIGNAL);
    assert_err(stream_read_line(s[1], 100, &line, NULL, e), ERR_TLS);
    stream_close(s[1]);
    stream_close(s[0]);

    tls_pair(s);
    shutdown(stream_fd(s[0]), SHUT_RDWR);
    assert_err(stream_read_line(s[1], 100, &line, NULL, e), ERR_CLOSED);
    stream_close(s[1]);
    stream_close(s[0]);
}

static void test_broken_records(void **state)
{
    (void)state;
    in_loop(broken_records);
}

/* Old protocols and renegotiation are not there. */
static void shake_old(void *arg)
{
    struct tls_shaking *h = arg;
    h->ok = stream_start_tls_client(h->s, tls_client, NULL, NULL, &h->e);
    h->done = true;
}

static void old_versions(void)
{
    struct tls_settings settings = tls_test_settings();
    struct tls_context *own = tls_client;
    struct stream *s[2];
    assert_ok((tls_client = tls_client_context(&settings, e)));
    SSL_CTX_set_min_proto_version(tls_client->ssl, TLS1_1_VERSION);
    SSL_CTX_set_max_proto_version(tls_client->ssl, TLS1_1_VERSION);
    SSL_CTX_set_cipher_list(tls_client->ssl, "ALL:@SECLEVEL=0");
    stream_pair(s);
    struct tls_shaking client = {.s = s[0]};
    fiber_start(loop, "client", shake_old, &client);
    assert_err(stream_start_tls_server(s[1], tls_server, e), ERR_TLS);
    while (!client.done)
        fiber_yield();
    assert_false(client.ok);
    stream_close(s[0]);
    stream_close(s[1]);

    SSL_CTX_set_max_proto_version(tls_client->ssl, TLS1_2_VERSION);
    stream_pair(s);
    client = (struct tls_shaking){.s = s[0]};
    fiber_start(loop, "client", shake_old, &client);
    assert_ok(stream_start_tls_server(s[1], tls_server, e));
    while (!client.done)
        fiber_yield();
    assert_string_equal(stream_tls_version(s[1]), "TLSv1.2");
    assert_non_null(strstr(stream_tls_cipher(s[1]), "ECDHE"));
    stream_close(s[0]);
    stream_close(s[1]);
    tls_context_unref(tls_client);
    tls_client = own;
}

static void test_old_versions(void **state)
{
    (void)state;
    in_loop(old_versions);
}

static void echo(struct stream *from, struct stream *to)
{
    struct str line;
    assert_ok(stream_printf(from, e, "250 ok\r\n"));
    assert_ok(stream_flush(from, e));
    assert_ok(stream_read_line(to, 100, &line, NULL, e));
    assert_str(line, "250 ok");
}

/* Records of all sizes, small ones before large ones and the other way round, with the tickets of
 * the server in between. */
static void sizes(void)
{
    static const size_t lengths[] = {10,    4097, 20,    4096, 5000,  100, 9000, 30,
                                     16384, 40,   16385, 50,   40000, 7,   4500};
    struct stream *s[2];
    struct buf text = BUF_EMPTY;
    memset(buf_reserve(&text, 40000), 'x', 40000);
    tls_pair(s);
    echo(s[0], s[1]);
    for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
        echo(s[1], s[0]);
        assert_ok(stream_write(s[0], str_from(text.p, lengths[i]), e));
        assert_ok(stream_flush(s[0], e));
        for (size_t got = 0; got < lengths[i];) {
            size_t have = stream_buffered(s[1]).n;
            got += have;
            stream_consume(s[1], have);
            if (got < lengths[i])
                assert_ok(stream_fill(s[1], 50000, e));
        }
    }
    buf_free(&text);
    stream_close(s[0]);
    stream_close(s[1]);
}

static void test_sizes(void **state)
{
    (void)state;
    in_loop(sizes);
}

/* A server that wants to shake hands once more (TLS 1.2) is told no, and heard no more. */
static void renegotiation(void)
{
    struct tls_settings settings = tls_test_settings();
    struct tls_context *own = tls_server;
    struct stream *s[2];
    struct str line;
    assert_ok((tls_server = tls_server_context(&settings, e)));
    SSL_CTX_clear_options(tls_server->ssl, SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_max_proto_version(tls_server->ssl, TLS1_2_VERSION);
    tls_pair(s);
    assert_string_equal(stream_tls_version(s[0]), "TLSv1.2");
    SSL_renegotiate(s[1]->ssl);
    SSL_do_handshake(s[1]->ssl);
    stream_set_timeout(s[0], 50 * USEC_MSEC);
    assert_false(stream_read_line(s[0], 100, &line, NULL, NULL));
    assert_ok(stream_printf(s[0], e, "still here\r\n"));
    stream_close(s[0]);
    stream_close(s[1]);
    tls_context_unref(tls_server);
    tls_server = own;
}

static void test_renegotiation(void **state)
{
    (void)state;
    in_loop(renegotiation);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_versions),
        cmocka_unit_test(test_injection),
        cmocka_unit_test(test_reply_injection),
        cmocka_unit_test(test_upgrade),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_unknown_authority),
        cmocka_unit_test(test_broken_handshakes),
        cmocka_unit_test(test_broken_records),
        cmocka_unit_test(test_old_versions),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_renegotiation),
    };
    return cmocka_run_group_tests(tests, tls_setup, tls_teardown);
}
