/*
 * Reading and writing: buffers in front of the steps that plain sockets and TLS offer.
 *
 * Input is read into the loop's one scratch buffer and copied behind what the stream has buffered,
 * so a stream that waits holds only what it received and did not use. Output collects until it is
 * flushed or 64 KB long; a peer that does not read makes the writer wait, never the buffer grow.
 *
 * A peer that is always ready (a flood over loopback) must not keep the loop: after STREAM_BURST
 * bytes without a wait the fiber yields, and looks at its deadline and at cancellation as a wait
 * would have done.
 */
#include "net/stream_private.h"

#include <errno.h>

#define STREAM_OUT_MAX     (64 * 1024)  /* stream_write flushes at this size */
#define STREAM_BEGUN_PLAIN 4096         /* kept of what stream_write_some could not send */
#define STREAM_LINE_READ   (16 * 1024)  /* one read for a line or for a parked stream's command */
#define STREAM_BURST       (256 * 1024) /* moved without a wait before others get their turn */

/* --- steps --- */

enum io stream_step_read(struct stream *s, void *p, size_t n, size_t *got)
{
    if (s->ssl)
        return stream_tls_read(s, p, n, got);
    ssize_t r = stream_socket_read(s, p, n);
    if (r > 0) {
        *got = (size_t)r;
        return IO_DONE;
    }
    if (r == 0) {
        s->ended = true;
        return IO_ENDED;
    }
    if (errno == EAGAIN)
        return IO_WANT_READ;
    s->broken = ERR_CLOSED;
    s->socket_error = errno;
    return IO_BROKEN;
}

enum io stream_step_write(struct stream *s, const void *p, size_t n, size_t *sent)
{
    if (s->ssl)
        return stream_tls_write(s, p, n, sent);
    ssize_t r = stream_socket_write(s, p, n);
    if (r >= 0) {
        *sent = (size_t)r;
        return IO_DONE;
    }
    if (errno == EAGAIN)
        return IO_WANT_WRITE;
    s->broken = ERR_CLOSED;
    s->socket_error = errno;
    return IO_BROKEN;
}

/* The buffer without its first `offset` bytes, moving the rest only when that is little. */
static void compact(struct buf *b, size_t *offset)
{
    if (*offset == b->n)
        buf_clear(b);
    else if (*offset >= b->n - *offset)
        buf_consume(b, *offset);
    else
        return;
    *offset = 0;
}

/* The same of the input. */
static void compact_input(struct stream *s)
{
    size_t before = s->in.n;
    if (s->secret && s->in_offset > 0)
        explicit_bzero(s->in.p, s->in_offset);
    compact(&s->in, &s->in_offset);
    if (s->secret && s->in.n < before)
        explicit_bzero(s->in.p + s->in.n, before - s->in.n);
}

/* What came, growing without leaving a copy behind. */
static void keep_secret(struct stream *s, size_t got)
{
    if (s->in.capacity - s->in.n < got) {
        struct buf more = BUF_EMPTY;
        buf_reserve(&more, s->in.n + got);
        buf_add_str(&more, buf_str(&s->in));
        buf_wipe(&s->in);
        s->in = more;
    }
    buf_add(&s->in, s->hub->scratch, got);
    explicit_bzero(s->hub->scratch, got);
}

void stream_expect_secrets(struct stream *s, bool expected)
{
    s->secret |= expected;
    s->secret_ended = !expected;
    if (s->ssl && expected)
        SSL_set_options(s->ssl, SSL_OP_CLEANSE_PLAINTEXT);
}

void stream_drop_input(struct stream *s)
{
    if (s->secret) {
        buf_wipe(&s->in);
        s->secret = !s->secret_ended;
        if (!s->secret && s->ssl)
            SSL_clear_options(s->ssl, SSL_OP_CLEANSE_PLAINTEXT);
    }
    buf_free(&s->in);
    s->in_offset = 0;
}

enum io stream_receive_some(struct stream *s, size_t n)
{
    if (s->broken)
        return IO_BROKEN;
    if (s->ended)
        return IO_ENDED;
    size_t got = 0;
    size_t most = n < HUB_SCRATCH_SIZE ? n : HUB_SCRATCH_SIZE;
    enum io io = s->deflate ? stream_deflate_read(s, s->hub->scratch, most, &got)
                            : stream_step_read(s, s->hub->scratch, most, &got);
    if (io == IO_DONE) {
        compact_input(s);
        if (s->tap)
            s->tap(s->tap_arg, true, str_from(s->hub->scratch, got));
        if (s->secret)
            keep_secret(s, got);
        else
            buf_add(&s->in, s->hub->scratch, got);
        s->burst += got;
    }
    return io;
}

