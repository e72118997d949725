/*
 * Only leaves have bytes of their own to encode; multiparts and messages that called themselves
 * binary hold nothing binary any more and become 8bit (RFC 2045 6.4 allows no base64 for them). The
 * message is copied from its start to its end once; what lies between parts (boundaries, preambles)
 * is text.
 */
#include "mime/binary.h"

#include "mime/header.h"
#include "mime/message.h"

#define LINE_BYTES 57 /* make 76 characters */

struct encoder {
    struct buf *out;
    struct str message;
    size_t done; /* of the message */
};

/* CRLF becomes LF, and so does CR CR LF: a CR before an LF would be taken for a part of it. */
static void add_text(struct buf *out, struct str text)
{
    while (text.n > 0) {
        ptrdiff_t cr = str_find_char(text, '\r');
        size_t n = cr < 0 ? text.n : (size_t)cr, end = n;
        buf_add(out, text.p, n);
        while (end < text.n && text.p[end] == '\r')
            end++;
        if (end == text.n || text.p[end] != '\n')
            buf_add(out, text.p + n, end - n);
        text = str_skip(text, end);
    }
}

static void copy_until(struct encoder *x, size_t end)
{
    if (end > x->done)
        add_text(x->out, str_head(str_skip(x->message, x->done), end - x->done));
    if (end > x->done)
        x->done = end;
}

static void add_header(struct encoder *x, const struct mime_part *part, const char *encoding)
{
    struct str block =
        str_head(str_skip(x->message, part->header_start), part->header_end - part->header_start);
    struct header_field field;

    while (header_next(&block, &field)) {
        if (str_equal_nocase(field.name, STR("Content-Transfer-Encoding")))
            buf_printf(x->out, "Content-Transfer-Encoding: %s\n", encoding);
        else
            add_text(x->out, field.whole);
    }
    buf_add_char(x->out, '\n');
    x->done = part->header_end;
}

static void add_base64(struct encoder *x, size_t end)
{
    struct str body = str_head(str_skip(x->message, x->done), end - x->done);

    while (body.n > 0) {
        buf_add_base64(x->out, str_head(body, LINE_BYTES));
        buf_add_char(x->out, '\n');
        body = str_skip(body, body.n < LINE_BYTES ? body.n : LINE_BYTES);
    }
    x->done = end;
}

static void encode_part(struct encoder *x, const struct mime_part *part)
{
    bool binary = str_equal_nocase(part->encoding, STR("binary"));
    bool leaf = !part->children;

    copy_until(x, part->header_start);
    if (binary)
        add_header(x, part, leaf ? "base64" : "8bit");
    if (binary && leaf) {
        add_base64(x, part->body_end);
        return;
    }
    for (const struct mime_part *child = part->children; child; child = child->next)
        encode_part(x, child);
    copy_until(x, part->body_end);
}

void mime_encode_binary(struct buf *out, struct str message)
{
    struct arena *a = arena_new();
    struct encoder x = {.out = out, .message = message};

    encode_part(&x, mime_parse(a, message, &mime_limits_default, false));
    copy_until(&x, message.n);
    arena_free(a);
}
