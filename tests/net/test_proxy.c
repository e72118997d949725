/* Connections of load balancers: the stream is the client's, nothing behind the header is touched,
 * and who says something else is closed. */
#include "net/listener.h"
#include "net/net_test.h"

#define V4 "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\x00\x02\x01\xc6\x33\x64\x01\xdc\x04\0\x19"

static struct stream *accepted;

static void on_accept(void *arg, struct stream *s)
{
    (void)arg;
    assert_null(accepted);
    accepted = s;
}

static struct listener *open_listener(const char *host, struct sockaddr_in *in)
{
    const char *items[] = {host};
    struct string_list hosts = {.items = items, .count = host ? 1 : 0};
    struct listener *l;
    uint32_t port;
    assert_ok((l = listener_open(loop, "127.0.0.1:0", 0, NULL, on_accept, NULL, e)));
    listener_set_proxies(l, &hosts);
    assert_true(str_to_u32(str_from_c(strrchr(listener_address(l), ':') + 1), &port));
    *in = (struct sockaddr_in){.sin_family = AF_INET,
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                               .sin_port = htons((uint16_t)port)};
    return l;
}

static int connect_to(const struct sockaddr_in *in)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)in, sizeof(*in)), 0);
    return fd;
}

static void await_accepted(void)
{
    usec deadline = deadline_in(5 * USEC_SEC);
    while (!accepted && clock_monotonic() < deadline)
        fiber_yield();
    assert_non_null(accepted);
}

static void await_closed(int fd)
{
    char c;
    ssize_t got;
    struct err e;
    while ((got = recv(fd, &c, 1, MSG_DONTWAIT)) < 0 && errno == EAGAIN)
        fiber_sleep(USEC_MSEC, &e);
    assert_true(got == 0 || (got < 0 && errno == ECONNRESET)); /* with bytes not taken */
    assert_null(accepted);
    close(fd);
}

static void end(int fd)
{
    stream_close(accepted);
    accepted = NULL;
    close(fd);
}

static void in_pieces(const struct sockaddr_in *in, struct str header, const char *peer)
{
    int fd = connect_to(in);
    struct str line;
    for (size_t i = 0; i < header.n; i++) {
        assert_null(accepted);
        assert_int_equal(send(fd, header.p + i, 1, 0), 1);
        let_run();
    }
    await_accepted();
    assert_string_equal(stream_peer_text(accepted), peer);
    assert_false(stream_peer_is_loopback(accepted));
    send_c(fd, "EHLO x\r\n");
    assert_ok(stream_read_line(accepted, 100, &line, NULL, e));
    assert_str(line, "EHLO x");
    end(fd);
}

static void headers(void)
{
    struct sockaddr_in in;
    struct str line;
    struct listener *l = open_listener("127.0.0.0/8", &in);
    in_pieces(&in, STR("PROXY TCP4 192.0.2.1 198.51.100.1 56324 25\r\n"), "192.0.2.1:56324");
    in_pieces(&in, STR(V4), "192.0.2.1:56324");

    /* At once with what the client said. */
    int fd = connect_to(&in);
    send_c(fd, "PROXY TCP6 2001:db8::1 2001:db8::2 4711 25\r\nEHLO x\r\nPROXY x\r\n");
    await_accepted();
    assert_string_equal(stream_peer(accepted), "2001:db8::1");
    assert_string_equal(stream_peer_text(accepted), "[2001:db8::1]:4711");
    assert_string_equal(stream_local(accepted), "2001:db8::2");
    assert_ok(stream_read_line(accepted, 100, &line, NULL, e));
    assert_str(line, "EHLO x");
    assert_ok(stream_read_line(accepted, 100, &line, NULL, e));
    assert_str(line, "PROXY x");
    end(fd);

    /* The balancer itself. */
    fd = connect_to(&in);
    send_c(fd, "PROXY UNKNOWN\r\n");
    await_accepted();
    assert_string_equal(stream_peer(accepted), "127.0.0.1");
    assert_true(stream_peer_is_loopback(accepted));
    end(fd);
    listener_close(l);
}

static void test_headers(void **state)
{
    (void)state;
    in_loop(headers);
}

static void wrong(void)
{
    struct sockaddr_in in;
    struct listener *l = open_listener("127.0.0.0/8", &in);
    int fd = connect_to(&in);
    send_c(fd, "EHLO client.test\r\n");
    await_closed(fd);
    fd = connect_to(&in);
    send_c(fd, "PROXY TCP4 192.0.2.1 198.51.100.1 56324 \r\n");
    await_closed(fd);
    /* Ended in the middle, and before anything. */
    fd = connect_to(&in);
    send_c(fd, "PROXY TCP4 192");
    shutdown(fd, SHUT_WR);
    await_closed(fd);
    fd = connect_to(&in);
    shutdown(fd, SHUT_WR);
    await_closed(fd);
    /* Those that wait go with the listener. */
    fd = connect_to(&in);
    send_c(fd, "PROXY TCP4 192");
    let_run();
    listener_close(l);
    await_closed(fd);
}

static void test_wrong(void **state)
{
    (void)state;
    in_loop(wrong);
}

static void others(void)
{
    struct sockaddr_in in;
    struct str line;
    struct listener *l = open_listener("127.0.0.2", &in);
    const struct string_list nobody = {0};
    int fd = connect_to(&in);
    await_accepted(); /* at once */
    send_c(fd, "PROXY TCP4 192.0.2.1 198.51.100.1 56324 25\r\n");
    assert_ok(stream_read_line(accepted, 100, &line, NULL, e));
    assert_str(line, "PROXY TCP4 192.0.2.1 198.51.100.1 56324 25");
    assert_string_equal(stream_peer(accepted), "127.0.0.1");
    end(fd);
    listener_close(l);

    /* A list that a reload has taken back. */
    l = open_listener("127.0.0.1", &in);
    listener_set_proxies(l, &nobody);
    fd = connect_to(&in);
    await_accepted();
    end(fd);
    listener_close(l);
}

static void test_others(void **state)
{
    (void)state;
    in_loop(others);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_headers),
        cmocka_unit_test(test_wrong),
        cmocka_unit_test(test_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
