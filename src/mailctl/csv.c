/*
 * CSV as RFC 4180 has it: records end with a line end, fields with a comma; a field in quotes may
 * hold both, and quotes as two. What spreadsheets add is taken: a byte order mark, empty lines, LF
 * alone. A quote elsewhere is an error, since nobody knows what was meant.
 */
#include "mailctl/csv.h"

#include "ctl/limits.h"

static bool at_line_end(struct str s)
{
    return s.n == 0 || s.p[0] == '\n' || (s.p[0] == '\r' && s.n > 1 && s.p[1] == '\n');
}

static void skip_line_end(struct csv_reader *r)
{
    if (r->rest.n == 0)
        return;
    r->rest = str_skip(r->rest, r->rest.p[0] == '\r' ? 2 : 1);
    r->line++;
}

static bool read_quoted(struct csv_reader *r, struct arena *a, struct str *field, struct err *e)
{
    struct buf text = BUF_EMPTY;
    int64_t begun = r->line;
    r->rest = str_skip(r->rest, 1);
    for (;;) {
        ptrdiff_t quote = str_find_char(r->rest, '"');
        if (quote < 0) {
            buf_free(&text);
            return err_set(e, ERR_SYNTAX, "line %lld: a quote that does not end", (long long)begun);
        }
        struct str part = str_head(r->rest, (size_t)quote);
        for (size_t i = 0; i < part.n; i++)
            r->line += part.p[i] == '\n';
        buf_add_str(&text, part);
        r->rest = str_skip(r->rest, (size_t)quote + 1);
        if (r->rest.n == 0 || r->rest.p[0] != '"')
            break;
        buf_add_char(&text, '"');
        r->rest = str_skip(r->rest, 1);
    }
    *field = arena_str(a, buf_str(&text));
    buf_free(&text);
    return true;
}

static bool read_plain(struct csv_reader *r, struct arena *a, struct str *field, struct err *e)
{
    size_t n = 0;
    while (n < r->rest.n && r->rest.p[n] != ',' && !at_line_end(str_skip(r->rest, n)))
        if (r->rest.p[n++] == '"')
            return err_set(e, ERR_SYNTAX, "line %lld: a quote within a field", (long long)r->line);
    *field = arena_str(a, str_head(r->rest, n));
    r->rest = str_skip(r->rest, n);
    return true;
}

static bool read_field(struct csv_reader *r, struct arena *a, struct str *field, struct err *e)
{
    if (r->rest.n > 0 && r->rest.p[0] == '"') {
        if (!read_quoted(r, a, field, e))
            return false;
    } else if (!read_plain(r, a, field, e)) {
        return false;
    }
    return at_line_end(r->rest) || r->rest.p[0] == ',' ||
           err_set(e, ERR_SYNTAX, "line %lld: text behind a quoted field", (long long)r->line);
}

bool csv_read(struct csv_reader *r, struct arena *a, struct str **fields, size_t *count,
              int64_t *line, bool *end, struct err *e)
{
    if (!r->begun && str_starts_with(r->rest, STR("\xef\xbb\xbf")))
        r->rest = str_skip(r->rest, 3);
    r->line += !r->begun;
    r->begun = true;
    while (r->rest.n > 0 && at_line_end(r->rest))
        skip_line_end(r);
    *end = r->rest.n == 0;
    *line = r->line;
    *count = 0;
    *fields = arena_array(a, CSV_FIELDS_MAX, sizeof(**fields));
    while (!*end) {
        if (*count == CSV_FIELDS_MAX)
            return err_set(e, ERR_SYNTAX, "line %lld: more than %d fields", (long long)*line,
                           CSV_FIELDS_MAX);
        if (!read_field(r, a, &(*fields)[(*count)++], e))
            return false;
        if (at_line_end(r->rest))
            break;
        r->rest = str_skip(r->rest, 1);
    }
    skip_line_end(r);
    return true;
}

void csv_add(struct buf *b, bool first, struct str field)
{
    bool quoted = false;
    if (!first)
        buf_add_char(b, ',');
    for (size_t i = 0; i < field.n && !quoted; i++)
        quoted = strchr(",\"\r\n", field.p[i]) != NULL;
    if (!quoted) {
        buf_add_str(b, field);
        return;
    }
    buf_add_char(b, '"');
    for (size_t i = 0; i < field.n; i++) {
        if (field.p[i] == '"')
            buf_add_char(b, '"');
        buf_add_char(b, field.p[i]);
    }
    buf_add_char(b, '"');
}

void csv_end(struct buf *b)
{
    buf_add_c(b, "\r\n");
}
