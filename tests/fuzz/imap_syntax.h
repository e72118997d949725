#pragma once
/*
 * Whether bytes are one parenthesised list as it may stand in an IMAP response: strings quoted
 * without CR, LF, NUL and 8-bit, literals of their length, NIL and numbers, no stray parentheses.
 */
#include "core/str.h"

#include <stdlib.h>

static inline size_t imap_skip_string(struct str s, size_t i)
{
    if (s.p[i] == '"') {
        for (i++; i < s.n && s.p[i] != '"'; i++) {
            if ((unsigned char)s.p[i] > 127 || strchr("\r\n", s.p[i]) != NULL)
                abort();
            if (s.p[i] == '\\' && (++i == s.n || (s.p[i] != '"' && s.p[i] != '\\')))
                abort();
        }
        return i + 1;
    }
    size_t n = 0;
    for (i++; i < s.n && s.p[i] >= '0' && s.p[i] <= '9'; i++)
        n = n * 10 + (size_t)(s.p[i] - '0');
    if (s.n - i < 3 + n || memcmp(s.p + i, "}\r\n", 3) != 0 ||
        (n > 0 && memchr(s.p + i + 3, '\0', n) != NULL))
        abort();
    return i + 3 + n;
}

static inline void imap_check_list(struct str s)
{
    size_t depth = 0;
    for (size_t i = 0; i < s.n;) {
        if (s.p[i] == '"' || s.p[i] == '{') {
            i = imap_skip_string(s, i);
            if (i > s.n)
                abort();
            continue;
        }
        depth += s.p[i] == '(';
        if (s.p[i] == ')' && depth-- == 0)
            abort();
        if (s.p[i] == '\0' || strchr("() NIL0123456789", s.p[i]) == NULL)
            abort();
        i++;
        if (depth == 0 && i < s.n)
            abort();
    }
    if (depth != 0 || s.n < 2)
        abort();
}