enum io stream_send_some(struct stream *s)
{
    if (s->broken)
        return IO_BROKEN;
    if (s->deflate)
        return stream_deflate_send(s);
    while (s->out_offset < s->out.n) {
        size_t sent = 0;
        enum io io =
            stream_step_write(s, s->out.p + s->out_offset, s->out.n - s->out_offset, &sent);
        if (io != IO_DONE)
            return io;
        s->out_offset += sent;
        s->burst += sent;
    }
    compact(&s->out, &s->out_offset);
    return IO_DONE;
}

/* Counts a call's deadline from its first wait, and lets others run after a burst. */
static bool take_turns(struct stream *s, usec *deadline, struct err *e)
{
    if (s->burst < STREAM_BURST)
        return true;
    s->burst = 0;
    if (*deadline == 0)
        *deadline = deadline_in(s->timeout);
    fiber_yield();
    if (fiber_is_cancelled(fiber_self()))
        return err_set(e, ERR_CANCELLED, "%s: cancelled", s->peer);
    if (clock_monotonic() > *deadline)
        return err_set(e, ERR_TIMEOUT, "%s: timed out", s->peer);
    return true;
}

static bool wait_in_call(struct stream *s, enum io want, usec *deadline, struct err *e)
{
    if (*deadline == 0)
        *deadline = deadline_in(s->timeout);
    return stream_wait(s, want, *deadline, e);
}

/* --- reading --- */

struct str stream_buffered(const struct stream *s)
{
    return str_skip(buf_str(&s->in), s->in_offset);
}

void stream_consume(struct stream *s, size_t n)
{
    size_t have = s->in.n - s->in_offset;
    s->in_offset += n < have ? n : have;
}

bool stream_is_quiet(struct stream *s)
{
    if (s->in_offset < s->in.n)
        return false;
    enum io io = stream_receive_some(s, STREAM_LINE_READ);
    return io == IO_WANT_READ || io == IO_WANT_WRITE;
}

static bool read_more(struct stream *s, size_t n, usec *deadline, struct err *e)
{
    for (;;) {
        enum io io = stream_receive_some(s, n);
        if (io == IO_DONE)
            return take_turns(s, deadline, e);
        if (io == IO_ENDED || io == IO_BROKEN)
            return stream_report(s, e);
        if (!wait_in_call(s, io, deadline, e))
            return false;
    }
}

bool stream_is_in_time(const struct stream *s, usec begun, uint64_t received, struct err *e)
{
    uint64_t seconds = received / STREAM_RATE_MIN;
    usec elapsed = clock_monotonic() - begun - s->timeout;
    if (elapsed <= 0 || (uint64_t)(elapsed / USEC_SEC) <= seconds)
        return true;
    return err_set(e, ERR_TIMEOUT, "%s: slower than %d bytes a second", s->peer, STREAM_RATE_MIN);
}

bool stream_fill(struct stream *s, size_t max, struct err *e)
{
    usec deadline = 0;
    size_t have = s->in.n - s->in_offset;
    if (have >= max)
        return err_set(e, ERR_LIMIT, "%s: more than %zu bytes at once", s->peer, max);
    return read_more(s, max - have, &deadline, e);
}

/* Drops the rest of an over-long line as far as it is here; true when its end was found. */
static bool skip_line(struct stream *s)
{
    struct str b = stream_buffered(s);
    ptrdiff_t end = str_find_char(b, '\n');
    stream_consume(s, end < 0 ? b.n : (size_t)end + 1);
    s->skipping = end < 0;
    return end >= 0;
}

static bool line_too_long(struct stream *s, size_t max, struct err *e)
{
    return err_set(e, ERR_LIMIT, "%s: line longer than %zu bytes", s->peer, max);
}

bool stream_read_line(struct stream *s, size_t max, struct str *line, bool *crlf, struct err *e)
{
    usec deadline = 0;
    while (s->skipping && !skip_line(s))
        if (!read_more(s, STREAM_LINE_READ, &deadline, e))
            return false;

    ptrdiff_t end;
    struct str b = stream_buffered(s);
    size_t searched = 0;
    while ((end = str_find_char(str_skip(b, searched), '\n')) < 0) {
        if (b.n > max + 1) { /* the last one could be the CR */
            s->skipping = true;
            stream_consume(s, b.n);
            return line_too_long(s, max, e);
        }
        searched = b.n;
        if (!read_more(s, STREAM_LINE_READ, &deadline, e))
            return false;
        b = stream_buffered(s);
    }
    size_t n = searched + (size_t)end;
    stream_consume(s, n + 1);
    bool cr = n > 0 && b.p[n - 1] == '\r';
    n -= cr;
    if (n > max)
        return line_too_long(s, max, e);
    *line = str_from(b.p, n);
    if (crlf)
        *crlf = cr;
    return true;
}

