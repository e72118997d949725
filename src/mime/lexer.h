#pragma once
/*
 * The lexical elements that structured header fields share (RFC 5322 3.2, RFC 2045 5.1), read
 * leniently: 8-bit bytes are letters, what is not closed ends with the field. Internal to mime.
 */
#include "core/buf.h"

struct lexer {
    const char *p, *end;
    struct str comment; /* content of the last comment passed, raw; p == NULL: none */
};

static inline struct lexer lexer_on(struct str s)
{
    return (struct lexer){s.p, s.p + s.n, {NULL, 0}};
}

static inline bool lexer_at_end(const struct lexer *l)
{
    return l->p == l->end;
}

static inline bool lexer_at(const struct lexer *l, char c)
{
    return l->p < l->end && *l->p == c;
}

/* Space, line ends and comments. */
void lexer_skip_space(struct lexer *l);
/* Up to (not over) the next of the characters outside of quotes and comments, or the end. */
void lexer_skip_to(struct lexer *l, const char *stops);
/* At a quote: its content, unescaped and unfolded, appended; moves behind the closing quote. */
void lexer_quoted(struct lexer *l, struct buf *out);
/* Atom characters of RFC 5322 (no dot, no specials); may be empty. */
struct str lexer_atom(struct lexer *l);
/* A token of RFC 2045; may be empty. */
struct str lexer_token(struct lexer *l);
/* Content of a comment with its escapes and folding removed, appended. */
void lexer_add_comment(struct buf *out, struct str comment);
