/*
 * A printf that knows what a field is. A string is written by what stands in front of it:
 *
 *     reason="%s"   quotes and backslashes become \xNN
 *     from=<%s>     so does ">"
 *     helo=%s       so do blanks and quotes
 *     (%s)          so does a ")" that has no "(" within the value: servers' replies have some
 *
 * Anywhere else it is text for people and only control characters are replaced; that is done with
 * everything. So who reads the log, or a program that does, can tell the fields of a line apart
 * whatever a client has called itself, its sender or its mailbox.
 *
 * No memory is allocated: the log has to speak when there is none.
 */
#include "core/log_format.h"

#include "core/log.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static void add(struct log_line *l, const char *p, size_t n)
{
    size_t room = sizeof l->bytes - 1 - l->n;
    if (n > room)
        n = room;
    memcpy(l->bytes + l->n, p, n);
    l->n += n;
}

static void add_hex(struct log_line *l, unsigned char c)
{
    char hex[5];
    snprintf(hex, sizeof hex, "\\x%02x", c);
    add(l, hex, 4);
}

/* Also the two bytes of the C1 controls in UTF-8, which some terminals obey. */
static bool is_control(const char *p, size_t left)
{
    unsigned char c = (unsigned char)*p;
    return c < 0x20 || c == 0x7f || (c == 0xc2 && left > 1 && (unsigned char)p[1] < 0xa0);
}

/* Bytes that may have to be written in another way: controls, and what ends a value. All others are
 * copied in one go. */
static bool is_plain(unsigned char c)
{
    static const unsigned char other[256] = {
        [0 ... 0x1f] = 1, [0x7f] = 1, [0xc2] = 1, [' '] = 1, ['"'] = 1,
        ['\\'] = 1,       ['>'] = 1,  ['('] = 1,  [')'] = 1,
    };
    return !other[c];
}

static size_t plain_bytes(const char *p, size_t n)
{
    size_t i = 0;
    while (i < n && is_plain((unsigned char)p[i]))
        i++;
    return i;
}

void log_line_add(struct log_line *l, const char *p, size_t n)
{
    size_t plain = 0;
    for (size_t i = plain_bytes(p, n); i < n; i += 1 + plain_bytes(p + i + 1, n - i - 1)) {
        if (!is_control(p + i, n - i))
            continue;
        add(l, p + plain, i - plain);
        add_hex(l, (unsigned char)p[i]);
        plain = i + 1;
    }
    add(l, p + plain, n - plain);
}

/* --- strings --- */

/* What would end a value that stands behind `before`. */
static const char *enders(char before)
{
    switch (before) {
    case '"':
        return "\"\\";
    case '<':
        return ">";
    case '=':
        return " \"";
    default:
        return "";
    }
}

static void add_value(struct log_line *l, const char *p, size_t n)
{
    char before = l->n > 0 ? l->bytes[l->n - 1] : ' ';
    const char *special = enders(before);
    size_t open = 0, done = 0;
    for (size_t i = plain_bytes(p, n); i < n; i += 1 + plain_bytes(p + i + 1, n - i - 1)) {
        bool ends = p[i] != '\0' && strchr(special, p[i]);
        if (before == '(' && p[i] == '(')
            open++;
        else if (before == '(' && p[i] == ')')
            ends = open == 0 || open-- == 0;
        if (!ends && !is_control(p + i, n - i))
            continue;
        add(l, p + done, i - done);
        add_hex(l, (unsigned char)p[i]);
        done = i + 1;
    }
    add(l, p + done, n - done);
}

#define DIGITS_MAX 20

/* They are the last ones of `digits`; returns how many. */
static size_t make_digits(char digits[DIGITS_MAX], unsigned long long n)
{
    size_t at = DIGITS_MAX;
    do
        digits[--at] = (char)('0' + n % 10);
    while (n /= 10);
    return DIGITS_MAX - at;
}

struct log_seconds log_seconds(usec time)
{
    struct log_seconds s;
    char digits[DIGITS_MAX];
    usec ms = time > 0 ? time / USEC_MSEC : 0;
    unsigned rest = ms >= 100 * 1000 ? 0 : (unsigned)(ms % 1000);
    size_t n = make_digits(digits, (unsigned long long)(ms / 1000));
    memcpy(s.text, digits + sizeof digits - n, n);
    char *at = s.text + n;
    if (rest > 0)
        *at++ = '.';
    for (unsigned unit = 100; rest > 0; rest %= unit, unit /= 10)
        *at++ = (char)('0' + rest / unit);
    *at = '\0';
    return s;
}

/* --- formats --- */

/* "%" flags width "." precision length conversion, with the values of "*" in their place. */
struct spec {
    char text[32];
    size_t n;
    int precision; /* -1: none */
    int length;    /* 'l', 'L': ll, 'z', 'j', 't'; 'i': int and shorter */
    char conversion;
};

struct values {
    va_list list;
};

static void spec_add(struct spec *s, const char *p, size_t n)
{
    assert(s->n + n < sizeof s->text);
    memcpy(s->text + s->n, p, n);
    s->n += n;
}

/* Digits or "*". */
static const char *take_number(struct spec *s, const char *at, struct values *v, int *number)
{
    char digits[16];
    int value = 0;
    if (*at == '*') {
        value = va_arg(v->list, int);
        at++;
    } else {
        while (*at >= '0' && *at <= '9' && value < INT32_MAX / 10 - 1)
            value = 10 * value + (*at++ - '0');
    }
    spec_add(s, digits, (size_t)snprintf(digits, sizeof digits, "%d", value));
    *number = value;
    return at;
}

