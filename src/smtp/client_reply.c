/*
 * Replies are what hostile servers write into logs and reports: control characters and what is not
 * UTF-8 become '?', lines and their number are limited, and a reply whose lines disagree about the
 * code is none.
 */
#include "smtp/client_reply.h"

#include <stdio.h>

void client_reply_clear(struct client_reply *r)
{
    r->code = 0;
    r->enhanced[0] = '\0';
    r->lines = 0;
    buf_clear(&r->text);
}

void client_reply_free(struct client_reply *r)
{
    buf_free(&r->text);
}

/* One to three digits at the start of *s, which moves behind them. */
static bool take_number(struct str *s, unsigned *number)
{
    size_t n = 0;
    *number = 0;
    while (n < s->n && n < 3 && char_is_digit(s->p[n]))
        *number = *number * 10 + (unsigned)(s->p[n++] - '0');
    *s = str_skip(*s, n);
    return n > 0;
}

static bool take_dot(struct str *s)
{
    if (s->n == 0 || s->p[0] != '.')
        return false;
    *s = str_skip(*s, 1);
    return true;
}

/* class "." subject "." detail (RFC 3463 2), followed by a space or the end. */
static void find_enhanced(struct client_reply *r, struct str text)
{
    unsigned class, subject, detail;
    if (!take_number(&text, &class) || !take_dot(&text) || !take_number(&text, &subject) ||
        !take_dot(&text) || !take_number(&text, &detail))
        return;
    if (text.n > 0 && text.p[0] != ' ')
        return;
    if (class != (unsigned)r->code / 100 || class == 3)
        return;
    snprintf(r->enhanced, sizeof(r->enhanced), "%u.%u.%u", class % 10, subject % 1000,
             detail % 1000);
}

static void add_printable(struct buf *out, struct str text)
{
    bool utf8 = str_is_utf8(text);
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        bool ok = c >= ' ' && c != 127 && (c < 128 || utf8);
        buf_add_char(out, ok ? (char)c : '?');
    }
    buf_add_char(out, '\n');
}

enum client_reply_status client_reply_add_line(struct client_reply *r, struct str line)
{
    if (line.n > CLIENT_REPLY_LINE_MAX || ++r->lines > CLIENT_REPLY_LINES_MAX)
        return CLIENT_REPLY_BAD;
    if (line.n < 3 || line.p[0] < '2' || line.p[0] > '5' || !char_is_digit(line.p[1]) ||
        !char_is_digit(line.p[2]))
        return CLIENT_REPLY_BAD;
    if (line.n > 3 && line.p[3] != ' ' && line.p[3] != '-')
        return CLIENT_REPLY_BAD;
    int code = (line.p[0] - '0') * 100 + (line.p[1] - '0') * 10 + (line.p[2] - '0');
    struct str text = str_skip(line, 4);
    if (r->lines == 1) {
        r->code = code;
        find_enhanced(r, text);
    } else if (code != r->code) {
        return CLIENT_REPLY_BAD;
    }
    add_printable(&r->text, text);
    return line.n > 3 && line.p[3] == '-' ? CLIENT_REPLY_MORE : CLIENT_REPLY_COMPLETE;
}

void client_reply_write(struct buf *out, const struct client_reply *r)
{
    struct str rest = buf_str(&r->text);
    buf_printf(out, "%d", r->code);
    while (rest.n > 0) {
        struct str line = str_trim(str_split(&rest, '\n'));
        if (line.n > 0)
            buf_printf(out, " %.*s", STR_ARG(line));
    }
}
