/*
 * Line by line with memchr. A CR in front of the LF (a mailbox filled by another program) is part
 * of the line end, not doubled; any other CR is a byte like others.
 */
#include "pop3/multiline.h"

void multiline_begin(struct multiline *m)
{
    *m = (struct multiline){0};
}

void multiline_begin_top(struct multiline *m, uint64_t lines)
{
    *m = (struct multiline){.limited = true, .lines = lines};
}

/* The present line is complete; true: it was the last. */
static bool end_line(struct multiline *m)
{
    bool empty = m->line_n == (m->cr ? 1 : 0);
    m->line_n = 0;
    m->cr = false;
    if (!m->limited)
        return false;
    if (m->in_body)
        return --m->lines == 0;
    m->in_body = empty;
    return empty && m->lines == 0;
}

bool multiline_add(struct multiline *m, struct str bytes, struct buf *out)
{
    while (bytes.n > 0) {
        const char *lf = memchr(bytes.p, '\n', bytes.n);
        size_t n = lf ? (size_t)(lf - bytes.p) : bytes.n;
        if (n > 0) {
            if (m->line_n == 0 && bytes.p[0] == '.')
                buf_add_char(out, '.');
            buf_add(out, bytes.p, n);
            m->line_n += n;
            m->cr = bytes.p[n - 1] == '\r';
        }
        if (!lf)
            return true;
        buf_add_c(out, m->cr ? "\n" : "\r\n");
        if (end_line(m))
            return false;
        bytes = str_skip(bytes, n + 1);
    }
    return true;
}

void multiline_end(struct multiline *m, struct buf *out)
{
    if (m->line_n > 0)
        buf_add_c(out, "\r\n");
    buf_add_c(out, ".\r\n");
}
