/*
 * aliases(5) of sendmail and Postfix:
 *
 *     name: destination, destination ...
 *
 * An entry goes on in lines that begin with a space or tab; a line whose first character is '#' is
 * a comment. A destination is an address, a name of this machine (here: of the domain that was
 * given),
 * ":include:/file", a program ("|command"), a file ("/path"); quotes around a whole one are taken
 * off, and so are a name for people with angle brackets and comments in parentheses.
 *
 * A name that leads to itself, mostly written "\name", keeps its mail and sends it on: it becomes a
 * user's forwards. /dev/null becomes ":discard:". What maild has no counterpart for is a problem of
 * its own kind, so that who imports may choose to take the rest.
 */
#include "mailctl/aliases.h"

#include "core/buf.h"
#include "ctl/ctl_json.h"
#include "ctl/limits.h"
#include "mime/address.h"

#include <stdlib.h>

struct names {
    struct str *keys; /* of the file, sorted */
    size_t count, capacity;
};

struct past_alias { /* a destination that may not go through an alias of its name */
    struct str address;
    int64_t line;
};

struct reading {
    struct str rest, domain;
    int64_t line; /* lines that were taken */
    struct arena *arena;
    struct alias_file *file;
    struct str entry; /* in work, and its line */
    int64_t at;
    struct names names;
    struct past_alias *past;
    size_t past_count, past_capacity, problem_capacity;
    struct err *error;
};

static void add_problem(struct reading *x, int64_t line, bool unsupported, struct str text)
{
    struct alias_file *f = x->file;
    f->unsupported += unsupported;
    if (f->problem_count == ALIAS_PROBLEMS_MAX)
        return;
    f->problems = arena_grow(x->arena, f->problems, f->problem_count, &x->problem_capacity,
                             sizeof(*f->problems), 16);
    f->problems[f->problem_count++] = (struct alias_problem){line, unsupported, text};
}

static void wrong(struct reading *x, const char *what, struct str text)
{
    add_problem(x, x->at, false,
                arena_printf(x->arena, "%s: \"%.*s\"", what, STR_ARG(str_head(text, 100))));
}

static void unsupported(struct reading *x, const char *what, struct str text)
{
    add_problem(x, x->at, true,
                arena_printf(x->arena, "%s: %.*s", what, STR_ARG(str_head(text, 200))));
}

/* --- entries --- */

/* The next line without its end; p == NULL: there is none. */
static struct str next_line(struct reading *x)
{
    if (x->rest.n == 0)
        return (struct str){NULL, 0};
    ptrdiff_t end = str_find_char(x->rest, '\n');
    struct str line = end < 0 ? x->rest : str_head(x->rest, (size_t)end);
    x->rest = str_skip(x->rest, end < 0 ? x->rest.n : (size_t)end + 1);
    x->line++;
    return line;
}

static bool says_nothing(struct str line)
{
    struct str text = str_trim(line);
    return text.n == 0 || text.p[0] == '#';
}

/* The next entry with its continuation lines, in *text; false: there is none, or it is too long. */
static bool read_entry(struct reading *x, struct buf *text)
{
    struct str line;
    buf_clear(text);
    do
        line = next_line(x);
    while (line.p && says_nothing(line));
    x->at = x->line;
    while (line.p) {
        if (!says_nothing(line)) {
            buf_add_str(text, line);
            buf_add_char(text, '\n');
        }
        if (text->n > ALIAS_ENTRY_MAX)
            return err_set(x->error, ERR_LIMIT, "line %lld: an entry of more than %zu bytes",
                           (long long)x->at, ALIAS_ENTRY_MAX);
        if (x->rest.n == 0 || !(char_is_space(x->rest.p[0]) || x->rest.p[0] == '#'))
            break;
        line = next_line(x);
    }
    return text->n > 0;
}

/* The length of what ends with one of these characters outside of quotes, comments and brackets;
 * text.n: with none. False: something of that does not end. */
static bool find_end(struct str text, const char *ends, size_t *n)
{
    bool quoted = false, bracket = false;
    int comments = 0;
    for (*n = 0; *n < text.n; ++*n) {
        char c = text.p[*n];
        if (c == '\\' && *n + 1 < text.n)
            ++*n;
        else if (c == '"' && comments == 0)
            quoted = !quoted;
        else if (quoted)
            continue;
        else if (c == '(' || (c == ')' && comments > 0))
            comments += c == '(' ? 1 : -1;
        else if (comments == 0 && (c == '<' || c == '>'))
            bracket = c == '<';
        else if (comments == 0 && !bracket && strchr(ends, c))
            return true;
    }
    return !quoted && comments == 0 && !bracket;
}

/* Without comments, in the arena. */
static struct str drop_comments(struct reading *x, struct str text)
{
    struct buf b = BUF_EMPTY;
    bool quoted = false;
    int depth = 0;
    for (size_t i = 0; i < text.n; i++) {
        bool escaped = text.p[i] == '\\' && i + 1 < text.n;
        if (!escaped && text.p[i] == '"' && depth == 0)
            quoted = !quoted;
        if (!escaped && !quoted && text.p[i] == '(')
            depth++;
        if (depth == 0)
            buf_add(&b, text.p + i, escaped ? 2 : 1);
        if (!escaped && !quoted && text.p[i] == ')' && depth > 0)
            depth--;
        i += escaped;
    }
    struct str result = arena_str(x->arena, str_trim(buf_str(&b)));
    buf_free(&b);
    return result;
}

