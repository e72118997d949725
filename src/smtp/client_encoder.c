/*
 * The only line end that leaves is CRLF, and the only ".", CRLF after one is the end of the
 * message: a CR that stands alone would be a line end to some servers, with which a sender could
 * smuggle commands through us. It becomes a space.
 */
#include "smtp/client_encoder.h"

static void end_line(struct client_encoder *x, struct buf *out)
{
    buf_add_c(out, "\r\n");
    x->in_line = false;
}

/* Bytes without LF. */
static void add_text(struct client_encoder *x, struct buf *out, struct str text)
{
    while (text.n > 0) {
        if (x->cr) {
            buf_add_char(out, ' ');
            x->cr = false;
            x->in_line = true;
        }
        ptrdiff_t cr = str_find_char(text, '\r');
        struct str plain = cr < 0 ? text : str_head(text, (size_t)cr);
        if (plain.n > 0) {
            if (!x->in_line && !x->chunks && plain.p[0] == '.')
                buf_add_char(out, '.');
            buf_add_str(out, plain);
            x->in_line = true;
        }
        x->cr = cr >= 0;
        text = str_skip(text, plain.n + (cr >= 0 ? 1 : 0));
    }
}

void client_encode(struct client_encoder *x, struct buf *out, struct str stored)
{
    while (stored.n > 0) {
        ptrdiff_t lf = str_find_char(stored, '\n');
        add_text(x, out, lf < 0 ? stored : str_head(stored, (size_t)lf));
        if (lf < 0)
            return;
        x->cr = false;
        end_line(x, out);
        stored = str_skip(stored, (size_t)lf + 1);
    }
}

void client_encode_end(struct client_encoder *x, struct buf *out)
{
    x->cr = false;
    if (x->in_line)
        end_line(x, out);
    if (!x->chunks)
        buf_add_c(out, ".\r\n");
}
