/*
 * What stands in a file of addresses, as sendmail and its successors read it: a line has addresses
 * separated by commas, each with what may stand around it in a header (RFC 5322 3.4):
 *
 *     # the board
 *     alice@example.org, "Bob B." <bob@example.org>
 *     carol (at home)
 *
 * Lines stand for themselves: nothing goes on in the next one. Programs and files (|, /), which
 * sendmail knows here, are no addresses to us.
 */
#include "mime/address.h"
#include "route/include_file.h"

/* Moves *rest behind the next comma outside of quotes, brackets and comments. */
static struct str take_element(struct str *rest)
{
    unsigned comment = 0;
    bool quoted = false, bracket = false;
    struct str whole = *rest;
    size_t i = 0;
    for (; i < whole.n; i++) {
        char c = whole.p[i];
        if (c == '\\')
            i++;
        else if (comment == 0 && c == '"')
            quoted = !quoted;
        else if (!quoted && c == '(')
            comment++;
        else if (!quoted && comment > 0 && c == ')')
            comment--;
        else if (!quoted && comment == 0 && (c == '<' || c == '>'))
            bracket = c == '<';
        else if (!quoted && !bracket && comment == 0 && c == ',')
            break;
    }
    if (i > whole.n)
        i = whole.n;
    *rest = str_skip(whole, i + 1);
    return str_head(whole, i);
}

/* Without comments. In a. */
static struct str strip_comments(struct str text, struct arena *a)
{
    unsigned comment = 0;
    bool quoted = false;
    size_t n = 0;
    if (str_find_char(text, '(') < 0)
        return str_trim(text);
    char *kept = arena_alloc(a, text.n + 1);
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        bool escaped = c == '\\' && i + 1 < text.n;
        if (!escaped && comment == 0 && c == '"')
            quoted = !quoted;
        if (!escaped && !quoted && c == '(')
            comment++;
        if (comment == 0) {
            kept[n++] = c;
            if (escaped)
                kept[n++] = text.p[i + 1];
        }
        i += escaped;
        if (!escaped && !quoted && comment > 0 && c == ')')
            comment--;
    }
    return str_trim(str_from(kept, n));
}

/* The last part of it in angle brackets, if there is any. */
static struct str inside_brackets(struct str text)
{
    bool quoted = false;
    ptrdiff_t open = -1;
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (c == '\\')
            i++;
        else if (c == '"')
            quoted = !quoted;
        else if (!quoted && c == '<')
            open = (ptrdiff_t)i;
    }
    if (open < 0 || text.p[text.n - 1] != '>' || (size_t)open + 1 >= text.n)
        return text;
    return str_trim(str_from(text.p + open + 1, text.n - (size_t)open - 2));
}

/* Whether there are any stays out of this: an empty element is none. */
static bool take_address(struct str element, struct arena *a, struct include_text *text,
                         size_t *capacity)
{
    struct address address;
    element = strip_comments(element, a);
    if (element.n == 0)
        return true;
    if (!address_parse(a, inside_brackets(element), ADDRESS_UTF8 | ADDRESS_NO_DOMAIN, &address,
                       NULL))
        return false;
    text->list = arena_grow(a, text->list, text->count, capacity, sizeof(*text->list), 16);
    text->list[text->count++] = address_text(a, &address);
    return true;
}

bool include_text_parse(struct str content, struct arena *a, struct include_text *text,
                        struct err *e)
{
    size_t capacity = 0, line_number = 0;
    *text = (struct include_text){.count = 0};
    if (!str_is_utf8(content))
        return err_set(e, ERR_SYNTAX, "it is no text in UTF-8");
    while (content.n > 0) {
        struct str line = str_trim(str_split(&content, '\n'));
        line_number++;
        if (line.n > 0 && line.p[0] == '#')
            continue;
        while (line.n > 0) {
            if (take_address(take_element(&line), a, text, &capacity))
                continue;
            text->bad_line = text->bad++ == 0 ? line_number : text->bad_line;
        }
    }
    return true;
}
