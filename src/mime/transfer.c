/*
 * Content-Transfer-Encoding (RFC 2045 6) and line ends. Decoding is lenient as RFC 2045 asks for:
 * in base64 characters outside of the alphabet are skipped and padding in the middle (joined
 * pieces) ends a group; in quoted-printable what is no escape stays as it is, and spaces at a
 * line's end go away. The inner loops read tables and write into memory reserved once.
 */
#include "mime/message.h"
#include "mime/text.h"

/* The value of a base64 digit with BASE64_DIGIT set; 0: to be skipped. */
enum { BASE64_DIGIT = 0x40, BASE64_PAD = 0x80 };

/* clang-format off */
static const unsigned char base64_values[256] = {
    ['A'] = 0x40, 0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x49, 0x4a, 0x4b, 0x4c,
    0x4d, 0x4e, 0x4f, 0x50, 0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59,
    ['a'] = 0x5a, 0x5b, 0x5c, 0x5d, 0x5e, 0x5f, 0x60, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66,
    0x67, 0x68, 0x69, 0x6a, 0x6b, 0x6c, 0x6d, 0x6e, 0x6f, 0x70, 0x71, 0x72, 0x73,
    ['0'] = 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7a, 0x7b, 0x7c, 0x7d,
    ['+'] = 0x7e,
    ['/'] = 0x7f,
    ['='] = BASE64_PAD,
};
/* clang-format on */

void text_add_base64(struct buf *out, struct str encoded)
{
    const unsigned char *p = (const unsigned char *)encoded.p, *end = p + encoded.n;
    char *start = buf_reserve(out, encoded.n / 4 * 3 + 3), *to = start;
    uint32_t group = 0;
    int have = 0;
    while (p < end) {
        if (have == 0 && end - p >= 4) {
            unsigned a = base64_values[p[0]], b = base64_values[p[1]];
            unsigned c = base64_values[p[2]], d = base64_values[p[3]];
            if (a & b & c & d & BASE64_DIGIT) {
                group = (a & 63) << 18 | (b & 63) << 12 | (c & 63) << 6 | (d & 63);
                *to++ = (char)(group >> 16);
                *to++ = (char)(group >> 8);
                *to++ = (char)group;
                p += 4;
                continue;
            }
        }
        unsigned value = base64_values[*p++];
        if (value & BASE64_DIGIT) {
            group = group << 6 | (value & 63);
            have++;
        }
        bool ends = value == BASE64_PAD || p == end;
        if (have == 4 || (have >= 2 && ends)) {
            group <<= 6 * (4 - have);
            for (int i = 0; i < have - 1; i++)
                *to++ = (char)(group >> (16 - 8 * i));
        }
        if (have == 4 || ends)
            have = 0;
    }
    out->n += (size_t)(to - start);
}

/* "XY" behind an equals sign as a byte; -1: no escape. */
static int escape_value(const char *p, const char *end)
{
    if (end - p < 2)
        return -1;
    int high = char_hex_value(p[0]), low = char_hex_value(p[1]);
    return high < 0 || low < 0 ? -1 : high << 4 | low;
}

/* One line of quoted-printable without its line end. True: a soft break ends it. */
static bool add_quoted_printable_line(struct buf *out, const char *p, const char *end)
{
    while (end > p && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    bool soft = end > p && end[-1] == '=';
    if (soft)
        end--;
    while (p < end) {
        const char *equals = memchr(p, '=', (size_t)(end - p));
        buf_add(out, p, (size_t)((equals ? equals : end) - p));
        if (!equals)
            break;
        int value = escape_value(equals + 1, end);
        buf_add_char(out, value < 0 ? '=' : (char)value);
        p = equals + (value < 0 ? 1 : 3);
    }
    return soft;
}

void text_add_quoted_printable(struct buf *out, struct str encoded)
{
    const char *p = encoded.p, *end = p + encoded.n;
    while (p < end) {
        const char *newline = memchr(p, '\n', (size_t)(end - p));
        const char *line_end = newline ? newline : end;
        bool crlf = newline && newline > p && newline[-1] == '\r';
        bool soft = add_quoted_printable_line(out, p, crlf ? line_end - 1 : line_end);
        if (newline == NULL)
            return;
        if (!soft)
            buf_add(out, crlf ? "\r\n" : "\n", crlf ? 2 : 1);
        p = newline + 1;
    }
}

void text_add_q_word(struct buf *out, struct str encoded)
{
    const char *p = encoded.p, *end = p + encoded.n;
    for (; p < end; p++) {
        int value = *p == '=' ? escape_value(p + 1, end) : -1;
        if (value >= 0) {
            buf_add_char(out, (char)value);
            p += 2;
        } else {
            buf_add_char(out, *p == '_' ? ' ' : *p);
        }
    }
}

void mime_decode_body(struct buf *out, struct str encoding, struct str body)
{
    encoding = str_trim(encoding);
    if (str_equal_nocase(encoding, STR("base64")))
        text_add_base64(out, body);
    else if (str_equal_nocase(encoding, STR("quoted-printable")))
        text_add_quoted_printable(out, body);
    else
        buf_add_str(out, body);
}

size_t mime_crlf_size(struct str stored, char previous)
{
    const char *p = stored.p, *end = p + stored.n;
    size_t size = stored.n;

    while (p < end && (p = memchr(p, '\n', (size_t)(end - p)))) {
        size += (p > stored.p ? p[-1] : previous) != '\r';
        p++;
    }
    return size;
}

/* One pass: what line ends add is guessed, and room made for more when it is not enough. */
void mime_add_crlf(struct buf *out, struct str stored, char previous)
{
    const char *p = stored.p, *end = p + stored.n, *newline;
    char *to = buf_reserve(out, stored.n + stored.n / 16 + 2), *room = out->p + out->capacity;

    while (p < end && (newline = memchr(p, '\n', (size_t)(end - p)))) {
        size_t n = (size_t)(newline - p);
        char before = newline > stored.p ? newline[-1] : previous;
        if ((size_t)(room - to) < (size_t)(end - p) + 1) {
            out->n = (size_t)(to - out->p);
            to = buf_reserve(out, 2 * (size_t)(end - p));
            room = out->p + out->capacity;
        }
        memcpy(to, p, n);
        to += n;
        if (before != '\r')
            *to++ = '\r';
        *to++ = '\n';
        p = newline + 1;
    }
    if (p < end)
        memcpy(to, p, (size_t)(end - p));
    out->n = (size_t)(to - out->p) + (size_t)(end - p);
}
