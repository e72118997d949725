/*
 * Base64 (RFC 4648 section 4), strict in what it reads: full groups of four, padding only at the
 * end, and the bits that padding leaves over must be zero, so that each text has one meaning and
 * each meaning one text.
 */
#include "core/buf.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void buf_add_base64(struct buf *b, struct str bytes)
{
    const unsigned char *p = (const unsigned char *)bytes.p;
    size_t groups = bytes.n / 3;
    char *at = buf_reserve(b, (groups + 1) * 4), *start = at;
    for (size_t i = 0; i < groups; i++, p += 3, at += 4) {
        uint32_t v = (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
        at[0] = alphabet[v >> 18];
        at[1] = alphabet[(v >> 12) & 63];
        at[2] = alphabet[(v >> 6) & 63];
        at[3] = alphabet[v & 63];
    }
    size_t left = bytes.n % 3;
    if (left > 0) {
        uint32_t v = (uint32_t)p[0] << 16 | (left == 2 ? (uint32_t)p[1] << 8 : 0);
        at[0] = alphabet[v >> 18];
        at[1] = alphabet[(v >> 12) & 63];
        at[2] = left == 2 ? alphabet[(v >> 6) & 63] : '=';
        at[3] = '=';
        at += 4;
    }
    b->n += (size_t)(at - start);
}

/* 0..63, or 64 for a character outside the alphabet. */
static uint32_t value_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return (uint32_t)(c - 'A');
    if (c >= 'a' && c <= 'z')
        return (uint32_t)(c - 'a') + 26;
    if (c >= '0' && c <= '9')
        return (uint32_t)(c - '0') + 52;
    return c == '+' ? 62 : c == '/' ? 63 : 64;
}

bool buf_add_base64_decoded(struct buf *b, struct str text)
{
    if (text.n % 4 != 0)
        return false;
    if (text.n == 0)
        return true;
    size_t padding = text.p[text.n - 1] != '=' ? 0 : text.p[text.n - 2] != '=' ? 1 : 2;
    char *at = buf_reserve(b, text.n / 4 * 3);
    size_t n = 0;
    for (size_t i = 0; i < text.n; i += 4) {
        uint32_t v = 0;
        size_t digits = i + 4 == text.n ? 4 - padding : 4;
        for (size_t k = 0; k < 4; k++) {
            uint32_t digit = k < digits ? value_of(text.p[i + k]) : 0;
            if (digit == 64)
                return false;
            v = v << 6 | digit;
        }
        if ((digits == 3 && (v & 0xff)) || (digits == 2 && (v & 0xffff)))
            return false;
        at[n++] = (char)(v >> 16);
        if (digits > 2)
            at[n++] = (char)(v >> 8);
        if (digits > 3)
            at[n++] = (char)v;
    }
    b->n += n;
    return true;
}
