/* Parked streams: who is told what, once, and when. */
#include "net/stream_private.h"
#include "net/tls_test.h"

struct parked {
    struct stream *s;
    int told;
    enum stream_event event;
    bool close; /* in the callback */
};

static void told(void *arg, enum stream_event event)
{
    struct parked *p = arg;
    p->told++;
    p->event = event;
    if (p->close)
        stream_close(p->s);
}

static void park(struct parked *p, usec timeout)
{
    p->told = 0;
    stream_park(p->s, timeout, told, p);
}

/* Until told, or until it would have been. */
static void await(struct parked *p)
{
    usec deadline = deadline_in(5 * USEC_SEC);
    while (!p->told && clock_monotonic() < deadline)
        fiber_yield();
}

static void events(void)
{
    int fd;
    struct str line;
    struct parked p = {.s = stream_and_fd(&fd)};
    struct stream_stats stats;

    park(&p, 0);
    let_run();
    assert_int_equal(p.told, 0);
    assert_true(stream_is_parked(p.s));
    stream_get_stats(loop, &stats);
    assert_int_equal(stats.parked, 1);
    send_c(fd, "NOOP\r\nDONE\r\n");
    await(&p);
    assert_int_equal(p.told, 1);
    assert_int_equal(p.event, STREAM_READABLE);
    assert_false(stream_is_parked(p.s));
    assert_ok(stream_read_line(p.s, 10, &line, NULL, e));

    /* Buffered input: told in this turn, but not inside the call. */
    park(&p, 0);
    assert_int_equal(p.told, 0);
    fiber_yield();
    assert_int_equal(p.told, 1);
    assert_int_equal(p.event, STREAM_READABLE);
    assert_ok(stream_read_line(p.s, 10, &line, NULL, e));
    assert_str(line, "DONE");

    usec before = clock_monotonic();
    park(&p, 20 * USEC_MSEC);
    await(&p);
    assert_int_equal(p.event, STREAM_TIMEOUT);
    assert_true(clock_monotonic() - before >= 19 * USEC_MSEC);

    /* Taken back: nothing is told any more. */
    send_c(fd, "x");
    park(&p, 1);
    stream_unpark(p.s);
    let_run();
    assert_int_equal(p.told, 0);
    assert_ok(stream_fill(p.s, 10, e));
    park(&p, 0); /* buffered */
    stream_unpark(p.s);
    let_run();
    assert_int_equal(p.told, 0);
    stream_consume(p.s, 1);

    park(&p, 0);
    close(fd);
    await(&p);
    assert_int_equal(p.event, STREAM_ENDED);
    park(&p, 0); /* still */
    await(&p);
    assert_int_equal(p.event, STREAM_ENDED);
    stream_close(p.s);
}

static void test_events(void **state)
{
    (void)state;
    in_loop(events);
}

/* The last bytes and the end arrive together: bytes first, then the end, without another event. */
static void bytes_then_end(void)
{
    int fd;
    struct parked p = {.s = stream_and_fd(&fd)};
    struct str line;
    send_c(fd, "QUIT\r\n");
    close(fd);
    park(&p, 0);
    await(&p);
    assert_int_equal(p.event, STREAM_READABLE);
    assert_ok(stream_read_line(p.s, 10, &line, NULL, e));
    park(&p, 0);
    await(&p);
    assert_int_equal(p.told, 1);
    assert_int_equal(p.event, STREAM_ENDED);
    stream_close(p.s);
}

static void test_bytes_then_end(void **state)
{
    (void)state;
    in_loop(bytes_then_end);
}

/* Kicks: an aborted stream is told its end in this turn; closing while parked, or inside the
 * callback, is allowed. */
static void aborted(void)
{
    int fd[3];
    struct parked p = {.s = stream_and_fd(&fd[0]), .close = true};
    park(&p, 0);
    stream_abort(p.s);
    assert_int_equal(p.told, 0);
    fiber_yield();
    assert_int_equal(p.told, 1);
    assert_int_equal(p.event, STREAM_ENDED);

    p.s = stream_and_fd(&fd[1]);
    park(&p, 0);
    stream_abort(p.s);
    stream_close(p.s);
    let_run();
    assert_int_equal(p.told, 0);

    p.s = stream_and_fd(&fd[2]);
    park(&p, USEC_MSEC);
    stream_close(p.s);
    fiber_sleep(5 * USEC_MSEC, NULL);
    assert_int_equal(p.told, 0);
    for (int i = 0; i < 3; i++)
        close(fd[i]);
}

