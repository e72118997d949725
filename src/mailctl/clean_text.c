/*
 * Control characters are those of ASCII and those that ISO 6429 has above it (U+0080 to U+009F, of
 * which U+009B begins a command to the terminal as ESC [ does). The order of reading is changed by
 * the embeddings, overrides and isolates of Unicode (UAX 9): with one an address can look like
 * another. Marks of direction, which names in Hebrew and Arabic have, stay.
 */
#include "mailctl/clean_text.h"

static uint32_t code_point(struct str character)
{
    static const unsigned char bits[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    uint32_t c = (unsigned char)character.p[0] & bits[character.n];
    for (size_t i = 1; i < character.n; i++)
        c = c << 6 | ((unsigned char)character.p[i] & 0x3f);
    return c;
}

static bool is_clean(struct str character, const char *kept)
{
    uint32_t c = code_point(character);
    if (c < 0x20)
        return c > 0 && strchr(kept, (int)c);
    return !(c >= 0x7f && c <= 0x9f) && !(c >= 0x2028 && c <= 0x202e) &&
           !(c >= 0x2066 && c <= 0x2069);
}

void clean_text_add(struct buf *out, struct str text, const char *kept)
{
    while (text.n > 0) {
        size_t n = str_character(text);
        if (n > 0 && is_clean(str_head(text, n), kept))
            buf_add(out, text.p, n);
        else
            buf_add_char(out, '?');
        text = str_skip(text, n > 0 ? n : 1);
    }
}

size_t clean_text_whole(struct str piece)
{
    static const unsigned char least[] = {0, 0xc2, 0xe0, 0xf0}; /* with so many bytes behind it */
    for (size_t behind = 0; behind < 3 && behind < piece.n; behind++) {
        unsigned char c = (unsigned char)piece.p[piece.n - 1 - behind];
        if ((c & 0xc0) == 0x80)
            continue;
        return c >= least[behind + 1] && c <= 0xf4 ? piece.n - 1 - behind : piece.n;
    }
    return piece.n;
}

void clean_text_print(FILE *to, struct str text, const char *kept)
{
    struct buf b = BUF_EMPTY;
    clean_text_add(&b, text, kept);
    if (b.n > 0)
        fwrite(b.p, 1, b.n, to);
    buf_free(&b);
}
