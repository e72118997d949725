/*
 * Parameters of MIME fields (RFC 2045 5.1) with the continuations and charsets of RFC 2231:
 *
 *     ; name=value  ; name="value"  ; name*=charset'language'percent-encoded
 *     ; name*0="first part" ; name*1*=percent%20encoded ...
 *
 * All are read into a table first, then those of one name are joined by section number. Where a
 * value should have been quoted but is not, file names may contain spaces, others end at one.
 * What follows a value up to the next semicolon is ignored.
 */
#include "mime/parameter.h"

#include "mime/limits.h"
#include "mime/text.h"

enum { NO_SECTION = -1 };

struct raw {
    struct str whole; /* the name as written */
    struct str name;  /* without stars */
    struct str value;
    int section;
    bool extended, used;
};

static struct str keep(struct arena *a, struct buf *b)
{
    struct str s = arena_str(a, buf_str(b));
    buf_free(b);
    return s;
}

/* A value without quotes. */
static void read_bare_value(struct lexer *l, bool with_spaces, struct buf *out)
{
    const char *start = l->p;
    while (!lexer_at_end(l) && *l->p != ';' && (with_spaces || !char_is_space(*l->p)))
        l->p++;
    struct str value = str_trim(str_from(start, (size_t)(l->p - start)));
    for (size_t i = 0; i < value.n; i++)
        if (value.p[i] != '\r' && value.p[i] != '\n')
            buf_add_char(out, value.p[i]);
}

/* "name", "name*", "name*3", "name*3*". */
static void split_name(struct raw *r)
{
    struct str s = r->whole;
    r->name = s;
    r->section = NO_SECTION;
    if (s.n > 1 && s.p[s.n - 1] == '*') {
        r->extended = true;
        r->name = s = str_head(s, s.n - 1);
    }
    ptrdiff_t star = str_find_char(s, '*');
    uint32_t section;
    if (star > 0 && str_to_u32(str_skip(s, (size_t)star + 1), &section) &&
        section < MIME_PARAMETERS_MAX) {
        r->section = (int)section;
        r->name = str_head(s, (size_t)star);
    }
}

static bool read_parameter(struct arena *a, struct lexer *l, struct raw *r)
{
    *r = (struct raw){0};
    lexer_skip_space(l);
    r->whole = lexer_token(l);
    lexer_skip_space(l);
    if (r->whole.n == 0 || !lexer_at(l, '='))
        return false;
    l->p++;
    split_name(r);
    lexer_skip_space(l);
    struct buf value = BUF_EMPTY;
    bool is_file_name =
        str_equal_nocase(r->name, STR("filename")) || str_equal_nocase(r->name, STR("name"));
    if (lexer_at(l, '"'))
        lexer_quoted(l, &value);
    else
        read_bare_value(l, is_file_name, &value);
    r->value = keep(a, &value);
    return true;
}

/* charset'language'text: the text decoded; without a known charset as its bytes are. */
static struct str decode_extended(struct arena *a, struct str extended)
{
    struct str rest = extended, charset = STR("");
    ptrdiff_t first = str_find_char(rest, '\'');
    ptrdiff_t second = first < 0 ? -1 : str_find_char(str_skip(rest, (size_t)first + 1), '\'');
    if (second >= 0) {
        charset = str_head(rest, (size_t)first);
        rest = str_skip(rest, (size_t)(first + 1 + second + 1));
    }
    struct buf bytes = BUF_EMPTY, text = BUF_EMPTY;
    for (size_t i = 0; i < rest.n; i++) {
        bool escape = rest.p[i] == '%' && i + 2 < rest.n && char_hex_value(rest.p[i + 1]) >= 0 &&
                      char_hex_value(rest.p[i + 2]) >= 0;
        if (escape) {
            buf_add_char(
                &bytes, (char)(char_hex_value(rest.p[i + 1]) << 4 | char_hex_value(rest.p[i + 2])));
            i += 2;
        } else {
            buf_add_char(&bytes, rest.p[i]);
        }
    }
    struct str value = arena_str(a, buf_str(&bytes));
    if (charset.n == 0 || text_charset_is_known(charset)) {
        text_add_charset(&text, charset.n > 0 ? charset : STR("us-ascii"), buf_str(&bytes));
        value = arena_str(a, buf_str(&text));
    }
    buf_free(&bytes);
    buf_free(&text);
    return value;
}