static void test_aborted(void **state)
{
    (void)state;
    in_loop(aborted);
}

/* News for an idling client that reads slowly leave while it is parked. */
static void output_while_parked(void)
{
    int fd;
    struct parked p = {.s = stream_and_fd(&fd)};
    int small = 4096;
    setsockopt(stream_fd(p.s), SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
    char *bytes = mem_zero(40000), *got = mem_alloc(40000);
    size_t sent = 0, read = 0;
    park(&p, 0);
    while (stream_unsent(p.s) == 0) {
        stream_write_now(p.s, str_from(bytes, 40000));
        sent += 40000;
    }
    while (read < sent) {
        ssize_t n = recv(fd, got, 40000, MSG_DONTWAIT);
        if (n > 0)
            read += (size_t)n;
        fiber_yield();
    }
    assert_int_equal(stream_unsent(p.s), 0);
    assert_true(stream_is_parked(p.s));
    stream_close(p.s);
    close(fd);
    free(bytes);
    free(got);
}

static void test_output_while_parked(void **state)
{
    (void)state;
    in_loop(output_while_parked);
}

/* A client that never stops sending does not keep others from their turn. */
struct greedy {
    struct parked p;
    size_t commands;
};

static void greedy_told(void *arg, enum stream_event event)
{
    struct greedy *g = arg;
    assert_int_equal(event, STREAM_READABLE);
    stream_consume(g->p.s, 6);
    g->commands++;
    stream_park(g->p.s, 0, greedy_told, g);
}

static void pipelining(void)
{
    int fd;
    struct greedy g = {.p.s = stream_and_fd(&fd)};
    char *commands = mem_alloc(60000);
    for (int i = 0; i < 60000; i += 6)
        memcpy(commands + i, "NOOP\r\n", 6);
    stream_park(g.p.s, 0, greedy_told, &g);
    size_t sent = 0;
    while (sent < 600000) {
        ssize_t n = send(fd, commands + sent % 6, 60000 - sent % 6, MSG_DONTWAIT);
        if (n > 0)
            sent += (size_t)n;
        fiber_yield();
    }
    while (g.commands < sent / 6)
        fiber_yield();
    stream_close(g.p.s);
    close(fd);
    free(commands);
}

static void test_pipelining(void **state)
{
    (void)state;
    in_loop(pipelining);
}

/* Records that carry no bytes of the application wake nobody. */
static void tls_records(void)
{
    struct stream *s[2];
    struct str line;
    tls_pair(s);
    struct parked p = {.s = s[1]};
    park(&p, 0);
    assert_int_equal(SSL_key_update(s[0]->ssl, SSL_KEY_UPDATE_REQUESTED), 1);
    assert_int_equal(SSL_do_handshake(s[0]->ssl), 1);
    let_run();
    assert_int_equal(p.told, 0);
    assert_true(stream_is_parked(s[1]));

    /* Several records that arrive in one read. */
    assert_ok(stream_write(s[0], STR("a\r\n"), e) && stream_flush(s[0], e));
    assert_ok(stream_write(s[0], STR("b\r\n"), e) && stream_flush(s[0], e));
    await(&p);
    assert_int_equal(p.event, STREAM_READABLE);
    assert_ok(stream_read_line(s[1], 10, &line, NULL, e));
    assert_str(line, "a");
    park(&p, 0);
    await(&p);
    assert_int_equal(p.event, STREAM_READABLE);
    assert_ok(stream_read_line(s[1], 10, &line, NULL, e));
    assert_str(line, "b");

    /* The answer to the request for new keys has arrived with them. */
    assert_ok(stream_write(s[1], STR("c\r\n"), e) && stream_flush(s[1], e));
    assert_ok(stream_read_line(s[0], 10, &line, NULL, e));
    assert_str(line, "c");

    park(&p, 0);
    stream_close(s[0]); /* close_notify */
    await(&p);
    assert_int_equal(p.event, STREAM_ENDED);
    stream_close(s[1]);
}

static void test_tls_records(void **state)
{
    (void)state;
    in_loop(tls_records);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_events),     cmocka_unit_test(test_bytes_then_end),
        cmocka_unit_test(test_aborted),    cmocka_unit_test(test_output_while_parked),
        cmocka_unit_test(test_pipelining), cmocka_unit_test(test_tls_records),
    };
    return cmocka_run_group_tests(tests, tls_setup, tls_teardown);
}
