/*
 * Message data, decoded (RFC 5321 4.5.2, RFC 3030).
 *
 * SMTP smuggling lives on two parsers that disagree about where a message ends. Here is one, with
 * five states, and the end is exactly CR LF . CR LF. What looks like an end with a bare CR or LF
 * in it is text: a bare LF becomes a line end of the stored message, but the line after it is not
 * a line of the protocol, so neither an end nor a stuffed dot is looked for there. Whoever sends
 * the message on stuffs dots anew, so such text cannot become an end later.
 *
 * The middle of lines goes by memchr and is copied in one piece; the states matter only around
 * line ends.
 */
#include "smtp/data_decoder.h"

enum {
    LINE_START, /* after CRLF, or at the beginning */
    DOT,        /* a dot at the start of a line, held back */
    DOT_CR,     /* that and a CR */
    TEXT,
    TEXT_CR, /* a CR, held back */
};

void data_decoder_init(struct data_decoder *d, enum data_form form)
{
    *d = (struct data_decoder){.form = form, .state = form == DATA_DOTTED ? LINE_START : TEXT};
}

static void end_line(struct data_decoder *d, struct buf *out)
{
    buf_add_char(out, '\n');
    d->last = '\n';
    d->column = 0;
}

static void give_line_end(struct data_decoder *d, struct buf *out)
{
    end_line(d, out);
    d->state = d->form == DATA_DOTTED ? LINE_START : TEXT;
}

/* Bytes of the character that begins with c, as UTF-8 has it. */
static size_t character_size(unsigned char c)
{
    return c < 0xc0 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
}

/* How much of the text still fits into the line, of which more has to come. Only what is before a
 * place counts, so it makes no difference in which pieces the text comes. No character is cut in
 * two. */
static size_t fitting(const struct data_decoder *d, struct str text)
{
    size_t n = d->line_max > d->column + 3 ? d->line_max - d->column - 3 : 0;
    if (n >= text.n)
        return text.n;
    while (n < text.n) {
        unsigned char c = (unsigned char)text.p[n];
        bool inside = (c & 0xc0) == 0x80 && d->column + n < d->line_max;
        if (!inside && d->column + n + character_size(c) > d->line_max)
            break;
        n++;
    }
    return n;
}

/* Bytes of a line that goes on. */
static void give(struct data_decoder *d, struct buf *out, struct str text)
{
    if (d->line_max > 0 && d->column + text.n > d->line_max)
        d->long_line = true;
    while (d->line_max > 0 && d->break_lines) {
        size_t n = fitting(d, text);
        if (n == text.n)
            break;
        buf_add(out, text.p, n);
        end_line(d, out);
        buf_add_char(out, ' ');
        d->column = 1;
        text = str_skip(text, n);
    }
    if (text.n == 0)
        return;
    buf_add_str(out, text);
    d->column += text.n;
    d->last = text.p[text.n - 1];
}

/* A CR that no LF followed. */
static void give_bare_cr(struct data_decoder *d, struct buf *out)
{
    d->bare_cr = true;
    give(d, out, STR(" "));
    d->state = TEXT;
}

/* Bytes without CR and LF. NULs are left out. */
static void give_text(struct data_decoder *d, struct str text, struct buf *out)
{
    while (text.n > 0) {
        const char *nul = memchr(text.p, 0, text.n);
        size_t n = nul ? (size_t)(nul - text.p) : text.n;
        give(d, out, str_head(text, n));
        if (!nul)
            break;
        d->nul = true;
        text = str_skip(text, n + 1);
    }
    d->state = TEXT;
}

static bool has_eight_bit(struct str s)
{
    size_t i = 0;
    for (; i + 8 <= s.n; i += 8) {
        uint64_t word;
        memcpy(&word, s.p + i, 8);
        if (word & 0x8080808080808080u)
            return true;
    }
    for (; i < s.n; i++)
        if ((unsigned char)s.p[i] > 127)
            return true;
    return false;
}

/* Up to the next CR or LF. */
static size_t text_length(struct str s)
{
    const char *lf = memchr(s.p, '\n', s.n);
    size_t n = lf ? (size_t)(lf - s.p) : s.n;
    const char *cr = memchr(s.p, '\r', n);
    return cr ? (size_t)(cr - s.p) : n;
}

static void feed_text(struct data_decoder *d, struct str wire, size_t *at, struct buf *out)
{
    char c = wire.p[*at];
    if (c == '\r') {
        d->state = TEXT_CR;
        *at += 1;
    } else if (c == '\n') {
        d->bare_lf = true;
        end_line(d, out);
        d->state = TEXT;
        *at += 1;
    } else {
        size_t n = text_length(str_skip(wire, *at));
        give_text(d, str_from(wire.p + *at, n), out);
        *at += n;
    }
}

size_t data_decoder_feed(struct data_decoder *d, struct str wire, struct buf *out)
{
    size_t at = 0;
    buf_reserve(out, wire.n + 2);
    while (at < wire.n && !d->ended) {
        char c = wire.p[at];
        switch (d->state) {
        case LINE_START:
            if (c == '.') {
                d->state = DOT;
                at++;
            } else {
                feed_text(d, wire, &at, out);
            }
            break;
        case DOT:
            if (c == '\r') {
                d->state = DOT_CR;
                at++;
            } else {
                d->state = TEXT; /* the dot was stuffed, whatever follows it */
            }
            break;
        case DOT_CR:
            if (c == '\n') {
                d->ended = true;
                at++;
            } else {
                give_bare_cr(d, out);
            }
            break;
        case TEXT:
            feed_text(d, wire, &at, out);
            break;
        case TEXT_CR:
            if (c == '\n') {
                give_line_end(d, out);
                at++;
            } else {
                give_bare_cr(d, out);
            }
            break;
        }
    }
    if (!d->eight_bit)
        d->eight_bit = has_eight_bit(str_head(wire, at));
    return at;
}

void data_decoder_finish(struct data_decoder *d, struct buf *out)
{
    if (d->state == TEXT_CR)
        give_bare_cr(d, out);
    if (d->last != '\n' && d->last != 0)
        give_line_end(d, out);
}