/* What stands in quotes, if that is all of it; else the text as it is. */
static struct str drop_quotes(struct reading *x, struct str text, bool *quoted)
{
    struct buf b = BUF_EMPTY;
    size_t i = 1;
    *quoted = false;
    if (text.n < 2 || text.p[0] != '"')
        return text;
    for (; i < text.n && text.p[i] != '"'; i++) {
        i += text.p[i] == '\\' && i + 1 < text.n;
        buf_add_char(&b, text.p[i]);
    }
    *quoted = i + 1 == text.n;
    struct str result = *quoted ? arena_str(x->arena, buf_str(&b)) : text;
    buf_free(&b);
    return result;
}

/* --- addresses --- */

/* In full; "" with a problem noted. */
static struct str take_address(struct reading *x, struct str text, bool quoted)
{
    struct address address;
    const char *reason = "malformed";
    bool has_domain = !quoted && str_find_last_char(text, '@') >= 0;
    if (quoted || !has_domain) {
        /* A local part; whatever is in it, address_text() quotes it as it has to be. */
        address = (struct address){.local = text, .domain = x->domain};
        text = address_text(x->arena, &address);
    }
    if (address_parse(x->arena, text, ADDRESS_UTF8, &address, &reason))
        return address_text(x->arena, &address);
    wrong(x, reason, text);
    return STR("");
}

static bool is_clean(struct str text)
{
    for (size_t i = 0; i < text.n; i++)
        if (((unsigned char)text.p[i] < ' ' && !char_is_space(text.p[i])) || text.p[i] == 0x7f)
            return false;
    return str_is_utf8(text);
}

/* --- destinations --- */

/* "Name <address>": the address. */
static struct str in_brackets(struct str text)
{
    size_t open;
    if (!find_end(text, "", &open) || text.n == 0 || text.p[text.n - 1] != '>')
        return text;
    ptrdiff_t from = str_find_last_char(text, '<');
    return from < 0
               ? text
               : str_trim(str_head(str_skip(text, (size_t)from + 1), text.n - (size_t)from - 2));
}

/* One that begins with ':' : of sendmail, and of Exim. "" : none of ours. */
static struct str take_special(struct reading *x, struct str text)
{
    static const char include[] = ":include:";
    bool quoted;
    if (str_equal_nocase(text, STR(":blackhole:")))
        return STR(":discard:");
    if (!str_starts_with_nocase(text, STR(":include:"))) {
        unsupported(x, "not done here", text);
        return STR("");
    }
    struct str path = str_trim(str_skip(text, sizeof(include) - 1));
    path = drop_quotes(x, path, &quoted);
    if (path.n > 0 && path.p[0] == '/')
        return arena_printf(x->arena, "%s%.*s", include, STR_ARG(path));
    wrong(x, "the path of an include begins with /", text);
    return STR("");
}

/* *past: it may not go through an alias again. "" : it is none, which was noted. */
static struct str take_destination(struct reading *x, struct str text, bool *past)
{
    bool quoted;
    *past = false;
    text = drop_quotes(x, in_brackets(text), &quoted);
    if (text.n == 0) {
        wrong(x, "an empty destination", x->entry);
        return text;
    }
    switch (text.p[0]) {
    case '|':
        unsupported(x, "a program; Sieve filters mail here", text);
        return STR("");
    case '/':
        if (str_equal(text, STR("/dev/null")))
            return STR(":discard:");
        unsupported(x, "a file; mail is stored in mailboxes only", text);
        return STR("");
    case ':':
        return take_special(x, text);
    case '\\':
        *past = true;
        return take_address(x, str_skip(text, 1), quoted);
    default:
        return take_address(x, text, quoted);
    }
}

/* --- one entry --- */

struct alias {
    struct str name;
    json_t *destinations;
    bool to_itself, has_special;
};

static void add_destination(struct reading *x, struct alias *alias, struct str text)
{
    bool past;
    struct str to = take_destination(x, text, &past);
    if (to.n == 0)
        return;
    if (str_equal_nocase(to, alias->name)) {
        alias->to_itself = true;
        return;
    }
    if (past) {
        x->past =
            arena_grow(x->arena, x->past, x->past_count, &x->past_capacity, sizeof(*x->past), 16);
        x->past[x->past_count++] = (struct past_alias){arena_lower(x->arena, to), x->at};
    }
    alias->has_special |= to.p[0] == ':';
    json_array_append_new(alias->destinations, ctl_json_str(to));
}

