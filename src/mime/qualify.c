/*
 * The same reading of address lists as address_list.c (RFC 5322 3.4), but by places instead of
 * values: everything is copied, and behind the last word of an address without "@" the domain is
 * put in. So names, comments, folding and quoting stay as their author wrote them.
 *
 *     root                      a single word, or words joined by dots: an address
 *     Cron Daemon <root>        between angle brackets: an address
 *     root (Cron Daemon)        the comment is passed over
 *     Undisclosed recipients:;  a group; its name is none
 *     Some Body                 several words without brackets: a name, nothing to complete
 */
#include "mime/qualify.h"

#include "mime/lexer.h"
#include "mime/limits.h"

struct qualifier {
    struct lexer lexer;
    const char *copied; /* up to here it is in out */
    struct str domain;
    struct buf *out;
    size_t done; /* addresses that were completed */
    bool unclosed;
};

/* Words joined by dots with space and comments between them. */
struct words {
    const char *end; /* behind the last one; NULL: none */
    bool single;     /* one word, or several joined by dots */
};

/* At a quote. One that is not closed takes all that follows: nothing is completed there. */
static void pass_quoted(struct qualifier *q)
{
    struct lexer *l = &q->lexer;
    for (l->p++; l->p < l->end && *l->p != '"';)
        l->p += *l->p == '\\' && l->p + 1 < l->end ? 2 : 1;
    q->unclosed = lexer_at_end(l);
    if (!q->unclosed)
        l->p++;
}

static bool pass_word(struct qualifier *q)
{
    if (!lexer_at(&q->lexer, '"'))
        return lexer_atom(&q->lexer).n > 0;
    pass_quoted(q);
    return true;
}

static struct words pass_words(struct qualifier *q)
{
    struct lexer *l = &q->lexer;
    struct words w = {NULL, true};
    bool joined = true; /* to what comes next */
    for (;;) {
        lexer_skip_space(l);
        if (lexer_at(l, '.')) {
            l->p++;
            joined = true;
            if (w.end)
                w.end = l->p;
        } else if (pass_word(q)) {
            w.single &= joined;
            joined = false;
            w.end = l->p;
        } else {
            return w;
        }
    }
}

static void complete(struct qualifier *q, const char *end)
{
    if (q->unclosed || q->done++ >= MIME_ADDRESSES_MAX)
        return;
    buf_add(q->out, q->copied, (size_t)(end - q->copied));
    buf_add_char(q->out, '@');
    buf_add_str(q->out, q->domain);
    q->copied = end;
}

/* Behind "<". A route ("@a,@b:") is followed by a complete address. */
static void pass_angle_address(struct qualifier *q)
{
    struct lexer *l = &q->lexer;
    struct words w = pass_words(q);
    if (w.end && w.single && (lexer_at(l, '>') || lexer_at_end(l)))
        complete(q, w.end);
    lexer_skip_to(l, ">");
    if (!lexer_at_end(l))
        l->p++;
}

/* Up to the separator. */
static void pass_element(struct qualifier *q)
{
    struct lexer *l = &q->lexer;
    struct words w = pass_words(q);
    if (lexer_at(l, ':')) { /* of a group: its first member follows */
        l->p++;
        return;
    }
    bool plain = lexer_at_end(l) || lexer_at(l, ',') || lexer_at(l, ';');
    if (plain && w.end && w.single)
        complete(q, w.end);
    if (lexer_at(l, '<')) {
        l->p++;
        pass_angle_address(q);
    }
    lexer_skip_to(l, ",;");
    if (!lexer_at_end(l))
        l->p++;
}

void address_list_qualify(struct buf *out, struct str value, struct str domain)
{
    struct qualifier q = {.lexer = lexer_on(value), .domain = domain, .out = out};
    q.copied = value.p;
    while (!lexer_at_end(&q.lexer))
        pass_element(&q);
    buf_add(out, q.copied, (size_t)(value.p + value.n - q.copied));
}
