/*
 * Grammar, in short (RFC 3501 section 9):
 *
 *   command   = tag SP name *(SP argument) CRLF
 *   argument  = atom [ "[" *(argument) "]" [ "<" text ">" ] ] / quoted / literal / list
 *   list      = "(" [argument *(SP argument)] ")"
 *   literal   = "{" number ["+"] "}" CRLF *CHAR8          (RFC 7888 for the "+")
 *
 * An atom here is any run of printable ASCII but space, parentheses, double quote and "{": flags,
 * sequence sets and LIST patterns are all atoms, and the commands look closer. RFC 3501 section
 * 2.2.1 makes a missing or an extra space an error, and so it is here; only a space before the end
 * of the line and before ")" is passed over, since real clients send it.
 *
 * Open lists and sections stand on a stack of frames in the arena, so there is no recursion that a
 * client could drive.
 */
#include "imap/parser.h"

struct imap_frame {
    struct imap_frame *outer;
    struct imap_argument *owner; /* the list, or the atom with the section; NULL at the top */
    struct imap_argument **tail;
    char close; /* ")", "]" or 0 */
};

void imap_parser_init(struct imap_parser *p, struct arena *a, struct imap_parser_limits limits)
{
    *p = (struct imap_parser){.arena = a, .limits = limits};
    p->frame = ARENA_NEW(a, struct imap_frame);
    p->frame->tail = &p->arguments;
}

void imap_parser_line(struct imap_parser *p, struct str line)
{
    p->before += p->line.p ? p->line.n + 2 : 0;
    p->line = line;
    p->at = 0;
}

/* --- errors --- */

static size_t position(const struct imap_parser *p)
{
    return p->before + p->at;
}

static enum imap_parse expected(struct imap_parser *p, const char *what)
{
    p->error = arena_printf(p->arena, "Expected %s at byte %zu", what, position(p));
    return IMAP_PARSE_BAD;
}

/* --- characters --- */

static bool at_end(const struct imap_parser *p)
{
    return p->at >= p->line.n;
}

static char peek(const struct imap_parser *p)
{
    return at_end(p) ? 0 : p->line.p[p->at];
}

static bool is_word_char(char c)
{
    return c > ' ' && c < 0x7f && c != '(' && c != ')' && c != '{' && c != '"';
}

static bool is_astring_char(char c)
{
    return is_word_char(c) && c != '%' && c != '*' && c != '\\';
}

bool imap_is_astring(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!is_astring_char(s.p[i]))
            return false;
    return s.n > 0;
}

bool imap_is_atom(struct str s)
{
    return imap_is_astring(s) && str_find_char(s, ']') < 0;
}

bool imap_argument_is(const struct imap_argument *a, const char *atom)
{
    return a && a->type == IMAP_ATOM && !a->has_section &&
           str_equal_nocase(a->text, str_from_c(atom));
}

bool imap_argument_astring(const struct imap_argument *a, struct str *s)
{
    if (!a || a->type == IMAP_LIST || a->spool || a->has_section)
        return false;
    *s = a->text;
    return a->type != IMAP_ATOM || imap_is_astring(a->text);
}

/* --- tag and name --- */

bool imap_parser_tag(struct imap_parser *p, struct str *tag)
{
    size_t start = p->at;
    while (!at_end(p) && is_astring_char(peek(p)) && peek(p) != '+')
        p->at++;
    *tag = str_from(p->line.p + start, p->at - start);
    if (!tag->n || (!at_end(p) && peek(p) != ' ')) {
        expected(p, "a tag");
        return false;
    }
    return true;
}

bool imap_parser_name(struct imap_parser *p, struct str *name)
{
    if (peek(p) != ' ' || at_end(p)) {
        expected(p, "a space and a command");
        return false;
    }
    p->at++;
    size_t start = p->at;
    while (!at_end(p) && is_astring_char(peek(p)))
        p->at++;
    *name = str_from(p->line.p + start, p->at - start);
    if (!name->n) {
        expected(p, "a command");
        return false;
    }
    p->after_value = true;
    return true;
}

/* --- values --- */

