/* Streams as their users see them: lines, floods, slow and dead peers, abort and cancellation. */
#include "net/tls_test.h"

/* --- lines --- */

struct pieces {
    int fd;
    const char *text;
    size_t at;
    bool done;
};

static void send_in_two(void *arg)
{
    struct pieces *p = arg;
    send(p->fd, p->text, p->at, MSG_NOSIGNAL);
    let_run();
    send(p->fd, p->text + p->at, strlen(p->text) - p->at, MSG_NOSIGNAL);
    p->done = true;
}

static void lines_split(void)
{
    static const char text[] = "EHLO a\r\nbare\n\r\n\rx\r\r\nend\r\n";
    static const struct {
        const char *line;
        bool crlf;
    } expected[] = {{"EHLO a", true}, {"bare", false}, {"", true}, {"\rx\r", true}, {"end", true}};
    for (size_t at = 0; at < sizeof(text); at++) {
        struct pieces p = {.text = text, .at = at};
        struct stream *s = stream_and_fd(&p.fd);
        fiber_start(loop, "sender", send_in_two, &p);
        for (size_t i = 0; i < 5; i++) {
            struct str line;
            bool crlf;
            assert_ok(stream_read_line(s, 100, &line, &crlf, e));
            assert_str(line, expected[i].line);
            assert_int_equal(crlf, expected[i].crlf);
        }
        while (!p.done)
            fiber_yield();
        close(p.fd);
        struct str line;
        assert_err(stream_read_line(s, 100, &line, NULL, e), ERR_CLOSED);
        stream_close(s);
    }
}

static void test_lines_split(void **state)
{
    (void)state;
    in_loop(lines_split);
}

static void long_lines(void)
{
    int fd;
    struct str line;
    struct stream *s = stream_and_fd(&fd);
    send_c(fd, "12345678\r\n123456789\r\nafter\r\n");
    assert_ok(stream_read_line(s, 8, &line, NULL, e));
    assert_str(line, "12345678");
    assert_err(stream_read_line(s, 8, &line, NULL, e), ERR_LIMIT);
    assert_ok(stream_read_line(s, 8, &line, NULL, e));
    assert_str(line, "after");

    /* Longer than what is read at once: told early, dropped up to its end. */
    char *big = mem_alloc(200000);
    memset(big, 'x', 200000);
    assert_int_equal(send(fd, big, 100000, 0), 100000);
    assert_err(stream_read_line(s, 1000, &line, NULL, e), ERR_LIMIT);
    send_c(fd, "tail\r\nnext\r\n");
    assert_ok(stream_read_line(s, 1000, &line, NULL, e));
    assert_str(line, "next");
    free(big);

    send_c(fd, "0123456789");
    assert_ok(stream_fill(s, 10, e));
    assert_str(stream_buffered(s), "0123456789");
    assert_err(stream_fill(s, 10, e), ERR_LIMIT);
    stream_consume(s, 4);
    assert_str(stream_buffered(s), "456789");
    close(fd);
    assert_err(stream_fill(s, 10, e), ERR_CLOSED);
    stream_close(s);
}

static void test_long_lines(void **state)
{
    (void)state;
    in_loop(long_lines);
}

/* A client that ends its side still gets the replies. */
static void half_closed(void)
{
    int fd;
    char reply[10];
    struct str line;
    struct stream *s = stream_and_fd(&fd);
    send_c(fd, "QUIT\r\n");
    shutdown(fd, SHUT_WR);
    assert_ok(stream_read_line(s, 10, &line, NULL, e));
    assert_err(stream_read_line(s, 10, &line, NULL, e), ERR_CLOSED);
    assert_ok(stream_write(s, STR("221 b"), e));
    assert_ok(stream_flush(s, e));
    assert_ok(stream_write(s, STR("ye"), e)); /* unflushed: sent by the close */
    stream_close(s);
    assert_int_equal(recv(fd, reply, 10, MSG_WAITALL), 7);
    assert_memory_equal(reply, "221 bye", 7);
    close(fd);
}

static void test_half_closed(void **state)
{
    (void)state;
    in_loop(half_closed);
}

/* --- waits that end otherwise --- */

struct waiting {
    struct stream *s;
    bool done;
    struct err e;
};

static void wait_for_line(void *arg)
{
    struct waiting *w = arg;
    struct str line;
    if (stream_read_line(w->s, 100, &line, NULL, &w->e))
        w->e.kind = ERR_NONE;
    w->done = true;
}

