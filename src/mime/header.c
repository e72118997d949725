/*
 * Header fields (RFC 5322 2.2): a field is a line "Name: value" and the lines behind it that begin
 * with a space or tab. Names are printable ASCII without colon; spaces before the colon are
 * tolerated (4.5.3). The block ends at an empty line or with its bytes. Line ends may be LF or
 * CRLF, mixed. Lines that are no field (an mbox "From " line, debris of broken programs) are
 * skipped with their continuation lines.
 */
#include "mime/header.h"

/* The end of the line at p, behind its LF. */
static const char *line_end(const char *p, const char *end)
{
    const char *newline = memchr(p, '\n', (size_t)(end - p));
    return newline ? newline + 1 : end;
}

static bool is_empty_line(const char *p, const char *end)
{
    return *p == '\n' || (*p == '\r' && p + 1 < end && p[1] == '\n');
}

bool header_find_end(struct str message, size_t *searched, size_t *end)
{
    const char *p = message.p + (searched ? *searched : 0), *stop = message.p + message.n;
    const char *newline;

    while (p < stop && (newline = memchr(p, '\n', (size_t)(stop - p))) != NULL) {
        const char *line = p;
        while (line < newline && *line == '\r')
            line++;
        p = newline + 1;
        if (line == newline) {
            *end = (size_t)(p - message.p);
            return true;
        }
    }
    if (searched)
        *searched = (size_t)(p - message.p);
    return false;
}

/* The name of the field in `whole`; n == 0 when it is no field. *value_start is behind the colon.
 */
static struct str field_name(struct str whole, size_t *value_start)
{
    size_t n = 0;
    while (n < whole.n && whole.p[n] > ' ' && whole.p[n] < 127 && whole.p[n] != ':')
        n++;
    size_t colon = n;
    while (colon < whole.n && (whole.p[colon] == ' ' || whole.p[colon] == '\t'))
        colon++;
    *value_start = colon + 1;
    if (colon == whole.n || whole.p[colon] != ':')
        return str_from(whole.p, 0);
    return str_from(whole.p, n);
}

bool header_next(struct str *rest, struct header_field *field)
{
    const char *p = rest->p, *end = rest->p + rest->n;
    while (p < end && !is_empty_line(p, end)) {
        const char *start = p;
        do
            p = line_end(p, end);
        while (p < end && (*p == ' ' || *p == '\t'));
        size_t value_start;
        field->whole = str_from(start, (size_t)(p - start));
        field->name = field_name(field->whole, &value_start);
        if (field->name.n == 0)
            continue;
        struct str value = str_skip(field->whole, value_start);
        if (value.n > 0 && value.p[value.n - 1] == '\n')
            value.n--;
        if (value.n > 0 && value.p[value.n - 1] == '\r')
            value.n--;
        field->value = value;
        *rest = str_from(p, (size_t)(end - p));
        return true;
    }
    *rest = str_from(p, (size_t)(end - p));
    return false;
}

bool header_find(struct str block, struct str name, struct str *value)
{
    struct header_field field;
    while (header_next(&block, &field)) {
        if (str_equal_nocase(field.name, name)) {
            *value = field.value;
            return true;
        }
    }
    return false;
}

size_t header_count(struct str block, struct str name)
{
    struct header_field field;
    size_t count = 0;
    while (header_next(&block, &field))
        count += str_equal_nocase(field.name, name);
    return count;
}

struct str header_unfold(struct arena *a, struct str value)
{
    value = str_trim(value);
    if (str_find_char(value, '\n') < 0)
        return arena_str(a, value);
    char *copy = arena_alloc(a, value.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < value.n; i++) {
        bool line_end_here = value.p[i] == '\n' || (value.p[i] == '\r' && value.p[i + 1] == '\n');
        if (!line_end_here)
            copy[n++] = value.p[i];
    }
    return str_from(copy, n);
}