static bool read_destinations(struct reading *x, struct alias *alias, struct str text)
{
    size_t n, elements = 0;
    while (text.n > 0) {
        if (!find_end(text, ",", &n)) {
            wrong(x, "something in quotes, parentheses or brackets does not end", x->entry);
            return true;
        }
        struct str element = drop_comments(x, str_head(text, n));
        if (element.n > 0 && ++elements > ALIAS_DESTINATIONS_MAX)
            return err_set(x->error, ERR_LIMIT, "line %lld: more than %zu destinations",
                           (long long)x->at, ALIAS_DESTINATIONS_MAX);
        if (element.n > 0)
            add_destination(x, alias, element);
        text = str_skip(text, n + 1);
    }
    if (elements == 0)
        wrong(x, "an alias that leads nowhere", x->entry);
    return true;
}

static void add_record(struct reading *x, const struct alias *alias)
{
    bool forwards = alias->to_itself;
    if (json_array_size(alias->destinations) == 0)
        return; /* only to itself, or nothing that can be taken */
    if (forwards && alias->has_special) {
        unsupported(x, "a user's mail is kept and sent to addresses only", x->entry);
        return;
    }
    json_t *record = json_pack("{s:s, s:I, s:o, s:O}", "type", forwards ? "user" : "address",
                               "line", (json_int_t)x->at, "address", ctl_json_str(alias->name),
                               forwards ? "forwards" : "members", alias->destinations);
    if (forwards)
        json_object_set_new(record, "keep_copy", json_string("yes"));
    json_array_append_new(x->file->records, record);
}

static void remember_name(struct reading *x, const struct alias *alias)
{
    struct names *n = &x->names;
    if (alias->to_itself)
        return;
    n->keys = arena_grow(x->arena, n->keys, n->count, &n->capacity, sizeof(*n->keys), 16);
    n->keys[n->count++] = arena_lower(x->arena, alias->name);
}

static bool take_entry(struct reading *x)
{
    struct alias alias = {.destinations = NULL};
    size_t colon;
    bool quoted, ok = true;
    if (!is_clean(x->entry)) {
        wrong(x, "control characters, or no UTF-8", STR("?"));
        return true;
    }
    if (!find_end(x->entry, ":", &colon) || colon == x->entry.n) {
        wrong(x, "\"name: destination, ...\" is expected", x->entry);
        return true;
    }
    struct str name = drop_comments(x, str_head(x->entry, colon));
    name = drop_quotes(x, name, &quoted);
    alias.name = name.n > 0 ? take_address(x, name, quoted) : name;
    if (name.n == 0)
        wrong(x, "an alias without a name", x->entry);
    if (alias.name.n == 0)
        return true;
    alias.destinations = json_array();
    ok = read_destinations(x, &alias, str_skip(x->entry, colon + 1));
    if (ok) {
        add_record(x, &alias);
        remember_name(x, &alias);
    }
    json_decref(alias.destinations);
    return ok;
}

/* --- names with a backslash --- */

static int compare_names(const void *left, const void *right)
{
    return str_compare(*(const struct str *)left, *(const struct str *)right);
}

static int compare_problems(const void *left, const void *right)
{
    const struct alias_problem *x = left, *y = right;
    return x->line < y->line ? -1 : x->line > y->line;
}

/* "\name" leads past an alias of that name; here every address is looked up. */
static void check_past(struct reading *x)
{
    if (x->names.count > 1)
        qsort(x->names.keys, x->names.count, sizeof(*x->names.keys), compare_names);
    for (size_t i = 0; x->names.count > 0 && i < x->past_count; i++)
        if (bsearch(&x->past[i].address, x->names.keys, x->names.count, sizeof(*x->names.keys),
                    compare_names)) {
            x->at = x->past[i].line;
            unsupported(x, "past the alias of that name", x->past[i].address);
        }
    if (x->file->problem_count > 1)
        qsort(x->file->problems, x->file->problem_count, sizeof(*x->file->problems),
              compare_problems);
}

bool aliases_read(struct str text, struct str domain, struct arena *a, struct alias_file *file,
                  struct err *e)
{
    struct err error = {0};
    struct buf entry = BUF_EMPTY;
    struct reading x = {.rest = text, .domain = domain, .arena = a, .file = file, .error = &error};
    bool ok = true;
    *file = (struct alias_file){.records = json_array()};
    if (str_starts_with(x.rest, STR("\xef\xbb\xbf")))
        x.rest = str_skip(x.rest, 3);
    while (ok && read_entry(&x, &entry)) {
        x.entry = str_trim(buf_str(&entry));
        if (char_is_space(entry.p[0]))
            wrong(&x, "a line that goes on, but nothing is before it", x.entry);
        else
            ok = take_entry(&x);
        if (json_array_size(file->records) > RECORDS_MAX)
            ok = err_set(&error, ERR_LIMIT, "more than %zu entries", RECORDS_MAX);
        else if (ok && file->problem_count == ALIAS_PROBLEMS_MAX)
            ok = err_set(&error, ERR_LIMIT, "more than %zu problems", ALIAS_PROBLEMS_MAX);
    }
    buf_free(&entry);
    if (error.text[0]) {
        json_decref(file->records);
        file->records = NULL;
        if (e)
            *e = error;
        return false;
    }
    check_past(&x);
    return true;
}
