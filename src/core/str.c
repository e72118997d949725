/*
 * Borrowed strings: comparing, searching, cutting, converting. All functions take the length they
 * are given and look at no byte beyond it. Searching leans on libc's memchr and memmem, which use
 * the processor's vector instructions.
 *
 * UTF-8 as in RFC 3629: no overlong forms, no surrogates, nothing beyond U+10FFFF.
 */
#include "core/str.h"

#include <strings.h>

bool str_equal(struct str a, struct str b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static bool equal_nocase(const char *a, const char *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (a[i] != b[i] && char_lower(a[i]) != char_lower(b[i]))
            return false;
    return true;
}

bool str_equal_nocase(struct str a, struct str b)
{
    return a.n == b.n && equal_nocase(a.p, b.p, a.n);
}

int str_compare(struct str a, struct str b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int order = n == 0 ? 0 : memcmp(a.p, b.p, n);
    if (order != 0)
        return order;
    return a.n < b.n ? -1 : a.n > b.n;
}

int str_compare_nocase(struct str a, struct str b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    for (size_t i = 0; i < n; i++) {
        unsigned char x = (unsigned char)char_lower(a.p[i]), y = (unsigned char)char_lower(b.p[i]);
        if (x != y)
            return x < y ? -1 : 1;
    }
    return a.n < b.n ? -1 : a.n > b.n;
}

bool str_starts_with(struct str s, struct str prefix)
{
    return s.n >= prefix.n && (prefix.n == 0 || memcmp(s.p, prefix.p, prefix.n) == 0);
}

bool str_starts_with_nocase(struct str s, struct str prefix)
{
    return s.n >= prefix.n && equal_nocase(s.p, prefix.p, prefix.n);
}

bool str_ends_with_nocase(struct str s, struct str suffix)
{
    return s.n >= suffix.n && equal_nocase(s.p + (s.n - suffix.n), suffix.p, suffix.n);
}

ptrdiff_t str_find_char(struct str s, char c)
{
    const char *at = s.n == 0 ? NULL : memchr(s.p, c, s.n);
    return at ? at - s.p : -1;
}

ptrdiff_t str_find_last_char(struct str s, char c)
{
    const char *at = s.n == 0 ? NULL : memrchr(s.p, c, s.n);
    return at ? at - s.p : -1;
}

size_t str_count_char(struct str s, char c)
{
    size_t count = 0;
    const char *at = s.p, *end = s.p + s.n;
    while (at < end && (at = memchr(at, c, (size_t)(end - at)))) {
        count++;
        at++;
    }
    return count;
}

ptrdiff_t str_find(struct str s, struct str needle)
{
    if (needle.n == 0)
        return 0;
    const char *at = s.n < needle.n ? NULL : memmem(s.p, s.n, needle.p, needle.n);
    return at ? at - s.p : -1;
}

ptrdiff_t str_find_nocase(struct str s, struct str needle)
{
    if (needle.n == 0)
        return 0;
    char first = char_lower(needle.p[0]);
    for (size_t i = 0; i + needle.n <= s.n; i++)
        if (char_lower(s.p[i]) == first && equal_nocase(s.p + i, needle.p, needle.n))
            return (ptrdiff_t)i;
    return -1;
}

struct str str_trim(struct str s)
{
    while (s.n > 0 && char_is_space(s.p[0])) {
        s.p++;
        s.n--;
    }
    while (s.n > 0 && char_is_space(s.p[s.n - 1]))
        s.n--;
    return s;
}

struct str str_skip(struct str s, size_t from)
{
    if (from >= s.n)
        return STR("");
    return str_from(s.p + from, s.n - from);
}

struct str str_head(struct str s, size_t n)
{
    return str_from(s.p, n < s.n ? n : s.n);
}

struct str str_after_last(struct str s, char c)
{
    return str_skip(s, (size_t)(str_find_last_char(s, c) + 1));
}

struct str str_split(struct str *rest, char separator)
{
    struct str all = *rest;
    ptrdiff_t at = str_find_char(all, separator);
    if (at < 0) {
        *rest = str_from(NULL, 0);
        return all;
    }
    *rest = str_from(all.p + at + 1, all.n - (size_t)at - 1);
    return str_from(all.p, (size_t)at);
}

struct str str_word(struct str *rest)
{
    size_t from = 0;
    while (from < rest->n && (rest->p[from] == ' ' || rest->p[from] == '\t'))
        from++;
    size_t to = from;
    while (to < rest->n && rest->p[to] != ' ' && rest->p[to] != '\t')
        to++;
    struct str word = to > from ? str_from(rest->p + from, to - from) : str_from(NULL, 0);
    *rest = to < rest->n ? str_from(rest->p + to, rest->n - to) : str_from(NULL, 0);
    return word;
}

bool str_to_u64(struct str s, uint64_t *value)
{
    uint64_t v = 0;
    if (s.n == 0)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
        if (__builtin_mul_overflow(v, 10, &v) ||
            __builtin_add_overflow(v, (uint64_t)(s.p[i] - '0'), &v))
            return false;
    }
    *value = v;
    return true;
}

