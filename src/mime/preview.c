/*
 * Previews (RFC 8970). The first part of type text that is no attachment is decoded, a little at
 * first and more only if that had too little text: style sheets at the top of HTML may be long.
 * Runs of white space become one space; of plain text, lines that quote another message are left
 * out.
 *
 * HTML is not parsed but stripped: tags and comments, the contents of <style>, <script>
 * and <title>; the references that mail really uses (&nbsp; &amp; &#8217; and so on) are resolved,
 * others stay as they are. A tag separates words, but for those that stand within them.
 */
#include "mime/preview.h"

#include "mime/content.h"
#include "mime/limits.h"
#include "mime/text.h"

#define FIRST_LOOK 512

struct writer {
    struct buf *out;
    size_t characters;
    bool space; /* white space is due before the next character */
};

static bool is_full(const struct writer *w)
{
    return w->characters >= MIME_PREVIEW_CHARACTERS;
}

/* One character of well-formed UTF-8. */
static void add_character(struct writer *w, const char *p, size_t n)
{
    bool invisible =
        n == 3 && (memcmp(p, "\xe2\x80\x8b", 3) == 0 || /* zero width ... */
                   memcmp(p, "\xe2\x80\x8c", 3) == 0 || memcmp(p, "\xe2\x80\x8d", 3) == 0 ||
                   memcmp(p, "\xef\xbb\xbf", 3) == 0);
    bool space = (n == 1 && (unsigned char)*p <= ' ') || (n == 2 && memcmp(p, "\xc2\xa0", 2) == 0);
    if (space || (n == 1 && *p == 127)) {
        w->space = w->characters > 0;
        return;
    }
    if (invisible || is_full(w) || (w->space && w->characters + 2 > MIME_PREVIEW_CHARACTERS)) {
        w->characters += invisible ? 0 : MIME_PREVIEW_CHARACTERS;
        return;
    }
    if (w->space) {
        buf_add_char(w->out, ' ');
        w->characters++;
    }
    buf_add(w->out, p, n);
    w->characters++;
    w->space = false;
}

static bool is_word(char c)
{
    return c > ' ' && c < 127 && c != '<' && c != '&';
}

/* Words of ASCII at the start, with a space between them, most of all text: how much of it was
 * added. */
static size_t add_run(struct writer *w, struct str s)
{
    size_t most = is_full(w) || w->space ? 0 : MIME_PREVIEW_CHARACTERS - w->characters, n = 0;

    most = s.n < most ? s.n : most;
    while (n < most &&
           (is_word(s.p[n]) || (s.p[n] == ' ' && n > 0 && n + 1 < most && is_word(s.p[n + 1]))))
        n++;
    if (n > 0)
        buf_add(w->out, s.p, n);
    w->characters += n;
    return n;
}

static size_t character_length(const char *p, const char *end)
{
    unsigned char c = (unsigned char)*p;
    size_t n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    return n <= (size_t)(end - p) ? n : (size_t)(end - p);
}

/* --- plain text --- */

static void add_plain(struct writer *w, struct str text)
{
    while (text.p && text.n > 0 && !is_full(w)) {
        struct str line = str_split(&text, '\n');
        if (line.n > 0 && line.p[0] == '>')
            continue;
        for (size_t i = 0, n; i < line.n && !is_full(w); i += n) {
            n = add_run(w, str_skip(line, i));
            if (n > 0)
                continue;
            n = character_length(line.p + i, line.p + line.n);
            add_character(w, line.p + i, n);
        }
        w->space = w->characters > 0;
    }
}

/* --- HTML --- */

static const struct {
    const char *name, *text;
} references[] = {
    {"nbsp", " "},        {"amp", "&"},         {"lt", "<"},          {"gt", ">"},
    {"quot", "\""},       {"apos", "'"},        {"zwnj", ""},         {"zwj", ""},
    {"shy", ""},          {"ndash", "\u2013"},  {"mdash", "\u2014"},  {"hellip", "\u2026"},
    {"lsquo", "\u2018"},  {"rsquo", "\u2019"},  {"ldquo", "\u201c"},  {"rdquo", "\u201d"},
    {"laquo", "\u00ab"},  {"raquo", "\u00bb"},  {"bull", "\u2022"},   {"middot", "\u00b7"},
    {"copy", "\u00a9"},   {"reg", "\u00ae"},    {"trade", "\u2122"},  {"euro", "\u20ac"},
    {"auml", "\u00e4"},   {"ouml", "\u00f6"},   {"uuml", "\u00fc"},   {"Auml", "\u00c4"},
    {"Ouml", "\u00d6"},   {"Uuml", "\u00dc"},   {"szlig", "\u00df"},  {"eacute", "\u00e9"},
    {"egrave", "\u00e8"}, {"agrave", "\u00e0"}, {"ccedil", "\u00e7"}, {"ntilde", "\u00f1"},
};

static size_t write_code_point(char to[4], uint32_t c)
{
    if (c < 0x80) {
        to[0] = (char)c;
        return 1;
    }
    size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = n - 1; i > 0; i--, c >>= 6)
        to[i] = (char)(0x80 | (c & 0x3f));
    to[0] = (char)((n == 2 ? 0xc0 : n == 3 ? 0xe0 : 0xf0) | c);
    return n;
}

