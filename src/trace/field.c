/*
 * Fields stand between blanks; a value in brackets or quotes may hold blanks, one that is bare
 * does not. A "(" that begins a word begins a comment, in which parentheses are paired.
 */
#include "trace/field.h"

static bool is_key_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

static size_t word_end(struct str s, size_t at)
{
    const char *blank = at < s.n ? memchr(s.p + at, ' ', s.n - at) : NULL;
    return blank ? (size_t)(blank - s.p) : s.n;
}

/* Behind the comment that begins at `at`. */
static size_t comment_end(struct str s, size_t at)
{
    size_t open = 0;
    for (; at < s.n; at++) {
        if (s.p[at] == '(')
            open++;
        else if (s.p[at] == ')' && --open == 0)
            return at + 1;
    }
    return at;
}

/* The value at `at`; returns where it ends. */
static size_t take_value(struct str s, size_t at, struct field *f)
{
    char first = at < s.n ? s.p[at] : ' ';
    const char *end = NULL;
    f->form = FIELD_BARE;
    if (first == '<' || first == '"') {
        end = memchr(s.p + at + 1, first == '<' ? '>' : '"', s.n - at - 1);
        f->form = first == '<' ? FIELD_BRACKETS : FIELD_QUOTES;
        at++;
    }
    size_t to = end ? (size_t)(end - s.p) : f->form == FIELD_BARE ? word_end(s, at) : s.n;
    f->value = str_from(s.p + at, to - at);
    return end ? to + 1 : to;
}

bool field_next(struct str *rest, struct field *f)
{
    struct str s = *rest;
    size_t at = 0;
    while (at < s.n) {
        if (s.p[at] == ' ') {
            at++;
            continue;
        }
        if (s.p[at] == '(') {
            at = comment_end(s, at);
            continue;
        }
        size_t key = at;
        while (at < s.n && is_key_char(s.p[at]))
            at++;
        bool has_key = at > key && at < s.n && s.p[at] == '=';
        bool has_value = has_key || (at == key && (s.p[at] == '<' || s.p[at] == '"'));
        if (has_value) {
            f->key = str_from(s.p + key, at - key);
            *rest = str_skip(s, take_value(s, at + has_key, f));
            return true;
        }
        at = word_end(s, at);
    }
    *rest = str_skip(s, s.n);
    return false;
}

struct str field_get(struct str text, const char *key)
{
    struct field f;
    struct str wanted = str_from_c(key);
    while (field_next(&text, &f))
        if (str_equal(f.key, wanted))
            return f.value;
    return (struct str){0};
}

struct str field_words(struct str text)
{
    struct str rest = text;
    struct field f;
    if (!field_next(&rest, &f))
        return str_trim(text);
    const char *end = f.value.p - (f.form != FIELD_BARE) - (f.key.n ? f.key.n + 1 : 0);
    return str_trim(str_from(text.p, (size_t)(end - text.p)));
}

struct str field_comment(struct str text)
{
    size_t depth = 0;
    if (text.n == 0 || text.p[text.n - 1] != ')')
        return STR("");
    for (size_t i = text.n; i-- > 0;) {
        if (text.p[i] == ')')
            depth++;
        else if (text.p[i] == '(' && --depth == 0)
            return str_from(text.p + i + 1, text.n - i - 2);
    }
    return STR("");
}
