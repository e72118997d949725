/*
 * Encoders that keep what does not fill a line, or what cannot be decided before the next byte.
 * Lines have at most 76 characters.
 */
#include "mime/recode.h"

#include "mime/header.h"

#define QUOTED_LINE 75 /* and the "=" of a soft break */

/* --- base64 --- */

static void write_line(struct base64_writer *w, struct buf *out)
{
    if (w->begun)
        buf_add_c(out, w->eol);
    buf_add_base64(out, str_from((const char *)w->held, w->count));
    w->begun = true;
    w->count = 0;
}

void base64_write(struct base64_writer *w, struct buf *out, struct str bytes)
{
    while (bytes.n > 0) {
        size_t n = sizeof(w->held) - w->count;
        n = n < bytes.n ? n : bytes.n;
        memcpy(w->held + w->count, bytes.p, n);
        w->count += (unsigned)n;
        bytes = str_skip(bytes, n);
        if (w->count == sizeof(w->held))
            write_line(w, out);
    }
}

void base64_write_end(struct base64_writer *w, struct buf *out)
{
    if (w->count > 0)
        write_line(w, out);
}

/* --- quoted-printable --- */

static void put(struct quoted_writer *w, struct buf *out, unsigned char c, bool plain)
{
    unsigned width = plain ? 1 : 3;
    if (w->column + width > QUOTED_LINE) {
        buf_add_c(out, "=\n");
        w->column = 0;
    }
    if (plain)
        buf_add_char(out, (char)c);
    else
        buf_printf(out, "=%02X", c);
    w->column += width;
}

static void put_space(struct quoted_writer *w, struct buf *out, bool at_end)
{
    if (w->space)
        put(w, out, (unsigned char)w->space, !at_end);
    w->space = 0;
}

void quoted_write(struct quoted_writer *w, struct buf *out, struct str bytes)
{
    for (size_t i = 0; i < bytes.n; i++) {
        unsigned char c = (unsigned char)bytes.p[i];
        put_space(w, out, c == '\n');
        if (c == '\n') {
            buf_add_char(out, '\n');
            w->column = 0;
        } else if (c == ' ' || c == '\t') {
            w->space = (char)c;
        } else {
            put(w, out, c, c > ' ' && c < 127 && c != '=');
        }
    }
}

void quoted_write_end(struct quoted_writer *w, struct buf *out)
{
    put_space(w, out, true);
}

/* --- headers --- */

void recode_header(struct buf *out, struct str block, const char *encoding, const char *eol)
{
    struct str rest = block;
    struct header_field field;
    size_t done = 0;
    while (header_next(&rest, &field)) {
        if (!str_equal_nocase(field.name, STR("Content-Transfer-Encoding")))
            continue;
        size_t at = (size_t)(field.whole.p - block.p);
        buf_add(out, block.p + done, at - done);
        done = at + field.whole.n;
    }
    /* Behind the last field, in front of the empty line. */
    size_t end = block.n;
    if (str_ends_with_nocase(block, STR("\r\n\r\n")) || str_equal(block, STR("\r\n")))
        end -= 2;
    else if (str_ends_with_nocase(block, STR("\n\n")) || str_equal(block, STR("\n")))
        end -= 1;
    if (end > done)
        buf_add(out, block.p + done, end - done);
    if (end > 0 && block.p[end - 1] != '\n')
        buf_add_c(out, eol);
    buf_printf(out, "Content-Transfer-Encoding: %s%s", encoding, eol);
    if (end == block.n)
        buf_add_c(out, eol); /* it was cut off */
    else
        buf_add_str(out, str_skip(block, end));
}
