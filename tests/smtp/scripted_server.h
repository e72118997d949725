#pragma once
/*
 * An SMTP server that follows a script, one script for each connection, in a fiber of the test's
 * loop. Lines of a script:
 *
 *   "S: text"   sends the line        "C: text"  a line must come that begins so
 *   "E: text"   exactly this line must come
 *   "R: bytes"  sends without CRLF    "DATA"     takes message lines up to the dot
 *   "TLS"       handshake             "HANG"     says nothing until the client leaves
 *   "BDAT"      takes a chunk         "LAST"     takes the last one
 *   "D: text"   sends the line byte by byte, 10 ms between them
 *
 * The connection is closed at the end of its script.
 */
#include "net/listener.h"
#include "net/socket_address.h"
#include "net/tls_test.h"

static struct {
    struct listener *listener;
    uint16_t port;
    const char *const *scripts[20]; /* NULL ends each */
    size_t connections, scripted, running;
    char complaint[500]; /* what went against a script; "" : nothing */
    struct buf data;     /* last message */
} server;

static inline void complain(const char *wanted, struct str got)
{
    if (!*server.complaint)
        snprintf(server.complaint, sizeof(server.complaint), "wanted \"%s\", got \"%.*s\"", wanted,
                 STR_ARG(got));
}

static inline bool take_data(struct stream *s, struct err *e)
{
    struct str line;
    bool crlf;
    buf_clear(&server.data);
    for (;;) {
        if (!stream_read_line(s, 100000, &line, &crlf, e))
            return false;
        if (crlf && str_equal(line, STR(".")))
            return true;
        buf_add_str(&server.data, line);
        buf_add_c(&server.data, crlf ? "\r\n" : "\n");
    }
}

static inline bool take_chunk(struct stream *s, bool last, struct err *e)
{
    struct str got;
    uint32_t n;
    if (!stream_read_line(s, 100000, &got, NULL, e))
        return false;
    struct str rest = str_skip(got, 5), size = str_word(&rest);
    if (!str_starts_with(got, STR("BDAT ")) || !str_to_u32(size, &n) ||
        !str_equal(str_trim(rest), last ? STR("LAST") : STR("")))
        complain(last ? "LAST" : "BDAT", got);
    while (!*server.complaint && n > 0) {
        struct str bytes = str_head(stream_buffered(s), n);
        buf_add_str(&server.data, bytes);
        n -= (uint32_t)bytes.n;
        stream_consume(s, bytes.n);
        if (n > 0 && bytes.n == 0 && !stream_fill(s, 200000, e))
            return false;
    }
    return true;
}

static inline bool drip(struct stream *s, const char *text, struct err *e)
{
    for (; *text; text++)
        if (!stream_write(s, str_from(text, 1), e) || !stream_flush(s, e) ||
            !fiber_sleep(10 * USEC_MSEC, e))
            return false;
    return true;
}

static inline bool play_line(struct stream *s, const char *line, struct err *e)
{
    struct str got;
    if (strcmp(line, "DATA") == 0)
        return take_data(s, e);
    if (strcmp(line, "BDAT") == 0 || strcmp(line, "LAST") == 0)
        return take_chunk(s, line[0] == 'L', e);
    if (line[0] == 'D')
        return drip(s, line + 3, e);
    if (strcmp(line, "TLS") == 0)
        return stream_start_tls_server(s, tls_server, e);
    if (strcmp(line, "HANG") == 0)
        return stream_read_line(s, 100000, &got, NULL, e) && false;
    if (line[0] == 'S')
        return stream_printf(s, e, "%s\r\n", line + 3) && stream_flush(s, e);
    if (line[0] == 'R')
        return stream_printf(s, e, "%s", line + 3) && stream_flush(s, e);
    if (!stream_read_line(s, 100000, &got, NULL, e)) {
        complain(line, str_from_c(e->text));
        return false;
    }
    struct str wanted = str_from_c(line + 3);
    if (line[0] == 'E' ? !str_equal(got, wanted) : !str_starts_with(got, wanted))
        complain(line, got);
    return true;
}

struct playing {
    struct stream *stream;
    const char *const *lines;
};

static inline void play(void *arg)
{
    struct playing *p = arg;
    struct err e = {.kind = ERR_NONE};
    stream_set_timeout(p->stream, 60 * USEC_SEC);
    while (*p->lines && play_line(p->stream, *p->lines, &e))
        p->lines++;
    stream_close(p->stream);
    free(p);
    server.running--;
}

static inline void server_accept(void *arg, struct stream *s)
{
    (void)arg;
    if (server.connections == server.scripted) {
        complain("no further connection", STR("one"));
        stream_close(s);
        return;
    }
    struct playing *p = MEM_NEW(struct playing);
    *p = (struct playing){s, server.scripts[server.connections++]};
    server.running++;
    fiber_start(loop, "scripted server", play, p);
}

/* A Unix socket ("unix:/path") as well as 127.0.0.1 with any port. */
static inline void server_listen(const char *where)
{
    assert_ok((server.listener = listener_open(loop, where, 0, NULL, server_accept, NULL, e)));
}

static inline void server_start(void)
{
    struct str host;
    memset(&server, 0, sizeof(server));
    server_listen("127.0.0.1:0");
    assert_ok(socket_address_split(str_from_c(listener_address(server.listener)), &host,
                                   &server.port, e));
}

static inline void server_stop(void)
{
    while (server.running > 0)
        fiber_yield();
    listener_close(server.listener);
    buf_free(&server.data);
    if (*server.complaint)
        fail_msg("%s", server.complaint);
    assert_int_equal(server.connections, server.scripted);
}

#define SCRIPT(...) (server.scripts[server.scripted++] = (const char *const[]){__VA_ARGS__, NULL})
