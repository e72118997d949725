/*
 * The layout as text with variables. The way back (whose directory is this?) matches the text
 * against the path, a variable reaching up to the next character of the layout; then the home that
 * was found is put into the layout again, and must give the same path.
 */
#include "store/layout.h"

#define SUFFIX "/Maildir"

static bool is_variable(struct str rest)
{
    return rest.n >= 2 && rest.p[0] == '%' &&
           (rest.p[1] == 'd' || rest.p[1] == 'n' || rest.p[1] == 'u');
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
    bool name = false;

    for (size_t i = 0; i < layout.n; i++) {
        struct str rest = str_skip(layout, i);
        if (rest.p[0] != '%')
            continue;
        if (!is_variable(rest))
            return err_set(e, ERR_SYNTAX, "it knows only %%u, %%n and %%d");
        name |= rest.p[1] != 'd';
    }
    size_t n = sizeof(SUFFIX) - 1;
    if (!name)
        return err_set(e, ERR_SYNTAX, "without %%n or %%u all accounts would share a Maildir");
    if (layout.n <= n || !str_equal(str_skip(layout, layout.n - n), STR(SUFFIX)))
        return err_set(e, ERR_SYNTAX, "it must end in " SUFFIX);
    return check_parts(layout, e);
}

bool layout_add_path(struct buf *b, struct str layout, struct str home)
{
    ptrdiff_t slash = str_find_char(home, '/');

    if (str_equal(layout, STR(LAYOUT_DEFAULT))) {
        buf_add_str(b, home);
        buf_add_c(b, SUFFIX);
        return true;
    }
    if (slash <= 0)
        return false;
    struct str domain = str_head(home, (size_t)slash), name = str_skip(home, (size_t)slash + 1);
    if (name.n == 0 || str_find_char(name, '/') >= 0)
        return false;
    for (size_t i = 0; i < layout.n; i++) {
        if (!is_variable(str_skip(layout, i))) {
            buf_add_char(b, layout.p[i]);
            continue;
        }
        char variable = layout.p[++i];
        if (variable != 'd')
            buf_add_str(b, name);
        if (variable == 'u')
            buf_add_char(b, '@');
        if (variable != 'n')
            buf_add_str(b, domain);
    }
    return true;
}

/* What a variable at the start of `layout` matches of `path`. */
static struct str take_value(struct str layout, struct str path)
{
    struct str next = str_skip(layout, 2);
    ptrdiff_t end = next.n > 0 ? str_find_char(path, next.p[0]) : -1;
    return end < 0 ? path : str_head(path, (size_t)end);
}

bool layout_add_home(struct buf *b, struct str layout, struct str dir)
{
    struct str domain = STR(""), name = STR(""), rest = dir;
    struct str pattern = str_head(layout, layout.n - (sizeof(SUFFIX) - 1));
    struct buf home = BUF_EMPTY, path = BUF_EMPTY;

    if (str_equal(layout, STR(LAYOUT_DEFAULT))) {
        buf_add_str(b, dir);
        return true;
    }
    while (pattern.n > 0 && rest.n > 0) {
        if (!is_variable(pattern)) {
            pattern = str_skip(pattern, 1);
            rest = str_skip(rest, 1);
            continue;
        }
        struct str value = take_value(pattern, rest);
        ptrdiff_t at = pattern.p[1] == 'u' ? str_find_last_char(value, '@') : -1;
        if (pattern.p[1] == 'd' || at >= 0)
            domain = at >= 0 ? str_skip(value, (size_t)at + 1) : value;
        if (pattern.p[1] != 'd')
            name = at >= 0 ? str_head(value, (size_t)at) : value;
        rest = str_skip(rest, value.n);
        pattern = str_skip(pattern, 2);
    }
    buf_printf(&home, "%.*s/%.*s", STR_ARG(domain), STR_ARG(name));
    buf_add_str(&path, dir);
    buf_add_c(&path, SUFFIX);
    struct buf again = BUF_EMPTY;
    bool ok = domain.n > 0 && name.n > 0 && layout_add_path(&again, layout, buf_str(&home)) &&
              str_equal(buf_str(&again), buf_str(&path));
    if (ok)
        buf_add_str(b, buf_str(&home));
    buf_free(&again);
    buf_free(&home);
    buf_free(&path);
    return ok;
}
