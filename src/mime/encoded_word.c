/*
 * Encoded words of RFC 2047 (with the language of RFC 2231 5): =?charset[*language]?B|Q?text?=.
 *
 * Read as programs write them rather than as they should: anywhere in the text, in B without
 * padding, in Q with spaces. The space between two encoded words goes away, and neighbours of the
 * same charset are joined as bytes before they are converted, since many programs cut in the middle
 * of a character. What is no encoded word, or of an unknown charset, stays text; raw 8-bit bytes
 * are UTF-8 if they can be, else windows-1252. The text of a word holds no '?', so each attempt to
 * read one looks at bytes that no other attempt looks at again: linear time.
 */
#include "mime/header.h"
#include "mime/limits.h"
#include "mime/text.h"

struct encoded_word {
    struct str charset;
    char encoding; /* b or q */
    struct str text;
    size_t size; /* of the whole */
};

/* Cuts *rest at the next '?' within max bytes: false when there is none. */
static bool cut_field(struct str *rest, size_t max, struct str *field)
{
    ptrdiff_t mark = str_find_char(str_head(*rest, max), '?');
    if (mark < 0)
        return false;
    *field = str_head(*rest, (size_t)mark);
    *rest = str_skip(*rest, (size_t)mark + 1);
    return true;
}

/* An encoded word at the start of s. */
static bool read_word(struct str s, struct encoded_word *word)
{
    struct str rest = str_skip(s, 2), encoding;
    if (!str_starts_with(s, STR("=?")) ||
        !cut_field(&rest, MIME_CHARSET_MAX + 32, &word->charset) ||
        !cut_field(&rest, 2, &encoding) || encoding.n != 1 ||
        !cut_field(&rest, rest.n, &word->text) || !str_starts_with(rest, STR("=")))
        return false;
    word->encoding = char_lower(encoding.p[0]);
    word->size = (size_t)(rest.p + 1 - s.p);
    ptrdiff_t star = str_find_char(word->charset, '*');
    if (star >= 0)
        word->charset = str_head(word->charset, (size_t)star);
    return (word->encoding == 'b' || word->encoding == 'q') && word->charset.n > 0 &&
           text_charset_is_known(word->charset);
}

/* Words of one charset collected as bytes, converted when the run ends. */
struct run {
    struct str charset;
    struct buf bytes;
};

static void end_run(struct run *run, struct buf *out)
{
    size_t from = out->n;
    text_add_charset(out, run->charset, buf_str(&run->bytes));
    for (size_t i = from; i < out->n; i++)
        if ((unsigned char)out->p[i] < ' ' && out->p[i] != '\t')
            out->p[i] = ' '; /* an encoded line end must not become one */
    buf_clear(&run->bytes);
}

static void add_to_run(struct run *run, const struct encoded_word *word, struct buf *out)
{
    if (run->bytes.n > 0 && !str_equal_nocase(run->charset, word->charset))
        end_run(run, out);
    run->charset = word->charset;
    if (word->encoding == 'b')
        text_add_base64(&run->bytes, word->text);
    else
        text_add_q_word(&run->bytes, word->text);
}

static void decode(struct buf *out, struct str text)
{
    struct run run = {STR(""), BUF_EMPTY};
    struct encoded_word word;
    size_t plain = 0; /* start of what is not yet written */
    bool behind_word = false;
    for (size_t i = 0; i < text.n;) {
        ptrdiff_t next = str_find(str_skip(text, i), STR("=?"));
        if (next < 0)
            break;
        i += (size_t)next;
        if (!read_word(str_skip(text, i), &word)) {
            i += 2;
            continue;
        }
        size_t gap = plain;
        while (gap < i && char_is_space(text.p[gap]))
            gap++;
        if (!behind_word || gap < i) {
            end_run(&run, out);
            text_add_unlabelled(out, str_from(text.p + plain, i - plain));
        }
        add_to_run(&run, &word, out);
        i += word.size;
        plain = i;
        behind_word = true;
    }
    end_run(&run, out);
    text_add_unlabelled(out, str_skip(text, plain));
    buf_free(&run.bytes);
}

struct str header_decode(struct arena *a, struct str value)
{
    struct str text = header_unfold(a, value);
    if (text_ascii_prefix(text) == text.n && str_find(text, STR("=?")) < 0)
        return text;
    struct buf out = BUF_EMPTY;
    decode(&out, text);
    text = arena_str(a, str_trim(buf_str(&out)));
    buf_free(&out);
    return text;
}