bool str_to_u32(struct str s, uint32_t *value)
{
    uint64_t v;
    if (!str_to_u64(s, &v) || v > UINT32_MAX)
        return false;
    *value = (uint32_t)v;
    return true;
}

uint64_t str_hash(struct str s)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < s.n; i++)
        h = (h ^ (unsigned char)s.p[i]) * 0x100000001b3u;
    /* FNV leaves the low bits weak, and tables take those. */
    return h ^ (h >> 29);
}

/* Number of leading bytes, in steps of eight, that are ASCII. */
static size_t ascii_run(const char *p, size_t n)
{
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        uint64_t eight;
        memcpy(&eight, p + i, 8);
        if (eight & 0x8080808080808080u)
            break;
    }
    return i;
}

bool str_is_ascii(struct str s)
{
    for (size_t i = ascii_run(s.p, s.n); i < s.n; i++)
        if ((unsigned char)s.p[i] >= 0x80)
            return false;
    return true;
}

/* Length of the sequence of more than one byte at p, 0 if it is not well-formed. */
static size_t utf8_sequence(const unsigned char *p, size_t n)
{
    unsigned char low = 0x80, high = 0xbf;
    size_t length;
    if (p[0] >= 0xc2 && p[0] <= 0xdf)
        length = 2;
    else if (p[0] >= 0xe0 && p[0] <= 0xef)
        length = 3;
    else if (p[0] >= 0xf0 && p[0] <= 0xf4)
        length = 4;
    else
        return 0;
    if (p[0] == 0xe0)
        low = 0xa0; /* overlong */
    else if (p[0] == 0xed)
        high = 0x9f; /* surrogates */
    else if (p[0] == 0xf0)
        low = 0x90; /* overlong */
    else if (p[0] == 0xf4)
        high = 0x8f; /* beyond U+10FFFF */
    if (n < length || p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < length; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    return length;
}

size_t str_character(struct str s)
{
    if (s.n == 0)
        return 0;
    return (unsigned char)s.p[0] < 0x80 ? 1 : utf8_sequence((const unsigned char *)s.p, s.n);
}

size_t str_count_characters(struct str s)
{
    size_t count = 0;
    for (size_t i = 0; i < s.n; i++)
        count += ((unsigned char)s.p[i] & 0xc0) != 0x80;
    return count;
}

bool str_is_utf8(struct str s)
{
    if (s.n == 0)
        return true;
    if (memchr(s.p, '\0', s.n))
        return false;
    size_t i = 0;
    while (i < s.n) {
        i += ascii_run(s.p + i, s.n - i);
        while (i < s.n && (unsigned char)s.p[i] < 0x80)
            i++;
        if (i == s.n)
            break;
        size_t length = utf8_sequence((const unsigned char *)s.p + i, s.n - i);
        if (length == 0)
            return false;
        i += length;
    }
    return true;
}
