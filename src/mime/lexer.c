/*
 * Lexical elements of structured header fields: RFC 5322 3.2 (folding white space, comments, atoms,
 * quoted strings) and RFC 2045 5.1 (tokens). Everything advances, nothing looks back and comments
 * are counted instead of recursed into, so the time is linear in the input whatever it is.
 *
 * Bytes from 128 on are always letters (RFC 6532, and raw 8-bit text of old programs).
 */
#include "mime/lexer.h"

enum { SPACE = 1, ENDS_ATOM = 2, ENDS_TOKEN = 4 };

/* Atoms end at ()<>[]:;@\,." and white space; tokens at ()<>@,;:\"/[]?=, white space, controls. */
static const unsigned char classes[256] = {
    [0 ... 8] = ENDS_TOKEN,
    [11 ... 12] = ENDS_TOKEN,
    [14 ... 31] = ENDS_TOKEN,
    [127] = ENDS_TOKEN,
    [' '] = SPACE | ENDS_ATOM | ENDS_TOKEN,
    ['\t'] = SPACE | ENDS_ATOM | ENDS_TOKEN,
    ['\r'] = SPACE | ENDS_ATOM | ENDS_TOKEN,
    ['\n'] = SPACE | ENDS_ATOM | ENDS_TOKEN,
    ['('] = ENDS_ATOM | ENDS_TOKEN,
    [')'] = ENDS_ATOM | ENDS_TOKEN,
    ['<'] = ENDS_ATOM | ENDS_TOKEN,
    ['>'] = ENDS_ATOM | ENDS_TOKEN,
    ['['] = ENDS_ATOM | ENDS_TOKEN,
    [']'] = ENDS_ATOM | ENDS_TOKEN,
    [':'] = ENDS_ATOM | ENDS_TOKEN,
    [';'] = ENDS_ATOM | ENDS_TOKEN,
    ['@'] = ENDS_ATOM | ENDS_TOKEN,
    ['\\'] = ENDS_ATOM | ENDS_TOKEN,
    [','] = ENDS_ATOM | ENDS_TOKEN,
    ['"'] = ENDS_ATOM | ENDS_TOKEN,
    ['.'] = ENDS_ATOM,
    ['/'] = ENDS_TOKEN,
    ['?'] = ENDS_TOKEN,
    ['='] = ENDS_TOKEN,
};

static bool is(char c, int class)
{
    return classes[(unsigned char)c] & class;
}

/* At an opening parenthesis. */
static void skip_comment(struct lexer *l)
{
    const char *start = l->p + 1;
    size_t depth = 0;
    for (; l->p < l->end; l->p++) {
        if (*l->p == '\\' && l->p + 1 < l->end) {
            l->p++;
        } else if (*l->p == '(') {
            depth++;
        } else if (*l->p == ')' && --depth == 0) {
            l->comment = str_from(start, (size_t)(l->p - start));
            l->p++;
            return;
        }
    }
    l->comment = str_from(start, (size_t)(l->end - start));
}

void lexer_skip_space(struct lexer *l)
{
    while (l->p < l->end) {
        if (is(*l->p, SPACE))
            l->p++;
        else if (*l->p == '(')
            skip_comment(l);
        else
            return;
    }
}

/* At a quote: moves behind the closing one; returns the raw content. */
static struct str skip_quoted(struct lexer *l)
{
    const char *start = ++l->p;
    while (l->p < l->end && *l->p != '"')
        l->p += *l->p == '\\' && l->p + 1 < l->end ? 2 : 1;
    struct str content = str_from(start, (size_t)(l->p - start));
    if (l->p < l->end)
        l->p++;
    return content;
}

static void add_unescaped(struct buf *out, struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '\r' || s.p[i] == '\n')
            continue;
        if (s.p[i] == '\\' && i + 1 < s.n && s.p[i + 1] != '\r' && s.p[i + 1] != '\n')
            i++;
        buf_add_char(out, s.p[i]);
    }
}

void lexer_skip_to(struct lexer *l, const char *stops)
{
    while (l->p < l->end && (*l->p == '\0' || strchr(stops, *l->p) == NULL)) {
        if (*l->p == '"')
            skip_quoted(l);
        else if (*l->p == '(')
            skip_comment(l);
        else
            l->p++;
    }
}

void lexer_quoted(struct lexer *l, struct buf *out)
{
    add_unescaped(out, skip_quoted(l));
}

void lexer_add_comment(struct buf *out, struct str comment)
{
    add_unescaped(out, str_trim(comment));
}

struct str lexer_atom(struct lexer *l)
{
    const char *start = l->p;
    while (l->p < l->end && !is(*l->p, ENDS_ATOM))
        l->p++;
    return str_from(start, (size_t)(l->p - start));
}

struct str lexer_token(struct lexer *l)
{
    const char *start = l->p;
    while (l->p < l->end && !is(*l->p, ENDS_TOKEN))
        l->p++;
    return str_from(start, (size_t)(l->p - start));
}
