/*
 * The type is an atom. Addresses of all types are printable ASCII before they are encoded as xtext,
 * but for those of type utf-8: there any character may stand as \x{HEX}, and some must (RFC 6533
 * 3). What claims to be utf-8 and does not decode is kept as it came. Postfix calls international
 * addresses rfc822 and writes their UTF-8 as xtext: they become utf-8 here.
 */
#include "smtp/original_recipient.h"

#include "smtp/xtext.h"

static bool is_atom(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c <= ' ' || c > 126 || strchr("()<>@,;:\\\".[]", c))
            return false;
    }
    return s.n > 0;
}

static bool is_printable(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < ' ' || s.p[i] == 127)
            return false;
    return s.n > 0 && str_is_utf8(s);
}

/* \x{HEXPOINT} at the start of *s, which moves behind it. */
static bool take_point(struct str *s, uint32_t *point)
{
    size_t i = 3;
    if (!str_starts_with(*s, STR("\\x{")))
        return false;
    *point = 0;
    for (; i < s->n && i < 9 && char_hex_value(s->p[i]) >= 0; i++)
        *point = *point << 4 | (uint32_t)char_hex_value(s->p[i]);
    if (i < 5 || i >= s->n || s->p[i] != '}')
        return false;
    *s = str_skip(*s, i + 1);
    return true;
}

static bool decode_utf8(struct buf *out, struct str s)
{
    while (s.n > 0) {
        uint32_t point;
        if (s.p[0] != '\\') {
            buf_add_char(out, s.p[0]);
            s = str_skip(s, 1);
        } else if (take_point(&s, &point)) {
            buf_add_utf8(out, point);
        } else {
            return false;
        }
    }
    return is_printable(buf_str(out)); /* no surrogates, nothing beyond Unicode */
}

bool original_recipient_decode(struct arena *a, struct str encoded, struct str *decoded)
{
    struct str address = encoded, text;
    struct str type = str_split(&address, ';');
    if (!is_atom(type) || address.n == 0)
        return false;
    if (!str_equal_nocase(type, STR("utf-8"))) {
        if (!str_is_ascii(address) || !xtext_decode(a, address, &text) || !is_printable(text))
            return false;
        bool international = !str_is_ascii(text);
        if (international && !str_equal_nocase(type, STR("rfc822")))
            return false;
        *decoded = arena_printf(a, "%.*s;%.*s", STR_ARG(international ? STR("utf-8") : type),
                                STR_ARG(text));
        return true;
    }
    struct buf plain = BUF_EMPTY;
    text = decode_utf8(&plain, address) ? buf_str(&plain) : address;
    bool ok = is_printable(text);
    *decoded = arena_printf(a, "%.*s;%.*s", STR_ARG(type), STR_ARG(text));
    buf_free(&plain);
    return ok;
}

/* Well-formed UTF-8. */
static uint32_t next_point(struct str *s)
{
    unsigned char first = (unsigned char)s->p[0];
    size_t n = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    uint32_t point = n == 1 ? first : first & (0xffu >> (n + 1));
    for (size_t i = 1; i < n && i < s->n; i++)
        point = point << 6 | ((unsigned char)s->p[i] & 0x3f);
    *s = str_skip(*s, n);
    return point;
}

static void encode_utf8(struct buf *out, struct str address, bool utf8)
{
    while (address.n > 0) {
        struct str rest = address;
        uint32_t point = next_point(&rest);
        bool special =
            point <= ' ' || point == 127 || point == '\\' || point == '+' || point == '=';
        if (special || (point > 127 && !utf8))
            buf_printf(out, "\\x{%02X}", (unsigned)point);
        else
            buf_add(out, address.p, address.n - rest.n);
        address = rest;
    }
}

void original_recipient_encode(struct buf *out, struct str decoded, bool utf8)
{
    struct str address = decoded;
    struct str type = str_split(&address, ';');
    buf_printf(out, "%.*s;", STR_ARG(type));
    if (str_equal_nocase(type, STR("utf-8")))
        encode_utf8(out, address, utf8);
    else
        xtext_encode(out, address);
}