static struct imap_argument *add(struct imap_parser *p, enum imap_argument_type type)
{
    if (++p->count > p->limits.arguments_max) {
        p->error =
            arena_printf(p->arena, "Too many arguments (limit %zu)", p->limits.arguments_max);
        return NULL;
    }
    struct imap_argument *a = ARENA_NEW(p->arena, struct imap_argument);
    a->type = type;
    a->offset = position(p);
    *p->frame->tail = a;
    p->frame->tail = &a->next;
    p->after_value = true;
    return a;
}

static bool open_frame(struct imap_parser *p, struct imap_argument *owner, char close)
{
    if (++p->depth > p->limits.depth_max) {
        p->error = arena_printf(p->arena, "Lists nested too deeply (limit %zu) at byte %zu",
                                p->limits.depth_max, position(p));
        return false;
    }
    struct imap_frame *f = ARENA_NEW(p->arena, struct imap_frame);
    f->outer = p->frame;
    f->owner = owner;
    f->tail = &owner->children;
    f->close = close;
    p->frame = f;
    p->at++;
    p->after_value = false;
    return true;
}

/* Behind "]": <partial> belongs to the section. */
static enum imap_parse close_frame(struct imap_parser *p)
{
    struct imap_frame *f = p->frame;
    p->frame = f->outer;
    p->depth--;
    p->at++;
    p->after_value = true;
    if (f->close == ']' && peek(p) == '<') {
        ptrdiff_t end = str_find_char(str_skip(p->line, p->at), '>');
        if (end < 0)
            return expected(p, "\"<\" with a closing \">\"");
        f->owner->partial = str_from(p->line.p + p->at + 1, (size_t)end - 1);
        p->at += (size_t)end + 1;
    }
    return IMAP_PARSE_DONE;
}

static enum imap_parse parse_quoted(struct imap_parser *p)
{
    struct imap_argument *a = add(p, IMAP_QUOTED);
    if (!a)
        return IMAP_PARSE_BAD;
    p->at++;
    char *out = arena_alloc(p->arena, p->line.n - p->at + 1);
    size_t n = 0;
    for (; !at_end(p) && peek(p) != '"'; p->at++) {
        if (peek(p) == '\\')
            p->at++;
        char c = peek(p);
        if (c == 0 || c == '\r' || c == '\n')
            break;
        out[n++] = c;
    }
    if (peek(p) != '"')
        return expected(p, "a closing double quote");
    p->at++;
    a->text = str_from(out, n);
    if (p->utf8 && !str_is_utf8(a->text))
        return expected(p, "UTF-8 in the quoted string");
    return IMAP_PARSE_DONE;
}

static enum imap_parse parse_literal_header(struct imap_parser *p)
{
    struct str rest = str_skip(p->line, p->at);
    if (str_find_char(rest, '}') != (ptrdiff_t)rest.n - 1 ||
        !imap_line_literal(rest, &p->literal_size, &p->literal_sync))
        return expected(p, "a literal: {number} or {number+} at the end of the line");
    p->literal = add(p, IMAP_LITERAL);
    if (!p->literal)
        return IMAP_PARSE_BAD;
    p->literal->binary = p->literal_binary = rest.p[0] == '~';
    return IMAP_PARSE_LITERAL;
}

/* In lists in lists what only FETCH has is taken for its own: UPDATE (UID BODY[]) of SEARCH. */
static bool opens_section(const struct imap_parser *p, size_t start)
{
    static const char *const words[] = {"BODY", "BODY.PEEK", "BINARY", "BINARY.PEEK",
                                        "BINARY.SIZE"};
    struct str text = str_from(p->line.p + start, p->at - start);
    bool known = p->sections;
    for (size_t i = 0; !known && p->depth > 1 && i < sizeof words / sizeof *words; i++)
        known = str_equal_nocase(text, str_from_c(words[i]));
    return known;
}

