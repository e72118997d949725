/*
 * xtext (RFC 3461 4). Bytes above 127 stand for themselves when they come raw: within a message of
 * SMTPUTF8 they may (RFC 6531 3.7.4.2 has its own encoding for the addresses). A "=" that is not
 * encoded, as some senders of variable return paths write it, cannot be taken for anything else.
 */
#include "smtp/xtext.h"

bool xtext_decode(struct arena *a, struct str encoded, struct str *text)
{
    char *out = arena_alloc(a, encoded.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < encoded.n; i++) {
        int c = (unsigned char)encoded.p[i];
        if (c == '+') {
            if (encoded.n - i < 3)
                return false;
            int high = char_hex_value(encoded.p[i + 1]), low = char_hex_value(encoded.p[i + 2]);
            if (high < 0 || low < 0)
                return false;
            c = 16 * high + low;
            i += 2;
        }
        if (c < ' ' || c == 127)
            return false;
        out[n++] = (char)c;
    }
    *text = str_from(out, n);
    return true;
}

void xtext_encode(struct buf *out, struct str text)
{
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        if (c <= ' ' || c > 126 || c == '+' || c == '=')
            buf_printf(out, "+%02X", c);
        else
            buf_add_char(out, (char)c);
    }
}
