/*
 * Both forms have the same levels: what is between separators differs only by the escaped dot.
 */
#include "imap/wire_name.h"

static const struct str inbox = {"INBOX", 5};

/* What an escape at the start stands for; 0: there is none. */
static char escaped(struct str s)
{
    if (s.n < 3 || s.p[0] != '\\')
        return 0;
    struct str digits = str_from(s.p + 1, 2);
    return str_equal_nocase(digits, STR("2e"))   ? '.'
           : str_equal_nocase(digits, STR("5c")) ? '\\'
                                                 : 0;
}

void wire_name_add(struct buf *b, struct wire_naming w, struct str name)
{
    if (w.below_inbox && name.n > 0 && !str_equal(name, inbox) &&
        !wire_name_is_below(name, w.public)) {
        buf_add_str(b, inbox);
        buf_add_char(b, wire_separator(w));
    }
    for (size_t i = 0; i < name.n; i++) {
        if (name.p[i] == '/')
            buf_add_char(b, wire_separator(w));
        else if (name.p[i] == '.' && w.dots)
            buf_add_c(b, "\\2e");
        else if (w.dots && escaped(str_skip(name, i)))
            buf_add_c(b, "\\5c");
        else
            buf_add_char(b, name.p[i]);
    }
}

static bool is_inbox(struct str s)
{
    return s.n >= inbox.n && str_equal_nocase(str_head(s, inbox.n), inbox);
}

static bool add_levels(struct buf *b, struct wire_naming w, struct str wire)
{
    for (size_t i = 0; i < wire.n; i++) {
        char meant = escaped(str_skip(wire, i));
        if (!w.dots) {
            buf_add_char(b, wire.p[i]);
        } else if (wire.p[i] == '/') {
            return false;
        } else if (meant) {
            buf_add_char(b, meant);
            i += 2;
        } else {
            buf_add_char(b, wire.p[i] == '.' ? '/' : wire.p[i]);
        }
    }
    return true;
}

static bool is_public(struct wire_naming w, struct str wire)
{
    return w.public.n > 0 && str_starts_with(wire, w.public) &&
           (wire.n == w.public.n || wire.p[w.public.n] == wire_separator(w));
}

bool wire_name_parse(struct buf *b, struct wire_naming w, struct str wire)
{
    size_t before = b->n;

    if (wire.n == 0)
        return true;
    if (is_inbox(wire) && wire.n == inbox.n) {
        buf_add_str(b, inbox);
        return true;
    }
    bool public = is_public(w, wire);
    if (w.below_inbox && !public) {
        if (!is_inbox(wire) || wire.p[inbox.n] != wire_separator(w))
            return false;
        wire = str_skip(wire, inbox.n + 1);
    }
    if (!add_levels(b, w, wire)) {
        b->n = before;
        return false;
    }
    /* INBOX in any case, also as the first level. */
    struct str name = str_skip(buf_str(b), before);
    bool first = is_inbox(name) && (name.n == inbox.n || name.p[inbox.n] == '/');
    if (first)
        memcpy(b->p + before, inbox.p, inbox.n);
    /* INBOX has one name only, and so have public mailboxes. */
    if (w.below_inbox &&
        ((first && name.n == inbox.n) || (!public && wire_name_is_below(name, w.public))))
        b->n = before;
    return b->n > before || wire.n == 0;
}

void wire_name_swap(struct wire_naming w, char *p, size_t n)
{
    for (size_t i = 0; w.dots && i < n; i++) {
        if (p[i] == '.')
            p[i] = '/';
        else if (p[i] == '/')
            p[i] = '.';
    }
}