static const char *take_length(struct spec *s, const char *at)
{
    const char *from = at;
    s->length = 'i';
    if (*at == 'l') {
        s->length = at[1] == 'l' ? 'L' : 'l';
        at += at[1] == 'l' ? 2 : 1;
    } else if (*at == 'h') {
        at += at[1] == 'h' ? 2 : 1;
    } else if (*at == 'z' || *at == 'j' || *at == 't') {
        s->length = *at++;
    }
    spec_add(s, from, (size_t)(at - from));
    return at;
}

/* at: behind the "%". Returns what comes behind the conversion. */
static const char *take_spec(struct spec *s, const char *at, struct values *v)
{
    int width;
    *s = (struct spec){.precision = -1};
    spec_add(s, "%", 1);
    while (*at && strchr("-+ #0", *at))
        spec_add(s, at++, 1);
    if (*at == '*' || (*at >= '1' && *at <= '9'))
        at = take_number(s, at, v, &width);
    if (*at == '.') {
        spec_add(s, at++, 1);
        at = take_number(s, at, v, &s->precision);
    }
    at = take_length(s, at);
    s->conversion = *at;
    spec_add(s, at, 1);
    return at + 1;
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"

/* A number of any type is as harmless as its digits. */
static int print_number(char *out, size_t size, const struct spec *s, struct values *v)
{
    if (strchr("fFeEgGaA", s->conversion))
        return snprintf(out, size, s->text, va_arg(v->list, double));
    if (s->conversion == 'p')
        return snprintf(out, size, s->text, va_arg(v->list, void *));
    switch (s->length) {
    case 'l':
        return snprintf(out, size, s->text, va_arg(v->list, long));
    case 'L':
        return snprintf(out, size, s->text, va_arg(v->list, long long));
    case 'z':
        return snprintf(out, size, s->text, va_arg(v->list, size_t));
    case 'j':
        return snprintf(out, size, s->text, va_arg(v->list, intmax_t));
    case 't':
        return snprintf(out, size, s->text, va_arg(v->list, ptrdiff_t));
    default:
        return snprintf(out, size, s->text, va_arg(v->list, int));
    }
}

#pragma GCC diagnostic pop

static void add_number(struct log_line *l, const struct spec *s, struct values *v)
{
    char text[LOG_LINE_MAX];
    int n = print_number(text, sizeof text, s, v);
    if (n > 0)
        log_line_add(l, text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1);
}

static void add_string(struct log_line *l, const struct spec *s, const char *text)
{
    if (!text)
        text = "(null)";
    size_t most = s->precision >= 0 ? (size_t)s->precision : LOG_LINE_MAX;
    add_value(l, text, strnlen(text, most));
}

static void add_digits(struct log_line *l, unsigned long long n, bool negative)
{
    char digits[DIGITS_MAX];
    size_t count = make_digits(digits, n);
    if (negative)
        add(l, "-", 1);
    add(l, digits + sizeof digits - count, count);
}

static void add_signed(struct log_line *l, long long n)
{
    add_digits(l, n < 0 ? 0 - (unsigned long long)n : (unsigned long long)n, n < 0);
}

/* What nearly all formats consist of: strings, and integers without flags. at: behind the "%".
 * Returns what comes behind the conversion; NULL: it is none of these. */
static const char *add_simple(struct log_line *l, const char *at, struct values *v)
{
    static const struct spec whole = {.precision = -1};
    struct spec cut = {0};
    switch (at[0]) {
    case 's':
        add_string(l, &whole, va_arg(v->list, const char *));
        return at + 1;
    case '.':
        if (at[1] != '*' || at[2] != 's')
            return NULL;
        cut.precision = va_arg(v->list, int);
        add_string(l, &cut, va_arg(v->list, const char *));
        return at + 3;
    case 'd':
        add_signed(l, va_arg(v->list, int));
        return at + 1;
    case 'u':
        add_digits(l, va_arg(v->list, unsigned), false);
        return at + 1;
    case 'z':
        if (at[1] != 'u')
            return NULL;
        add_digits(l, va_arg(v->list, size_t), false);
        return at + 2;
    case 'l':
        if (at[1] != 'l' || (at[2] != 'u' && at[2] != 'd'))
            return NULL;
        if (at[2] == 'u')
            add_digits(l, va_arg(v->list, unsigned long long), false);
        else
            add_signed(l, va_arg(v->list, long long));
        return at + 3;
    default:
        return NULL;
    }
}

void log_line_format(struct log_line *l, const char *format, va_list args)
{
    int error = errno;
    struct values v;
    va_copy(v.list, args);
    for (;;) {
        size_t literal = strcspn(format, "%");
        log_line_add(l, format, literal);
        format += literal;
        if (*format == '\0')
            break;
        const char *behind = add_simple(l, format + 1, &v);
        if (behind) {
            format = behind;
            continue;
        }
        struct spec s;
        format = take_spec(&s, format + 1, &v);
        if (s.conversion == 's')
            add_string(l, &s, va_arg(v.list, const char *));
        else if (s.conversion == 'm')
            add_string(l, &s, strerror(error));
        else if (s.conversion == '%')
            log_line_add(l, "%", 1);
        else
            add_number(l, &s, &v);
    }
    va_end(v.list);
}
