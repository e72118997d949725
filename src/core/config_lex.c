/*
 * The words of a configuration file. A bare word is anything up to a blank, a comma or one of
 * ; { } ": so addresses, paths, durations and the like need no quotes. A '#' begins a comment only
 * where a word could begin. A quoted word stands on one line and knows \" \\ \n \r \t.
 */
#include "core/config_lex.h"

#include "core/mem.h"

#include <stdarg.h>

bool config_fail(const char *path, unsigned line, struct err *e, const char *format, ...)
{
    struct buf b = BUF_EMPTY;
    va_list args;
    va_start(args, format);
    buf_vprintf(&b, format, args);
    va_end(args);
    if (line > 0)
        err_set(e, ERR_SYNTAX, "%s:%u: %s", path, line, buf_c(&b));
    else
        err_set(e, ERR_SYNTAX, "%s: %s", path, buf_c(&b));
    buf_free(&b);
    return false;
}

bool lex_check_text(struct config_source *s, struct err *e)
{
    if (str_starts_with(str_from(s->p, (size_t)(s->end - s->p)), STR("\xef\xbb\xbf")))
        s->p += 3;
    unsigned line = 1;
    for (const char *p = s->p; p < s->end; line++) {
        const char *lf = memchr(p, '\n', (size_t)(s->end - p));
        struct str text = str_from(p, (size_t)((lf ? lf : s->end) - p));
        for (size_t i = 0; i < text.n; i++) {
            unsigned char c = (unsigned char)text.p[i];
            if (c == 0x7f || (c < 0x20 && c != '\t' && c != '\r'))
                return config_fail(s->path, line, e, "control character \\x%02x", c);
        }
        if (!str_is_utf8(text))
            return config_fail(s->path, line, e, "this line is not UTF-8 text");
        p += text.n + (lf ? 1 : 0);
    }
    return true;
}

char lex_peek(const struct config_source *s)
{
    return s->p < s->end ? *s->p : '\0';
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

void lex_skip_blanks(struct config_source *s)
{
    while (s->p < s->end && is_blank(*s->p))
        s->p++;
}

void lex_skip_lines(struct config_source *s)
{
    for (;;) {
        lex_skip_blanks(s);
        if (lex_peek(s) == '#')
            while (s->p < s->end && *s->p != '\n')
                s->p++;
        if (lex_peek(s) != '\n')
            return;
        s->p++;
        s->line++;
    }
}

static bool is_name_character(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
}

struct str lex_name(struct config_source *s)
{
    const char *start = s->p;
    while (s->p < s->end && is_name_character(*s->p))
        s->p++;
    return str_from(start, (size_t)(s->p - start));
}

bool lex_at_end_of_value(const struct config_source *s)
{
    return s->p == s->end || strchr("\n;}#", *s->p);
}

static bool quoted_word(struct config_source *s, struct arena *a, struct str *text, struct err *e)
{
    struct buf b = BUF_EMPTY;
    bool ok = true;
    s->p++;
    while (ok && lex_peek(s) != '"') {
        char c = lex_peek(s);
        if (c == '\0' || c == '\n') {
            ok = config_fail(s->path, s->line, e, "the quoted text does not end on its line");
            break;
        }
        s->p++;
        if (c == '\\') {
            char escaped = lex_peek(s);
            const char *known = escaped ? strchr("\"\\nrt", escaped) : NULL;
            if (!known) {
                ok = config_fail(s->path, s->line, e,
                                 "unknown escape in quoted text, known are \\\" \\\\ \\n \\r \\t");
                break;
            }
            c = "\"\\\n\r\t"[known - "\"\\nrt"];
            s->p++;
        }
        buf_add_char(&b, c);
        if (b.n > CONFIG_WORD_MAX)
            ok = config_fail(s->path, s->line, e, "text longer than %d bytes", CONFIG_WORD_MAX);
    }
    if (ok) {
        s->p++;
        *text = arena_str(a, buf_str(&b));
    }
    buf_wipe(&b);
    return ok;
}

bool lex_word(struct config_source *s, struct arena *a, struct config_word *word, struct err *e)
{
    const char *start = s->p;
    word->quoted = lex_peek(s) == '"';
    if (word->quoted) {
        if (!quoted_word(s, a, &word->text, e))
            return false;
    } else {
        while (s->p < s->end && !is_blank(*s->p) && !strchr("\n,;{}\"", *s->p))
            s->p++;
        word->text = arena_str(a, str_from(start, (size_t)(s->p - start)));
        if (word->text.n > CONFIG_WORD_MAX)
            return config_fail(s->path, s->line, e, "text longer than %d bytes", CONFIG_WORD_MAX);
    }
    if (s->p == start)
        return config_fail(s->path, s->line, e, "unexpected \"%c\"", *s->p);
    if (s->p < s->end && (*s->p == '"' || (word->quoted && !is_blank(*s->p) && *s->p != ',' &&
                                           *s->p != '{' && !lex_at_end_of_value(s))))
        return config_fail(s->path, s->line, e,
                           "quoted text must be a word of its own (put quotes around all of it)");
    return true;
}

bool lex_value(struct config_source *s, struct arena *a, struct config_word **words, size_t *count,
               struct err *e)
{
    size_t room = 0;
    bool comma = false;
    for (lex_skip_blanks(s); comma || !lex_at_end_of_value(s); lex_skip_blanks(s)) {
        if (comma)
            lex_skip_lines(s);
        if (lex_at_end_of_value(s) || *s->p == ',')
            return config_fail(s->path, s->line, e, "a value is missing beside the comma");
        *words = mem_grow(*words, *count, &room, sizeof(**words), 4);
        if (!lex_word(s, a, &(*words)[*count], e))
            return false;
        if (++*count > CONFIG_WORDS_MAX)
            return config_fail(s->path, s->line, e, "more than %d values in a list",
                               CONFIG_WORDS_MAX);
        lex_skip_blanks(s);
        comma = lex_peek(s) == ',';
        s->p += comma;
    }
    if (lex_peek(s) == ';')
        s->p++;
    return true;
}
