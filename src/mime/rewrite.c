/*
 * The same reading of address lists as qualify.c (RFC 5322 3.4), by places: everything is copied,
 * and where an address with a domain stands the new one is put in its place.
 *
 *     alice@example.org                     words joined by dots, "@", a domain
 *     Alice <alice@example.org>             between angle brackets
 *     "a b"@example.org, x@[192.0.2.1]      quoted, with a literal
 *     alice@example.org (Alice)             the comment behind it stays
 *     Staff: a@x.example, b@x.example;      members of a group
 *     <@a.example:alice@example.org>        the obsolete route stays
 *
 * Comments within an address, which the new one has no place for, are put behind it.
 */
#include "mime/rewrite.h"

#include "mime/lexer.h"
#include "mime/limits.h"

struct rewriting {
    struct lexer lexer;
    const char *copied; /* up to here it is in out */
    struct buf *out;
    address_rewrite_fn *fn;
    void *arg;
    struct buf local, domain, inner, text; /* of the present address */
    size_t seen, done;
};

/* Space and comments within an address. */
static void skip_inner(struct rewriting *x)
{
    const char *begin = x->lexer.p;
    lexer_skip_space(&x->lexer);
    buf_add(&x->inner, begin, (size_t)(x->lexer.p - begin));
}

/* False: nothing that is a word is here, or it is not closed. */
static bool take_word(struct rewriting *x)
{
    struct lexer *l = &x->lexer;
    if (!lexer_at(l, '"')) {
        struct str atom = lexer_atom(l);
        buf_add_str(&x->local, atom);
        return atom.n > 0;
    }
    const char *begin = l->p;
    lexer_quoted(l, &x->local);
    return l->p > begin + 1 && l->p[-1] == '"';
}

/* Atoms joined by dots, or a literal. */
static bool take_domain(struct rewriting *x, const char **end)
{
    struct lexer *l = &x->lexer;
    if (lexer_at(l, '[')) {
        const char *begin = l->p, *close = memchr(begin, ']', (size_t)(l->end - begin));
        if (!close)
            return false;
        buf_add(&x->domain, begin, (size_t)(close + 1 - begin));
        l->p = *end = close + 1;
        return true;
    }
    for (;;) {
        struct str atom = lexer_atom(l);
        if (atom.n == 0)
            return false;
        buf_add_str(&x->domain, atom);
        *end = l->p;
        struct lexer before = *l;
        size_t inner = x->inner.n;
        skip_inner(x);
        if (!lexer_at(l, '.')) { /* what was passed stands behind the address */
            *l = before;
            x->inner.n = inner;
            return true;
        }
        buf_add_char(&x->domain, '.');
        l->p++;
        skip_inner(x);
    }
}

static void replace(struct rewriting *x, const char *begin, const char *end)
{
    buf_clear(&x->text);
    if (x->seen++ >= MIME_ADDRESSES_MAX ||
        !x->fn(x->arg, buf_str(&x->local), buf_str(&x->domain), &x->text))
        return;
    buf_add(x->out, x->copied, (size_t)(begin - x->copied));
    buf_add_str(x->out, buf_str(&x->text));
    if (str_find_char(buf_str(&x->inner), '(') >= 0)
        buf_add_str(x->out, buf_str(&x->inner));
    x->copied = end;
    x->done++;
}

/* Nothing follows that would make something else of it, such as the name in front of "<". */
static bool is_at_end(const struct lexer *l)
{
    struct lexer after = *l;
    lexer_skip_space(&after);
    return lexer_at_end(&after) || lexer_at(&after, ',') || lexer_at(&after, ';') ||
           lexer_at(&after, '>');
}

/* Words from here on; if they are the local part of an address, all of it. Leaves the lexer behind
 * what was understood. */
static void pass_phrase_or_address(struct rewriting *x)
{
    struct lexer *l = &x->lexer;
    const char *begin = NULL, *end = NULL;
    bool joined = true, single = true;
    buf_clear(&x->local);
    buf_clear(&x->domain);
    buf_clear(&x->inner);
    lexer_skip_space(l);
    begin = l->p;
    for (;;) {
        if (lexer_at(l, '.')) {
            buf_add_char(&x->local, '.');
            l->p++;
            joined = true;
        } else if (lexer_at(l, '@')) {
            break;
        } else {
            single &= joined;
            joined = false;
            if (!take_word(x))
                return;
        }
        skip_inner(x);
    }
    l->p++;
    skip_inner(x);
    if (take_domain(x, &end) && single && x->local.n > 0 && is_at_end(l))
        replace(x, begin, end);
}

/* Behind "<": an obsolete route, then the address. */
static void pass_angle_address(struct rewriting *x)
{
    struct lexer *l = &x->lexer;
    lexer_skip_space(l);
    if (lexer_at(l, '@')) {
        lexer_skip_to(l, ":>");
        if (lexer_at(l, ':'))
            l->p++;
    }
    pass_phrase_or_address(x);
    lexer_skip_to(l, ">");
    if (!lexer_at_end(l))
        l->p++;
}

/* Up to the separator. */
static void pass_element(struct rewriting *x)
{
    struct lexer *l = &x->lexer;
    pass_phrase_or_address(x);
    lexer_skip_to(l, ",;:<");
    if (lexer_at(l, '<')) {
        l->p++;
        pass_angle_address(x);
        lexer_skip_to(l, ",;");
    }
    if (!lexer_at_end(l))
        l->p++;
}

size_t address_list_rewrite(struct buf *out, struct str value, address_rewrite_fn *fn, void *arg)
{
    struct rewriting x = {
        .lexer = lexer_on(value), .copied = value.p, .out = out, .fn = fn, .arg = arg};
    while (!lexer_at_end(&x.lexer))
        pass_element(&x);
    buf_add(out, x.copied, (size_t)(value.p + value.n - x.copied));
    buf_free(&x.local);
    buf_free(&x.domain);
    buf_free(&x.inner);
    buf_free(&x.text);
    return x.done;
}