static void ended_waits(void)
{
    int fd;
    struct str line;
    struct stream *s = stream_and_fd(&fd);
    struct waiting w = {.s = s};
    stream_set_timeout(s, 20 * USEC_MSEC);
    assert_err(stream_read_line(s, 100, &line, NULL, e), ERR_TIMEOUT);
    stream_write_now(s, STR("421 timeout"));
    char reply[20];
    assert_int_equal(recv(fd, reply, 20, 0), 11);

    stream_set_timeout(s, 0);
    struct fiber *f = fiber_start(loop, "reader", wait_for_line, &w);
    let_run();
    assert_false(w.done);
    fiber_cancel(f);
    let_run();
    assert_true(w.done);
    assert_int_equal(w.e.kind, ERR_CANCELLED);

    w = (struct waiting){.s = s};
    fiber_start(loop, "reader", wait_for_line, &w);
    let_run();
    stream_abort(s);
    assert_false(w.done); /* it runs later in this turn */
    let_run();
    assert_true(w.done);
    assert_int_equal(w.e.kind, ERR_CLOSED);
    assert_err(stream_write(s, STR("x"), e), ERR_CLOSED);
    assert_err(stream_flush(s, e) && stream_fill(s, 10, e), ERR_CLOSED);
    assert_int_equal(recv(fd, reply, 20, 0), 0);
    stream_close(s);
    close(fd);
}

static void test_ended_waits(void **state)
{
    (void)state;
    in_loop(ended_waits);
}

/* A reset by the peer is an error, no signal and no hang. */
static void reset(void)
{
    int fd;
    struct stream *s = stream_and_fd(&fd);
    struct linger l = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
    close(fd);
    assert_err(stream_fill(s, 10, e), ERR_CLOSED);
    assert_err(stream_write(s, STR("x"), e) && stream_flush(s, e), ERR_CLOSED);
    stream_close(s);
}

static void test_reset(void **state)
{
    (void)state;
    in_loop(reset);
}

static void close_with_reset(int fd)
{
    struct linger l = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
    close(fd);
}

/* Data and the reset behind it are one event: who reads on past the data sees the end. */
static void reset_behind_data(void)
{
    int fd;
    struct stream *s = stream_and_fd(&fd);
    send_c(fd, "half a li");
    close_with_reset(fd);
    struct str line;
    assert_err(stream_read_line(s, 100, &line, NULL, e), ERR_CLOSED);
    stream_close(s);
}

static void test_reset_behind_data(void **state)
{
    (void)state;
    in_loop(reset_behind_data);
}

/* A write outside of the reader's fiber finds the stream broken; the abort wakes the reader. */
static void abort_after_failed_write(void)
{
    int fd;
    struct stream *s = stream_and_fd(&fd);
    struct waiting w = {.s = s};
    fiber_start(loop, "reader", wait_for_line, &w);
    let_run();
    close_with_reset(fd);
    stream_write_now(s, STR("* BYE\r\n"));
    stream_abort(s);
    let_run();
    assert_true(w.done);
    assert_int_equal(w.e.kind, ERR_CLOSED);
    stream_close(s);
}

static void test_abort_after_failed_write(void **state)
{
    (void)state;
    in_loop(abort_after_failed_write);
}

/* --- much --- */

#define MUCH (24 * 1024 * 1024)

struct sending {
    struct stream *s;
    bool some; /* by stream_write_some */
    bool done;
    size_t unsent_most;
    struct err e;
};

/* A byte that no shift by a buffer's size would leave right. */
static char pattern(size_t i)
{
    return (char)(i * 2654435761u >> 13);
}

/* Makes what was not taken again, as it is meant. */
static bool write_some(struct sending *m, size_t *at, struct str bytes)
{
    size_t sent = stream_write_some(m->s, bytes);
    assert_true(sent <= bytes.n);
    assert_true(stream_unsent(m->s) <= 16 * 1024);
    *at += sent;
    return stream_flush(m->s, &m->e);
}

static void send_much(void *arg)
{
    struct sending *m = arg;
    size_t n = 100 * 1000 + 7;
    char *p = mem_alloc(n);
    bool ok = true;
    for (size_t i = 0; ok && i < MUCH;) {
        n = n < MUCH - i ? n : MUCH - i;
        for (size_t k = 0; k < n; k++)
            p[k] = pattern(i + k);
        if (m->some) {
            ok = write_some(m, &i, str_from(p, n));
            continue;
        }
        ok = stream_write(m->s, str_from(p, n), &m->e);
        i += n;
        if (stream_unsent(m->s) > m->unsent_most)
            m->unsent_most = stream_unsent(m->s);
    }
    free(p);
    if (ok)
        stream_flush(m->s, &m->e);
    m->done = true;
}

static void transfer(struct stream *s[2], bool some)
{
    struct sending m = {.s = s[0], .some = some};
    fiber_start(loop, "sender", send_much, &m);
    let_run(); /* the reader is slow: the sender waits, its buffer does not grow */
    assert_false(m.done);
    assert_true(stream_unsent(s[0]) <= 64 * 1024);
    for (size_t i = 0; i < MUCH;) {
        assert_ok(stream_fill(s[1], 50000, e));
        struct str b = stream_buffered(s[1]);
        size_t use = b.n > 1000 ? b.n - b.n % 7 : b.n;
        for (size_t k = 0; k < use; k++)
            if (b.p[k] != pattern(i + k))
                fail_msg("byte %zu is wrong", i + k);
        stream_consume(s[1], use);
        i += use;
        if (i + (b.n - use) == MUCH) {
            i += b.n - use;
            stream_consume(s[1], b.n - use);
        }
    }
    while (!m.done)
        fiber_yield();
    assert_int_equal(m.e.kind, ERR_NONE);
    assert_true(m.unsent_most <= 64 * 1024);
    stream_close(s[0]);
    assert_err(stream_fill(s[1], 10, e), ERR_CLOSED);
    stream_close(s[1]);
}