/* "#8217" or "#x2019". */
static bool add_number(struct writer *w, struct str name)
{
    uint32_t c = 0, base = 10;
    char text[4];
    name = str_skip(name, 1);
    if (name.n > 0 && char_lower(name.p[0]) == 'x') {
        base = 16;
        name = str_skip(name, 1);
    }
    if (name.n == 0)
        return false;
    for (size_t i = 0; i < name.n; i++) {
        char d = char_lower(name.p[i]);
        uint32_t value = d >= '0' && d <= '9'                 ? (uint32_t)(d - '0')
                         : base == 16 && d >= 'a' && d <= 'f' ? (uint32_t)(d - 'a' + 10)
                                                              : 99;
        if (value >= base)
            return false;
        c = c * base + value;
        if (c > 0x10ffff)
            return false;
    }
    if (c == 0 || (c >= 0xd800 && c < 0xe000))
        return false;
    add_character(w, text, write_code_point(text, c));
    return true;
}

/* At "&". Returns how many bytes were taken. */
static size_t add_reference(struct writer *w, struct str s)
{
    size_t n = 1;
    while (n < s.n && n < 12 && s.p[n] != ';' && s.p[n] > ' ' && s.p[n] != '&' && s.p[n] != '<')
        n++;
    struct str name = str_from(s.p + 1, n - 1);
    size_t taken = n < s.n && s.p[n] == ';' ? n + 1 : 0;
    if (taken && name.n > 1 && name.p[0] == '#' && add_number(w, name))
        return taken;
    for (size_t i = 0; taken && i < sizeof(references) / sizeof(references[0]); i++) {
        if (!str_equal(name, str_from_c(references[i].name)))
            continue;
        if (*references[i].text)
            add_character(w, references[i].text, strlen(references[i].text));
        return taken;
    }
    add_character(w, "&", 1);
    return 1;
}

/* At "<": the tag's length; all of a comment, and of an element that shows no text. 0: no tag. */
static size_t tag_length(struct str s, bool *inside_word)
{
    static const char *const hidden[] = {"style", "script", "title"};
    static const char *const inner[] = {"b",    "i", "u",    "em",   "strong",
                                        "span", "a", "font", "small"};
    *inside_word = false;
    if (str_starts_with(s, STR("<!--"))) {
        ptrdiff_t end = str_find(str_skip(s, 4), STR("-->"));
        return end < 0 ? s.n : (size_t)end + 7;
    }
    size_t from = s.n > 1 && s.p[1] == '/' ? 2 : 1, n = from;
    while (n < s.n && ((s.p[n] | 32) >= 'a' && (s.p[n] | 32) <= 'z'))
        n++;
    struct str name = str_from(s.p + from, n - from);
    if (name.n == 0 && !(s.n > 1 && (s.p[1] == '!' || s.p[1] == '?')))
        return 0;
    ptrdiff_t close = str_find_char(s, '>');
    if (close < 0)
        return s.n;
    for (size_t i = 0; from == 1 && i < sizeof(hidden) / sizeof(hidden[0]); i++) {
        if (!str_equal_nocase(name, str_from_c(hidden[i])))
            continue;
        char end[16] = "</";
        memcpy(end + 2, hidden[i], strlen(hidden[i]));
        ptrdiff_t at = str_find_nocase(s, str_from(end, 2 + strlen(hidden[i])));
        return at < 0 ? s.n : (size_t)at;
    }
    for (size_t i = 0; i < sizeof(inner) / sizeof(inner[0]); i++)
        *inside_word = *inside_word || str_equal_nocase(name, str_from_c(inner[i]));
    return (size_t)close + 1;
}

static void add_html(struct writer *w, struct str text)
{
    bool inside_word;
    for (size_t i = 0, n; i < text.n && !is_full(w); i += n) {
        struct str rest = str_skip(text, i);
        n = add_run(w, rest);
        if (n > 0)
            continue;
        if (*rest.p == '<' && (n = tag_length(rest, &inside_word)) > 0)
            w->space = w->space || (!inside_word && w->characters > 0);
        else if (*rest.p == '&')
            n = add_reference(w, rest);
        if (n == 0) {
            n = character_length(rest.p, rest.p + rest.n);
            add_character(w, rest.p, n);
        }
    }
}

/* --- finding the text --- */

static const struct mime_part *first_text(const struct mime_part *part)
{
    for (;;) {
        bool attached =
            part->disposition.p && str_equal_nocase(part->disposition, STR("attachment"));
        if (!part->children && content_type_is(part, "text", NULL) && !attached)
            return part;
        if (part->children) {
            part = part->children;
            continue;
        }
        while (part && !part->next)
            part = part->parent;
        if (!part)
            return NULL;
        part = part->next;
    }
}

static void write_from(struct writer *w, const struct mime_part *part, struct str body)
{
    struct buf decoded = BUF_EMPTY, text = BUF_EMPTY;
    const struct mime_parameter *charset =
        mime_parameter_find(part->parameters, part->parameter_count, STR("charset"));
    struct str name = charset ? charset->value : STR("us-ascii");

    mime_decode_body(&decoded, part->encoding, body);
    text_add_charset(&text, name, buf_str(&decoded));
    if (str_equal_nocase(part->subtype, STR("html")))
        add_html(w, buf_str(&text));
    else
        add_plain(w, buf_str(&text));
    buf_free(&decoded);
    buf_free(&text);
}

/* A cut in the middle of a character or a tag shows only at the very end, where the next and larger
 * look begins anew. */
void mime_write_preview(struct buf *out, const struct mime_part *root, struct str message)
{
    const struct mime_part *part = first_text(root);
    size_t start = out->n;

    if (!part)
        return;
    struct str body = str_from(message.p + part->header_end, part->body_end - part->header_end);
    for (size_t look = FIRST_LOOK;; look *= 8) {
        struct writer w = {.out = out};
        out->n = start;
        if (look > MIME_PREVIEW_MAX)
            look = MIME_PREVIEW_MAX;
        write_from(&w, part, str_head(body, look));
        if (is_full(&w) || look >= body.n || look == MIME_PREVIEW_MAX)
            return;
    }
}
