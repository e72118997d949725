/*
 * The layout as text with variables. There is no way back: whose a Maildir is stands in it
 * (folder_disk.c).
 */
#include "store/layout.h"

#define PIECE_MAX 255

struct variable {
    char letter;
    size_t offset, width; /* width 0: all of it */
    bool zeros;
};

static size_t take_number(struct str *s)
{
    size_t n = 0;
    while (s->n > 0 && s->p[0] >= '0' && s->p[0] <= '9') {
        if (n <= PIECE_MAX)
            n = n * 10 + (size_t)(s->p[0] - '0');
        *s = str_skip(*s, 1);
    }
    return n;
}

/* Cuts the variable at the start of *s, which is a %. */
static bool take_variable(struct str *s, struct variable *v)
{
    *v = (struct variable){0};
    *s = str_skip(*s, 1);
    struct str number = *s;
    v->width = take_number(s);
    if (s->n > 0 && s->p[0] == '.') {
        *s = str_skip(*s, 1);
        v->offset = v->width;
        number = *s;
        v->width = take_number(s);
        if (v->width == 0)
            return false;
    }
    v->zeros = v->width > 0 && number.p[0] == '0';
    if (s->n > 0 && s->p[0] == 'L')
        *s = str_skip(*s, 1);
    v->letter = s->n > 0 ? s->p[0] : '\0';
    *s = str_skip(*s, 1);
    return (v->letter == 'd' || v->letter == 'n' || v->letter == 'u') && v->width <= PIECE_MAX &&
           v->offset <= PIECE_MAX;
}

static bool check_parts(struct str layout, struct err *e)
{
    while (layout.p) {
        struct str part = str_split(&layout, '/');
        if (part.n == 0 || part.p[0] == '.')
            return err_set(e, ERR_SYNTAX,
                           "it must be relative, and no part empty or with a dot first");
    }
    return true;
}

bool layout_check(struct str layout, struct err *e)
{
    struct str rest = layout;
    struct variable v;
    bool name = false;

    while (rest.n > 0) {
        if (rest.p[0] != '%') {
            rest = str_skip(rest, 1);
            continue;
        }
        if (!take_variable(&rest, &v))
            return err_set(e, ERR_SYNTAX, "it knows %%u, %%n and %%d, as in %%d/%%1n/%%n");
        name |= v.letter != 'd' && v.width == 0;
    }
    if (!name)
        return err_set(e, ERR_SYNTAX, "without %%n or %%u all accounts would share a Maildir");
    return check_parts(layout, e);
}

static void add_value(struct buf *b, const struct variable *v, struct str value)
{
    if (v->width == 0) {
        buf_add_str(b, value);
        return;
    }
    struct str piece = str_skip(value, v->offset < value.n ? v->offset : value.n);
    piece = str_head(piece, v->width < piece.n ? v->width : piece.n);
    for (size_t i = piece.n; v->zeros && i < v->width; i++)
        buf_add_char(b, '0');
    buf_add_str(b, piece);
}

static void add_all(struct buf *b, struct str layout, struct str domain, struct str name)
{
    struct buf login = BUF_EMPTY;
    struct variable v;

    buf_printf(&login, "%.*s@%.*s", STR_ARG(name), STR_ARG(domain));
    while (layout.n > 0) {
        if (layout.p[0] != '%') {
            buf_add_char(b, layout.p[0]);
            layout = str_skip(layout, 1);
            continue;
        }
        take_variable(&layout, &v);
        add_value(b, &v, v.letter == 'd' ? domain : v.letter == 'n' ? name : buf_str(&login));
    }
    buf_free(&login);
}

bool layout_add_path(struct buf *b, struct str layout, struct str home)
{
    ptrdiff_t slash = str_find_char(home, '/');
    size_t before = b->n;

    if (str_equal(layout, STR(LAYOUT_DEFAULT))) {
        buf_printf(b, "%.*s/Maildir", STR_ARG(home));
        return true;
    }
    if (slash <= 0)
        return false;
    struct str domain = str_head(home, (size_t)slash), name = str_skip(home, (size_t)slash + 1);
    if (name.n == 0 || str_find_char(name, '/') >= 0)
        return false;
    add_all(b, layout, domain, name);
    /* A piece of a name can be nothing or dots. */
    bool ok = check_parts(str_skip(buf_str(b), before), NULL);
    if (!ok)
        b->n = before;
    return ok;
}