static void much_plain(void)
{
    struct stream *s[2];
    stream_pair(s);
    transfer(s, false);
    stream_pair(s);
    transfer(s, true);
}

static void much_tls(void)
{
    struct stream *s[2];
    tls_pair(s);
    transfer(s, false);
    tls_pair(s);
    transfer(s, true);
}

static void test_much(void **state)
{
    (void)state;
    in_loop(much_plain);
    in_loop(much_tls);
}

/* A peer that never reads costs its writer the timeout, and stream_write_now a bound. */
static void never_read(void)
{
    int fd;
    struct stream *s = stream_and_fd(&fd);
    size_t n = 32 * 1024 * 1024;
    char *p = mem_zero(n);
    stream_set_timeout(s, 50 * USEC_MSEC);
    assert_err(stream_write(s, str_from(p, n), e), ERR_TIMEOUT);
    assert_true(stream_unsent(s) <= 64 * 1024);
    for (int i = 0; i < 200; i++)
        stream_write_now(s, str_from(p, 60 * 1024));
    assert_true(stream_unsent(s) <= STREAM_UNSENT_MAX + 60 * 1024);
    assert_err(stream_write(s, STR("x"), e), ERR_CLOSED);
    assert_int_equal(stream_write_some(s, STR("x")), 0);
    assert_err(stream_flush(s, e), ERR_CLOSED);
    stream_close(s);
    close(fd);
    free(p);
}

static void test_never_read(void **state)
{
    (void)state;
    in_loop(never_read);
}

/* Others run while a flood is read that never makes its reader wait. */
static void flood_others(void *arg)
{
    size_t *turns = arg;
    for (; *turns < 1000000; (*turns)++)
        fiber_yield();
}

static void flood(void)
{
    struct stream *s[2];
    stream_pair(s);
    struct sending m = {.s = s[0]};
    size_t turns = 0;
    fiber_start(loop, "sender", send_much, &m);
    fiber_start(loop, "other", flood_others, &turns);
    for (size_t i = 0; i < MUCH;) {
        assert_ok(stream_fill(s[1], 64 * 1024, e));
        i += stream_buffered(s[1]).n;
        stream_consume(s[1], 64 * 1024);
    }
    assert_true(turns >= MUCH / (256 * 1024) / 2);
    turns = 1000000;
    stream_close(s[1]);
    while (!m.done)
        fiber_yield();
    stream_close(s[0]);
    let_run();
}

static void test_flood(void **state)
{
    (void)state;
    in_loop(flood);
}

/* --- connecting --- */

static void connecting(void)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof(in);
    int l = socket(AF_INET, SOCK_STREAM, 0);
    bind(l, (struct sockaddr *)&in, sizeof(in));
    getsockname(l, (struct sockaddr *)&in, &n);
    uint16_t port = ntohs(in.sin_port);
    usec soon = deadline_in(5 * USEC_SEC);
    /* Bound, but nobody listens. */
    assert_err(stream_connect(loop, "127.0.0.1", port, NULL, soon, e), ERR_CLOSED);
    assert_err(stream_connect(loop, "mail.example.test", 25, NULL, soon, e), ERR_PERM);
    assert_err(stream_connect(loop, "unix:/nonexistent/socket", 0, NULL, soon, e), ERR_CLOSED);
    assert_err(stream_connect(loop, "127.0.0.1", port, "::1", soon, e), ERR_PERM);
    listen(l, 1);
    struct stream *s;
    assert_ok((s = stream_connect(loop, "127.0.0.1", port, "127.0.0.7", soon, e)));
    int fd = accept(l, NULL, NULL);
    char text[40];
    snprintf(text, sizeof(text), "127.0.0.1:%u", port);
    assert_string_equal(stream_peer_text(s), text);
    assert_string_equal(stream_peer(s), "127.0.0.1");
    assert_string_equal(stream_local(s), "127.0.0.7");
    assert_true(stream_peer_is_loopback(s));
    send_c(fd, "220\r\n");
    struct str line;
    assert_ok(stream_read_line(s, 10, &line, NULL, e));
    assert_str(line, "220");
    stream_close(s);
    close(fd);
    close(l);
}

static void test_connecting(void **state)
{
    (void)state;
    in_loop(connecting);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines_split),
        cmocka_unit_test(test_long_lines),
        cmocka_unit_test(test_half_closed),
        cmocka_unit_test(test_ended_waits),
        cmocka_unit_test(test_reset),
        cmocka_unit_test(test_much),
        cmocka_unit_test(test_never_read),
        cmocka_unit_test(test_flood),
        cmocka_unit_test(test_connecting),
        cmocka_unit_test(test_reset_behind_data),
        cmocka_unit_test(test_abort_after_failed_write),
    };
    return cmocka_run_group_tests(tests, tls_setup, tls_teardown);
}
