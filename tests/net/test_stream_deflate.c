/* Compressed streams: what one side writes the other reads, however it is cut and parked. */
#include "net_test.h"

#include <string.h>
#include <zlib.h>

/* A reproducible text that compresses somewhat. */
static struct buf make_text(size_t n, uint32_t seed)
{
    struct buf b = BUF_EMPTY;
    while (b.n < n) {
        seed = seed * 1103515245 + 12345;
        buf_printf(&b, "line %u of a text with words\n", seed >> 20);
    }
    return b;
}

static void compressed_pair(struct stream *s[2])
{
    stream_pair(s);
    stream_start_deflate(s[0]);
    stream_start_deflate(s[1]);
}

static void write_all(void *arg)
{
    struct stream *s = ((void **)arg)[0];
    struct buf *text = ((void **)arg)[1];
    assert_ok(stream_write(s, buf_str(text), e));
    assert_ok(stream_flush(s, e));
}

static void write_all_in_pieces(void *arg)
{
    struct stream *s = ((void **)arg)[0];
    struct str left = buf_str(((void **)arg)[1]);
    while (left.n > 0) {
        left = str_skip(left, stream_write_some(s, left));
        assert_ok(stream_flush(s, e));
    }
}

static void expect_text(struct stream *s, struct str text)
{
    while (text.n > 0) {
        if (stream_buffered(s).n == 0)
            assert_ok(stream_fill(s, 10000, e));
        struct str b = str_head(stream_buffered(s), text.n);
        assert_memory_equal(b.p, text.p, b.n);
        text = str_skip(text, b.n);
        stream_consume(s, b.n);
    }
}

static void both_ways(void)
{
    struct stream *s[2];
    compressed_pair(s);
    for (unsigned i = 0; i < 6; i++) {
        struct buf text = make_text((size_t)10 << (3 * i), i);
        void *arg[] = {s[i % 2], &text};
        struct fiber *writer =
            fiber_start(loop, "writer", i > 3 ? write_all_in_pieces : write_all, arg);
        expect_text(s[1 - i % 2], buf_str(&text));
        (void)writer;
        let_run();
        buf_free(&text);
    }
    struct stream_stats stats;
    stream_get_stats(loop, &stats);
    assert_true(stats.bytes_out < 300000); /* of 374,490 in all, most of it in the last */
    stream_close(s[0]);
    stream_close(s[1]);
}

static enum stream_event seen;
static unsigned seen_count;

static void note(void *arg, enum stream_event event)
{
    (void)arg;
    seen = event;
    seen_count++;
}

/* Each message refers to the ones before; in between both sides rest. */
static void parked_in_between(void)
{
    struct stream *s[2];
    compressed_pair(s);
    struct buf text = make_text(3000, 7);
    for (unsigned i = 0; i < 50; i++) {
        assert_ok(stream_write(s[0], str_head(buf_str(&text), 60 * i), e));
        assert_ok(stream_write(s[0], STR("end\n"), e));
        assert_ok(stream_flush(s[0], e));
        seen_count = 0;
        stream_park(s[1], USEC_SEC, note, NULL);
        while (!seen_count)
            fiber_yield();
        assert_int_equal(seen, STREAM_READABLE);
        expect_text(s[1], str_head(buf_str(&text), 60 * i));
        expect_text(s[1], STR("end\n"));
        stream_park(s[0], USEC_SEC, note, NULL);
        stream_unpark(s[0]);
    }
    buf_free(&text);
    stream_close(s[0]);
    stream_close(s[1]);
}

/* A peer that keeps its history from before our parking, and sends in single bytes. */
static void history_is_kept(void)
{
    int fd;
    struct stream *s = stream_and_fd(&fd);
    z_stream z = {0};
    Bytef out[4096];
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, -15, 9, Z_DEFAULT_STRATEGY), Z_OK);
    stream_start_deflate(s);
    for (int i = 0; i < 5; i++) {
        static const char line[] = "a line that is the same each time, so that it is referred to\n";
        z.next_in = (Bytef *)line;
        z.avail_in = sizeof(line) - 1;
        z.next_out = out;
        z.avail_out = sizeof(out);
        deflate(&z, Z_SYNC_FLUSH);
        size_t n = sizeof(out) - z.avail_out;
        for (size_t k = 0; k < n; k++) {
            assert_int_equal(send(fd, out + k, 1, MSG_NOSIGNAL), 1);
            seen_count = 0;
            stream_park(s, USEC_SEC, note, NULL);
            let_run();
            stream_unpark(s);
        }
        struct str read;
        assert_ok(stream_read_line(s, 1000, &read, NULL, e));
        assert_str(read, "a line that is the same each time, so that it is referred to");
    }
    deflateEnd(&z);
    stream_close(s);
    close(fd);
}

