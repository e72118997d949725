/*
 * Lexical elements of structured header fields: RFC 5322 3.2 (folding white space, comments, atoms,
 * quoted strings) and RFC 2045 5.1 (tokens). Everything advances, nothing looks back and comments
 * are counted instead of recursed into, so the time is linear in the input whatever it is.
 *
 * Bytes from 128 on are always letters (RFC 6532, and raw 8-bit text of old programs).
 */
#include "mime/lexer.h"

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* ()<>[]:;@\,." and white space */
static bool ends_atom(char c)
{
    return is_space(c) || (c != '\0' && strchr("()<>[]:;@\\,.\"", c) != NULL);
}

/* ()<>@,;:\"/[]?= and white space and controls */
static bool ends_token(char c)
{
    return (unsigned char)c <= ' ' || c == 127 || strchr("()<>@,;:\\\"/[]?=", c) != NULL;
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
        if (is_space(*l->p))
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
    while (l->p < l->end && !ends_atom(*l->p))
        l->p++;
    return str_from(start, (size_t)(l->p - start));
}

struct str lexer_token(struct lexer *l)
{
    const char *start = l->p;
    while (l->p < l->end && !ends_token(*l->p))
        l->p++;
    return str_from(start, (size_t)(l->p - start));
}