void stream_set_tap(struct stream *s, void (*fn)(void *arg, bool input, struct str bytes),
                    void *arg)
{
    s->tap = fn;
    s->tap_arg = arg;
}

void *stream_tap_argument(const struct stream *s)
{
    return s->tap ? s->tap_arg : NULL;
}

/* --- writing --- */

size_t stream_unsent(const struct stream *s)
{
    return s->out.n - s->out_offset + stream_deflate_unsent(s);
}

bool stream_flush(struct stream *s, struct err *e)
{
    usec deadline = 0;
    for (;;) {
        enum io io = stream_send_some(s);
        if (io == IO_DONE)
            return take_turns(s, &deadline, e);
        if (io == IO_BROKEN)
            return stream_report(s, e);
        if (!wait_in_call(s, io, &deadline, e))
            return false;
    }
}

bool stream_write(struct stream *s, struct str bytes, struct err *e)
{
    if (s->broken)
        return stream_report(s, e);
    while (bytes.n > 0) {
        size_t unsent = stream_unsent(s);
        size_t room = unsent < STREAM_OUT_MAX ? STREAM_OUT_MAX - unsent : 0;
        size_t n = bytes.n < room ? bytes.n : room;
        compact(&s->out, &s->out_offset);
        buf_add(&s->out, bytes.p, n);
        if (s->tap)
            s->tap(s->tap_arg, false, str_from(bytes.p, n));
        bytes = str_skip(bytes, n);
        if (stream_unsent(s) >= STREAM_OUT_MAX && !stream_flush(s, e))
            return false;
    }
    return true;
}

bool stream_printf(struct stream *s, struct err *e, const char *format, ...)
{
    if (s->broken)
        return stream_report(s, e);
    size_t before = s->out.n;
    va_list args;
    va_start(args, format);
    buf_vprintf(&s->out, format, args);
    va_end(args);
    if (s->tap)
        s->tap(s->tap_arg, false, str_skip(buf_str(&s->out), before));
    return stream_unsent(s) < STREAM_OUT_MAX || stream_flush(s, e);
}

void stream_trim(struct stream *s)
{
    if (s->in_offset == s->in.n)
        stream_drop_input(s);
    if (s->out_offset == s->out.n) {
        buf_free(&s->out);
        s->out_offset = 0;
    }
}

void stream_write_now(struct stream *s, struct str bytes)
{
    if (s->broken)
        return;
    compact(&s->out, &s->out_offset);
    buf_add(&s->out, bytes.p, bytes.n);
    if (s->tap)
        s->tap(s->tap_arg, false, bytes);
    enum io io = stream_send_some(s);
    if (stream_unsent(s) > STREAM_UNSENT_MAX)
        stream_abort(s);
    else if (io == IO_WANT_WRITE && s->park != PARK_NOT)
        stream_watch_writable(s);
}

/* What is kept of bytes that do not go at once: those of a record that TLS has made already, or
 * some for which flushing has to wait. */
static size_t take_begun(struct stream *s, struct str rest)
{
    size_t most = s->ssl ? SSL3_RT_MAX_PLAIN_LENGTH : STREAM_BEGUN_PLAIN;
    struct str begun = str_head(rest, rest.n < most ? rest.n : most);
    buf_add_str(&s->out, begun);
    return begun.n;
}

size_t stream_write_some(struct stream *s, struct str bytes)
{
    if (s->deflate) {
        bytes = str_head(bytes, bytes.n < STREAM_OUT_MAX ? bytes.n : STREAM_OUT_MAX);
        stream_write_now(s, bytes);
        return bytes.n;
    }
    if (stream_send_some(s) != IO_DONE)
        return 0;
    size_t done = 0;
    enum io io = IO_DONE;
    while (io == IO_DONE && done < bytes.n) {
        size_t sent = 0;
        io = stream_step_write(s, bytes.p + done, bytes.n - done, &sent);
        done += sent;
    }
    s->burst += done;
    if (io == IO_WANT_WRITE || io == IO_WANT_READ)
        done += take_begun(s, str_skip(bytes, done));
    if (s->tap)
        s->tap(s->tap_arg, false, str_head(bytes, done));
    return done;
}