/* 1000 times more than it seems is decoded in the portions that are asked for. */
static void bomb(void)
{
    int fd;
    struct stream *s = stream_and_fd(&fd);
    z_stream z = {0};
    static char zeros[10 * 1024 * 1024];
    static Bytef out[64 * 1024];
    deflateInit2(&z, 9, Z_DEFLATED, -15, 9, Z_DEFAULT_STRATEGY);
    z.next_in = (Bytef *)zeros;
    z.avail_in = sizeof(zeros);
    z.next_out = out;
    z.avail_out = sizeof(out);
    deflate(&z, Z_SYNC_FLUSH);
    assert_int_equal(z.avail_in, 0);
    assert_true(send(fd, out, sizeof(out) - z.avail_out, 0) > 0);
    deflateEnd(&z);
    stream_start_deflate(s);
    size_t sum = 0;
    while (sum < sizeof(zeros)) {
        assert_ok(stream_fill(s, 1000, e));
        assert_true(stream_buffered(s).n <= 1000);
        sum += stream_buffered(s).n;
        stream_consume(s, stream_buffered(s).n);
    }
    assert_int_equal(sum, sizeof(zeros));
    stream_close(s);
    close(fd);
}

/* Plain bytes right behind what was compressed, with and without the end of a deflate stream. */
static void end(void)
{
    static const int flushes[] = {Z_SYNC_FLUSH, Z_FINISH};
    for (size_t i = 0; i < 2; i++) {
        int fd;
        struct stream *s = stream_and_fd(&fd);
        static const char command[] = "a UNAUTHENTICATE\r\n", plain[] = "b LOGIN a b\r\n";
        char out[200];
        z_stream z = {0};
        deflateInit2(&z, 9, Z_DEFLATED, -15, 9, Z_DEFAULT_STRATEGY);
        z.next_in = (Bytef *)command;
        z.avail_in = sizeof(command) - 1;
        z.next_out = (Bytef *)out;
        z.avail_out = sizeof(out);
        deflate(&z, Z_SYNC_FLUSH);
        if (flushes[i] == Z_FINISH)
            deflate(&z, Z_FINISH);
        size_t n = sizeof(out) - z.avail_out;
        deflateEnd(&z);
        memcpy(out + n, plain, sizeof(plain) - 1);
        assert_int_equal(send(fd, out, n + sizeof(plain) - 1, 0), n + sizeof(plain) - 1);
        stream_start_deflate(s);
        expect_text(s, STR("a UNAUTHENTICATE\r\n"));
        assert_int_equal(stream_buffered(s).n, 0);
        stream_end_deflate(s);
        assert_false(stream_is_compressed(s));
        expect_text(s, STR("b LOGIN a b\r\n"));
        assert_ok(stream_write(s, STR("plain"), e));
        assert_ok(stream_flush(s, e));
        assert_int_equal(recv(fd, out, sizeof(out), 0), 5);
        assert_memory_equal(out, "plain", 5);
        stream_close(s);
        close(fd);
    }
}

static void garbage(void)
{
    int fd;
    struct stream *s = stream_and_fd(&fd);
    stream_start_deflate(s);
    send_c(fd, "\xff\xff\xff this is not deflate");
    assert_err(stream_fill(s, 1000, e), ERR_CLOSED);
    stream_close(s);
    close(fd);
}

/* Bytes behind the command that starts compression are compressed already. */
static void what_came_before(void)
{
    int fd;
    struct stream *s = stream_and_fd(&fd);
    z_stream z = {0};
    Bytef out[100];
    struct str line;
    deflateInit2(&z, 1, Z_DEFLATED, -15, 9, Z_DEFAULT_STRATEGY);
    z.next_in = (Bytef *)"second\n";
    z.avail_in = 7;
    z.next_out = out;
    z.avail_out = sizeof(out);
    deflate(&z, Z_SYNC_FLUSH);
    send_c(fd, "first\n");
    assert_true(send(fd, out, sizeof(out) - z.avail_out, 0) > 0);
    deflateEnd(&z);
    let_run();
    assert_ok(stream_read_line(s, 100, &line, NULL, e));
    assert_str(line, "first");
    stream_start_deflate(s);
    assert_ok(stream_read_line(s, 100, &line, NULL, e));
    assert_str(line, "second");
    stream_close(s);
    close(fd);
}

#define TEST(name, fn)                                                                             \
    static void name(void **state)                                                                 \
    {                                                                                              \
        (void)state;                                                                               \
        in_loop(fn);                                                                               \
    }
TEST(test_what_is_written_is_read, both_ways)
TEST(test_parking_changes_nothing, parked_in_between)
TEST(test_the_peers_history_survives_parking, history_is_kept)
TEST(test_a_bomb_is_decoded_in_portions, bomb)
TEST(test_plain_follows_the_end, end)
TEST(test_garbage_ends_the_stream, garbage)
TEST(test_input_behind_the_command_is_compressed, what_came_before)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_written_is_read),
        cmocka_unit_test(test_parking_changes_nothing),
        cmocka_unit_test(test_the_peers_history_survives_parking),
        cmocka_unit_test(test_a_bomb_is_decoded_in_portions),
        cmocka_unit_test(test_plain_follows_the_end),
        cmocka_unit_test(test_garbage_ends_the_stream),
        cmocka_unit_test(test_input_behind_the_command_is_compressed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
