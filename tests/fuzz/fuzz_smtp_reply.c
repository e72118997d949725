/*
 * Replies of other servers: lines as they come from the wire, and stored bytes on their way out,
 * cut in two where the first byte says: the result may not depend on it, and the dot at the end is
 * the only one that stands alone. A reply may be one to EHLO.
 */
#include "smtp/client_encoder.h"
#include "smtp/client_failure.h"
#include "smtp/client_hello.h"
#include "smtp/client_reply.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_replies(struct str wire)
{
    struct client_reply r = {.code = 0};
    enum client_reply_status status = CLIENT_REPLY_MORE;
    while (wire.p) {
        if (status != CLIENT_REPLY_MORE)
            client_reply_clear(&r);
        status = client_reply_add_line(&r, str_split(&wire, '\n'));
        struct buf out = BUF_EMPTY;
        client_reply_write(&out, &r);
        if (!str_is_utf8(client_text_cut(buf_str(&out))))
            abort();
        for (size_t i = 0; i < out.n; i++)
            if ((unsigned char)out.p[i] < ' ' || out.p[i] == 127)
                abort();
        if (status == CLIENT_REPLY_COMPLETE && (r.code < 200 || r.code > 599))
            abort();
        buf_free(&out);
    }
    client_reply_free(&r);
}

/* What is kept of it is bounded, and limits that make no sense are none. */
static void check_hello(struct str lines)
{
    struct client_hello h = {.extensions = 0};
    client_hello_parse(&h, lines);
    if (h.mechanisms.n > 2000 || (h.mechanisms.n > 0 && !(h.extensions & CLIENT_AUTH)) ||
        (h.recipients_max > 0 && !(h.extensions & CLIENT_LIMITS)))
        abort();
    client_hello_clear(&h);
    if (h.extensions || h.mechanisms.n > 0)
        abort();
    client_hello_free(&h);
}

static void check_encoder(struct str stored, size_t cut)
{
    struct client_encoder whole = {.in_line = false}, parts = {.in_line = false};
    struct buf a = BUF_EMPTY, b = BUF_EMPTY;
    client_encode(&whole, &a, stored);
    client_encode_end(&whole, &a);
    client_encode(&parts, &b, str_head(stored, cut));
    client_encode(&parts, &b, str_skip(stored, cut));
    client_encode_end(&parts, &b);
    if (!str_equal(buf_str(&a), buf_str(&b)))
        abort();
    for (size_t i = 0; i < a.n; i++)
        if ((a.p[i] == '\n' && (i == 0 || a.p[i - 1] != '\r')) ||
            (a.p[i] == '\r' && (i + 1 == a.n || a.p[i + 1] != '\n')))
            abort();
    ptrdiff_t end = str_find(buf_str(&a), STR("\r\n.\r\n"));
    if (end >= 0 ? (size_t)end + 5 != a.n : !str_equal(buf_str(&a), STR(".\r\n")))
        abort();
    /* In chunks: the same without the dots. */
    struct client_encoder chunks = {.chunks = true};
    buf_clear(&b);
    client_encode(&chunks, &b, stored);
    client_encode_end(&chunks, &b);
    if (b.n + 3 > a.n || (b.n > 0 && b.p[b.n - 1] != '\n'))
        abort();
    buf_free(&a);
    buf_free(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    struct str wire = str_from((const char *)data + 1, size - 1);
    check_replies(wire);
    check_hello(wire);
    check_encoder(wire, data[0] % (wire.n + 1));
    return 0;
}
