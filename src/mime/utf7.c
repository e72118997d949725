/*
 * Modified UTF-7, RFC 3501 section 5.1.3. Printable US-ASCII stands for itself ("&" as "&-"); all
 * else is UTF-16BE in base64 with "," for "/", without padding, between "&" and "-".
 *
 * The decoder accepts only the canonical form, so that two different names on the wire or on disk
 * are never the same mailbox: it decodes, encodes again and compares.
 */
#include "mime/utf7.h"

static const char alphabet[64] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

static bool is_direct(unsigned char c)
{
    return c >= 0x20 && c <= 0x7e;
}

/* Bits on their way into base64. */
struct shift {
    uint32_t bits;
    int count;
};

static void shift_add_unit(struct buf *b, struct shift *s, uint32_t unit)
{
    s->bits = s->bits << 16 | unit;
    s->count += 16;
    while (s->count >= 6) {
        s->count -= 6;
        buf_add_char(b, alphabet[s->bits >> s->count & 63]);
    }
}

static void shift_end(struct buf *b, struct shift *s)
{
    if (s->count > 0)
        buf_add_char(b, alphabet[s->bits << (6 - s->count) & 63]);
    buf_add_char(b, '-');
    *s = (struct shift){0};
}

/* The next character of well-formed UTF-8. */
static uint32_t utf8_next(const unsigned char *p, size_t *length)
{
    if (p[0] < 0x80) {
        *length = 1;
        return p[0];
    }
    if (p[0] < 0xe0) {
        *length = 2;
        return (uint32_t)(p[0] & 0x1f) << 6 | (p[1] & 0x3f);
    }
    if (p[0] < 0xf0) {
        *length = 3;
        return (uint32_t)(p[0] & 0x0f) << 12 | (uint32_t)(p[1] & 0x3f) << 6 | (p[2] & 0x3f);
    }
    *length = 4;
    return (uint32_t)(p[0] & 0x07) << 18 | (uint32_t)(p[1] & 0x3f) << 12 |
           (uint32_t)(p[2] & 0x3f) << 6 | (p[3] & 0x3f);
}

bool buf_add_mutf7(struct buf *b, struct str utf8)
{
    struct shift s = {0};
    bool shifted = false;

    if (!str_is_utf8(utf8))
        return false;
    for (size_t i = 0, length; i < utf8.n; i += length) {
        uint32_t c = utf8_next((const unsigned char *)utf8.p + i, &length);
        bool direct = c < 0x80 && is_direct((unsigned char)c);
        if (direct && shifted)
            shift_end(b, &s);
        else if (!direct && !shifted)
            buf_add_char(b, '&');
        shifted = !direct;
        if (direct) {
            buf_add_char(b, (char)c);
            if (c == '&')
                buf_add_char(b, '-');
        } else if (c >= 0x10000) {
            shift_add_unit(b, &s, 0xd800 + ((c - 0x10000) >> 10));
            shift_add_unit(b, &s, 0xdc00 + ((c - 0x10000) & 0x3ff));
        } else {
            shift_add_unit(b, &s, c);
        }
    }
    if (shifted)
        shift_end(b, &s);
    return true;
}

/* What stands between "&" and "-". */
static bool decode_shift(struct buf *b, struct str text)
{
    uint32_t bits = 0, high = 0;
    int count = 0;

    for (size_t i = 0; i < text.n; i++) {
        const char *at = memchr(alphabet, text.p[i], sizeof(alphabet));
        if (!at)
            return false;
        bits = bits << 6 | (uint32_t)(at - alphabet);
        count += 6;
        if (count < 16)
            continue;
        count -= 16;
        uint32_t unit = bits >> count & 0xffff;
        bits &= (1u << count) - 1;
        if (high) {
            if (unit < 0xdc00 || unit > 0xdfff)
                return false;
            buf_add_utf8(b, 0x10000 + ((high - 0xd800) << 10) + (unit - 0xdc00));
            high = 0;
        } else if (unit >= 0xd800 && unit <= 0xdbff) {
            high = unit;
        } else if (unit >= 0xdc00 && unit <= 0xdfff) {
            return false;
        } else {
            buf_add_utf8(b, unit);
        }
    }
    return high == 0;
}

static bool decode(struct buf *b, struct str text)
{
    for (size_t i = 0; i < text.n; i++) {
        if (!is_direct((unsigned char)text.p[i]))
            return false;
        if (text.p[i] != '&') {
            buf_add_char(b, text.p[i]);
            continue;
        }
        struct str rest = str_skip(text, i + 1);
        ptrdiff_t end = str_find_char(rest, '-');
        if (end < 0)
            return false;
        if (end == 0)
            buf_add_char(b, '&');
        else if (!decode_shift(b, str_head(rest, (size_t)end)))
            return false;
        i += 1 + (size_t)end;
    }
    return true;
}

bool buf_add_mutf7_decoded(struct buf *b, struct str mutf7)
{
    size_t before = b->n;
    struct buf again = BUF_EMPTY;

    bool ok = decode(b, mutf7) && buf_add_mutf7(&again, str_skip(buf_str(b), before)) &&
              str_equal(buf_str(&again), mutf7);
    buf_free(&again);
    if (!ok)
        b->n = before;
    return ok;
}
