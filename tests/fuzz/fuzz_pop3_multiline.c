/*
 * Any message in pieces of any size: what the client reads is the message again, in lines that end
 * in CRLF, and the end mark comes once, at the end. The first two bytes choose the piece size and
 * the lines of TOP.
 */
#include "pop3/multiline.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void convert(struct str message, size_t piece, int top, struct buf *out)
{
    struct multiline m;
    bool more = true;
    if (top < 0)
        multiline_begin(&m);
    else
        multiline_begin_top(&m, (uint64_t)top);
    while (more && message.n > 0) {
        more = multiline_add(&m, str_head(message, piece), out);
        message = str_skip(message, piece);
    }
    multiline_end(&m, out);
}

/* What a client makes of it: lines up to the one that is a dot alone. Returns what is behind. */
static struct str read_reply(struct str reply, struct buf *message)
{
    for (;;) {
        ptrdiff_t end = str_find(reply, STR("\n"));
        assert(end > 0 && reply.p[end - 1] == '\r');
        struct str line = str_head(reply, (size_t)end - 1);
        reply = str_skip(reply, (size_t)end + 1);
        if (str_equal(line, STR(".")))
            return reply;
        if (line.n > 0 && line.p[0] == '.')
            line = str_skip(line, 1);
        buf_add_str(message, line);
        buf_add_char(message, '\n');
    }
}

/* The message with each CRLF as LF, and its last line complete. */
static void plain(struct str s, struct buf *out)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] != '\r' || i + 1 == s.n || s.p[i + 1] != '\n')
            buf_add_char(out, s.p[i]);
    if (s.n > 0 && s.p[s.n - 1] != '\n')
        buf_add_char(out, '\n');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf whole = BUF_EMPTY, pieces = BUF_EMPTY, top = BUF_EMPTY, got = BUF_EMPTY,
               expected = BUF_EMPTY;
    if (size < 2)
        return 0;
    struct str message = str_from((const char *)data + 2, size - 2);
    convert(message, message.n, -1, &whole);
    convert(message, data[0] + 1u, -1, &pieces);
    assert(str_equal(buf_str(&whole), buf_str(&pieces)));
    assert(read_reply(buf_str(&whole), &got).n == 0);
    plain(message, &expected);
    assert(str_equal(buf_str(&got), buf_str(&expected)));

    convert(message, data[0] + 1u, data[1], &top);
    buf_clear(&got);
    assert(read_reply(buf_str(&top), &got).n == 0);
    assert(str_starts_with(buf_str(&expected), buf_str(&got)));
    buf_free(&whole);
    buf_free(&pieces);
    buf_free(&top);
    buf_free(&got);
    buf_free(&expected);
    return 0;
}
