/*
 * LDIF (RFC 2849). A line that begins with a space goes on with the one before; "::" announces
 * base64; entries are separated by empty lines; "#" begins a comment. What ldapsearch puts around
 * the entries (version, search result, references) is passed over. Values in files (":<") are
 * refused: the file would be read with the rights of who imports. So are changes (changetype other
 * than add).
 */
#include "mailctl/ldif.h"

#define FOLD_WIDTH 76

/* One line with what was folded, comments left out; empty: the end of an entry or of all. */
static struct str read_line(struct ldif_reader *r, struct arena *a, int64_t *number)
{
    struct buf text = BUF_EMPTY;
    bool begun = false;
    for (;;) {
        ptrdiff_t end = str_find_char(r->rest, '\n');
        struct str line = end < 0 ? r->rest : str_head(r->rest, (size_t)end);
        bool more = line.n > 0 && line.p[0] == ' ';
        if ((begun && !more) || r->rest.n == 0)
            break;
        r->rest = str_skip(r->rest, end < 0 ? r->rest.n : (size_t)end + 1);
        r->line++;
        if (line.n > 0 && line.p[line.n - 1] == '\r')
            line.n--;
        if (!begun)
            *number = r->line;
        begun = true;
        buf_add_str(&text, more ? str_skip(line, 1) : line);
        if (line.n == 0)
            break;
    }
    struct str result = arena_str(a, buf_str(&text));
    buf_free(&text);
    return result;
}

static bool wrong(int64_t line, const char *what, struct err *e)
{
    return err_set(e, ERR_SYNTAX, "line %lld: %s", (long long)line, what);
}

static bool parse_line(struct str line, int64_t number, struct arena *a,
                       struct ldif_attribute *attribute, struct err *e)
{
    ptrdiff_t colon = str_find_char(line, ':');
    if (colon <= 0)
        return wrong(number, "\"attribute: value\" is expected", e);
    struct str name = str_head(line, (size_t)colon), value = str_skip(line, (size_t)colon + 1);
    ptrdiff_t option = str_find_char(name, ';');
    attribute->name = option < 0 ? name : str_head(name, (size_t)option);
    if (value.n > 0 && value.p[0] == '<')
        return wrong(number, "values in other files are not read", e);
    bool base64 = value.n > 0 && value.p[0] == ':';
    value = str_skip(value, base64);
    while (value.n > 0 && value.p[0] == ' ')
        value = str_skip(value, 1);
    attribute->value = value;
    if (!base64)
        return true;
    struct buf bytes = BUF_EMPTY;
    bool ok = buf_add_base64_decoded(&bytes, str_trim(value));
    attribute->value = arena_str(a, buf_str(&bytes));
    buf_free(&bytes);
    return ok || wrong(number, "malformed base64", e);
}

static struct ldif_attribute *add_attribute(struct arena *a, struct ldif_entry *entry,
                                            size_t *capacity)
{
    entry->attributes =
        arena_grow(a, entry->attributes, entry->count, capacity, sizeof(*entry->attributes), 16);
    return &entry->attributes[entry->count++];
}

/* The lines up to the next empty one. */
static bool read_block(struct ldif_reader *r, struct arena *a, struct ldif_entry *entry,
                       struct err *e)
{
    size_t capacity = 0;
    *entry = (struct ldif_entry){.line = r->line + 1};
    while (r->rest.n > 0) {
        int64_t number = r->line + 1;
        struct str line = read_line(r, a, &number);
        if (line.n == 0)
            break;
        if (line.p[0] == '#')
            continue;
        if (entry->count == 0)
            entry->line = number;
        if (!parse_line(line, number, a, add_attribute(a, entry, &capacity), e))
            return false;
    }
    return true;
}

static void drop_first(struct ldif_entry *entry)
{
    entry->attributes++;
    entry->count--;
}

static bool first_is(const struct ldif_entry *entry, const char *name)
{
    return entry->count > 0 && str_equal_nocase(entry->attributes[0].name, str_from_c(name));
}

bool ldif_read(struct ldif_reader *r, struct arena *a, struct ldif_entry *entry, bool *end,
               struct err *e)
{
    for (;;) {
        *end = r->rest.n == 0;
        if (*end)
            return true;
        if (!read_block(r, a, entry, e))
            return false;
        if (first_is(entry, "version"))
            drop_first(entry);
        if (first_is(entry, "dn"))
            break;
        if (entry->count > 0 && !first_is(entry, "search") && !first_is(entry, "result") &&
            !first_is(entry, "ref"))
            return wrong(entry->line, "an entry that does not begin with its dn", e);
    }
    entry->dn = entry->attributes[0].value;
    drop_first(entry);
    struct str change = ldif_value(entry, "changetype", 0);
    return !change.p || str_equal_nocase(change, STR("add")) ||
           wrong(entry->line, "changes of entries are not imported, only entries", e);
}

struct str ldif_value(const struct ldif_entry *entry, const char *name, size_t n)
{
    for (size_t i = 0; i < entry->count; i++)
        if (str_equal_nocase(entry->attributes[i].name, str_from_c(name)) && n-- == 0)
            return entry->attributes[i].value;
    return (struct str){NULL, 0};
}

/* --- writing --- */

/* SAFE-STRING of RFC 2849, and no space at the end. */
static bool is_safe(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] >= 0x80 || strchr("\r\n", s.p[i]))
            return false;
    return s.n == 0 || (!strchr(" :<", s.p[0]) && s.p[s.n - 1] != ' ');
}

void ldif_add(struct buf *b, const char *name, struct str value)
{
    struct buf line = BUF_EMPTY;
    buf_add_c(&line, name);
    if (is_safe(value)) {
        buf_add_c(&line, ": ");
        buf_add_str(&line, value);
    } else {
        buf_add_c(&line, ":: ");
        buf_add_base64(&line, value);
    }
    struct str rest = buf_str(&line);
    buf_add_str(b, str_head(rest, FOLD_WIDTH));
    for (rest = str_skip(rest, FOLD_WIDTH); rest.n > 0; rest = str_skip(rest, FOLD_WIDTH - 1)) {
        buf_add_c(b, "\n ");
        buf_add_str(b, str_head(rest, FOLD_WIDTH - 1));
    }
    buf_add_char(b, '\n');
    buf_free(&line);
}