static enum imap_parse parse_atom(struct imap_parser *p, const char *what)
{
    size_t start = p->at;
    bool in_section = p->frame->close == ']';
    while (p->at < p->line.n && is_word_char(p->line.p[p->at]) &&
           !(in_section && p->line.p[p->at] == ']') &&
           !(p->line.p[p->at] == '[' && opens_section(p, start)))
        p->at++;
    if (p->at == start)
        return expected(p, what);
    struct imap_argument *a = add(p, IMAP_ATOM);
    if (!a)
        return IMAP_PARSE_BAD;
    a->offset = p->before + start;
    a->text = str_from(p->line.p + start, p->at - start);
    if (peek(p) == '[') {
        if (in_section)
            return expected(p, "\"]\"");
        a->has_section = true;
        return open_frame(p, a, ']') ? IMAP_PARSE_DONE : IMAP_PARSE_BAD;
    }
    return IMAP_PARSE_DONE;
}

static enum imap_parse parse_value(struct imap_parser *p)
{
    switch (peek(p)) {
    case '(': {
        struct imap_argument *a = add(p, IMAP_LIST);
        return a && open_frame(p, a, ')') ? IMAP_PARSE_DONE : IMAP_PARSE_BAD;
    }
    case '"':
        return parse_quoted(p);
    case '{':
        return parse_literal_header(p);
    case '~':
        if (p->at + 1 < p->line.n && p->line.p[p->at + 1] == '{')
            return parse_literal_header(p);
        return parse_atom(p, "an argument");
    case ')':
        if (p->frame->close == ')')
            return close_frame(p);
        return expected(p, "an argument");
    case ']':
        if (p->frame->close == ']')
            return close_frame(p);
        return parse_atom(p, "an argument");
    default:
        return parse_atom(p, p->frame->close == ')'   ? "an argument or \")\""
                             : p->frame->close == ']' ? "a section or \"]\""
                                                      : "an argument");
    }
}

static bool only_spaces_left(const struct imap_parser *p)
{
    for (size_t i = p->at; i < p->line.n; i++)
        if (p->line.p[i] != ' ')
            return false;
    return true;
}

static enum imap_parse parse_behind_value(struct imap_parser *p)
{
    char close = p->frame->close;
    if (close && !at_end(p) && peek(p) == close)
        return close_frame(p);
    if (at_end(p) || peek(p) != ' ')
        return expected(p, close == ')'   ? "a space or \")\""
                           : close == ']' ? "a space or \"]\""
                                          : "a space or the end of the line");
    p->at++;
    p->after_value = false;
    return IMAP_PARSE_DONE;
}

enum imap_parse imap_parser_arguments(struct imap_parser *p)
{
    for (;;) {
        if (!p->frame->close && p->after_value && only_spaces_left(p))
            return IMAP_PARSE_DONE;
        enum imap_parse r = p->after_value ? parse_behind_value(p) : parse_value(p);
        if (r != IMAP_PARSE_DONE)
            return r;
    }
}

void imap_parser_literal(struct imap_parser *p, struct str bytes, struct spool *spool)
{
    p->literal->text = bytes;
    p->literal->spool = spool;
    p->before += p->literal_size;
}

bool imap_line_literal(struct str line, uint64_t *size, bool *sync)
{
    if (!line.n || line.p[line.n - 1] != '}')
        return false;
    ptrdiff_t open = str_find_last_char(line, '{');
    if (open < 0)
        return false;
    struct str number = str_from(line.p + open + 1, line.n - (size_t)open - 2);
    *sync = !(number.n && number.p[number.n - 1] == '+');
    if (!*sync)
        number.n--;
    return str_to_u64(number, size) && *size < INT64_MAX;
}

struct imap_argument *imap_argument_copy(struct arena *a, const struct imap_argument *from)
{
    struct imap_argument *first = NULL, **end = &first;
    for (; from; from = from->next) {
        struct imap_argument *copy = ARENA_NEW(a, struct imap_argument);
        *copy = *from;
        copy->text = arena_str(a, from->text);
        if (from->partial.p)
            copy->partial = arena_str(a, from->partial);
        copy->children = imap_argument_copy(a, from->children);
        copy->spool = NULL;
        *end = copy;
        end = &copy->next;
    }
    return first;
}
