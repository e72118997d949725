/*
 * A cursor goes over values that are NIL, quoted, literals or lists of these. The server wrote
 * them, but they come from a file that may have been damaged: nothing is read beyond the end.
 */
#include "imap/envelope.h"

static const struct str nil = STR("NIL");

static size_t quoted_size(struct str s)
{
    const char *end = s.n > 1 ? memchr(s.p + 1, '"', s.n - 1) : NULL;
    if (end && !memchr(s.p + 1, '\\', (size_t)(end - s.p) - 1))
        return (size_t)(end - s.p) + 1;
    size_t i = 1;
    while (i < s.n && s.p[i] != '"')
        i += s.p[i] == '\\' ? 2 : 1;
    return i < s.n ? i + 1 : s.n;
}

/* "{12}\r\n" and what follows; *start: where the bytes begin. */
static size_t literal_size(struct str s, size_t *start)
{
    uint64_t n = 0;
    ptrdiff_t end = str_find_char(s, '}');
    *start = end < 0 ? s.n : (size_t)end + 3;
    if (end < 0 || *start > s.n || !str_to_u64(str_from(s.p + 1, (size_t)end - 1), &n) ||
        n > s.n - *start)
        return s.n;
    return *start + (size_t)n;
}

static size_t string_size(struct str s)
{
    size_t start, i = 0;
    if (s.n > 0 && s.p[0] == '"')
        return quoted_size(s);
    if (s.n > 0 && s.p[0] == '{')
        return literal_size(s, &start);
    while (i < s.n && s.p[i] != ' ' && s.p[i] != ')' && s.p[i] != '(')
        i++;
    return i;
}

static size_t value_size(struct str s)
{
    size_t depth = 0, i = 0;
    do {
        char c = i < s.n ? s.p[i] : '\0';
        if (c == '(' || c == ')' || c == ' ') {
            depth += c == '(';
            depth -= c == ')' && depth > 0;
            i++;
        } else {
            i += string_size(str_skip(s, i));
        }
    } while (depth > 0 && i < s.n);
    return i;
}

/* Cuts the next value off. */
static struct str take(struct str *rest)
{
    if (rest->n > 0 && rest->p[0] == ' ')
        *rest = str_skip(*rest, 1);
    if (rest->n == 0 || rest->p[0] == ')')
        return nil;
    struct str value = str_head(*rest, value_size(*rest));
    *rest = str_skip(*rest, value.n);
    return value;
}

void envelope_split(struct str envelope, enum envelope_field last,
                    struct str fields[ENVELOPE_FIELDS])
{
    struct str rest = str_skip(envelope, 1);
    for (enum envelope_field i = 0; i <= last; i++)
        fields[i] = take(&rest);
}

bool envelope_add_text(struct buf *out, struct str s)
{
    size_t start, end;
    if (s.n > 0 && s.p[0] == '{') {
        end = literal_size(s, &start);
        if (start < end)
            buf_add(out, s.p + start, end - start);
        return true;
    }
    if (s.n < 2 || s.p[0] != '"')
        return false;
    if (!memchr(s.p, '\\', s.n)) {
        buf_add(out, s.p + 1, s.n - 2);
        return true;
    }
    for (size_t i = 1; i + 1 < s.n; i++) {
        i += s.p[i] == '\\' && i + 2 < s.n;
        buf_add_char(out, s.p[i]);
    }
    return true;
}

bool envelope_first_address(struct str list, struct envelope_address *a)
{
    if (list.n < 2 || list.p[0] != '(' || list.p[1] != '(')
        return false;
    struct str rest = str_skip(list, 2);
    a->name = take(&rest);
    a->route = take(&rest);
    a->mailbox = take(&rest);
    a->host = take(&rest);
    return true;
}