/* A section without percent-encoding among others that have it. */
static void add_percent_encoded(struct buf *out, struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c <= ' ' || c >= 127 || strchr("()<>@,;:\\\"/[]?=*'%", c) != NULL)
            buf_printf(out, "%%%02X", c);
        else
            buf_add_char(out, (char)c);
    }
}

static struct raw *find_section(struct raw *raws, size_t count, struct str name, int section)
{
    for (size_t i = 0; i < count; i++)
        if (!raws[i].used && raws[i].section == section && str_equal_nocase(raws[i].name, name))
            return &raws[i];
    return NULL;
}

/* All sections of a name from 0 on, joined. */
static struct mime_parameter join(struct arena *a, struct raw *raws, size_t count, struct str name)
{
    struct raw *sections[MIME_PARAMETERS_MAX];
    int n = 0;
    bool extended = false;
    while (n < MIME_PARAMETERS_MAX && (sections[n] = find_section(raws, count, name, n)) != NULL) {
        sections[n]->used = true;
        extended |= sections[n++]->extended;
    }
    struct buf joined = BUF_EMPTY;
    for (int i = 0; i < n; i++) {
        if (extended && !sections[i]->extended)
            add_percent_encoded(&joined, sections[i]->value);
        else
            buf_add_str(&joined, sections[i]->value);
    }
    struct str value = keep(a, &joined);
    if (!extended)
        return (struct mime_parameter){.name = arena_str(a, name), .value = value};
    return (struct mime_parameter){arena_str(a, name), decode_extended(a, value), value};
}

static struct mime_parameter finish(struct arena *a, struct raw *raws, size_t count, struct raw *r)
{
    if (r->section != NO_SECTION && find_section(raws, count, r->name, 0) != NULL)
        return join(a, raws, count, r->name);
    r->used = true;
    if (r->section == NO_SECTION && r->extended)
        return (struct mime_parameter){arena_str(a, r->name), decode_extended(a, r->value),
                                       r->value};
    return (struct mime_parameter){.name = arena_str(a, r->whole), .value = r->value};
}

struct mime_parameter *parameters_parse(struct arena *a, struct lexer *l, size_t *left,
                                        size_t *count)
{
    size_t max = *left < MIME_PARAMETERS_MAX ? *left : MIME_PARAMETERS_MAX;
    struct buf table = BUF_EMPTY;
    size_t raw_count = 0;
    while (raw_count < max) {
        lexer_skip_to(l, ";");
        if (lexer_at_end(l))
            break;
        l->p++;
        struct raw r;
        if (read_parameter(a, l, &r)) {
            buf_add(&table, &r, sizeof(r));
            raw_count++;
        }
    }
    struct mime_parameter *list = arena_array(a, raw_count + 1, sizeof(*list));
    *left -= raw_count;
    struct raw *raws = (struct raw *)(void *)table.p;
    *count = 0;
    for (size_t i = 0; i < raw_count; i++)
        if (!raws[i].used)
            list[(*count)++] = finish(a, raws, raw_count, &raws[i]);
    buf_free(&table);
    return list;
}

const struct mime_parameter *mime_parameter_find(const struct mime_parameter *parameters,
                                                 size_t count, struct str name)
{
    const struct mime_parameter *found = NULL;
    for (size_t i = 0; i < count; i++)
        if (str_equal_nocase(parameters[i].name, name) &&
            (found == NULL || (found->extended.p == NULL && parameters[i].extended.p != NULL)))
            found = &parameters[i];
    return found;
}
