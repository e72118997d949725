#pragma once
/*
 * Borrowed strings: a pointer and a length, passed by value. They own nothing and need no
 * terminating NUL. Nothing here suspends or allocates.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct str {
    const char *p;
    size_t n;
};

/* A string literal as a struct str. */
#define STR(literal) ((struct str){"" literal, sizeof(literal) - 1})
/* For printf: "%.*s", STR_ARG(s). */
#define STR_ARG(s) (int)(s).n, (s).p

static inline struct str str_from(const char *p, size_t n)
{
    return (struct str){p, n};
}

/* NULL gives the empty string. */
static inline struct str str_from_c(const char *p)
{
    return (struct str){p ? p : "", p ? strlen(p) : 0};
}

bool str_equal(struct str a, struct str b);
/* ASCII case folding only; other bytes compare as they are. */
bool str_equal_nocase(struct str a, struct str b);
/* memcmp order, a shorter prefix first. */
int str_compare(struct str a, struct str b);
/* The same without regard to ASCII case. */
int str_compare_nocase(struct str a, struct str b);
bool str_starts_with(struct str s, struct str prefix);
bool str_starts_with_nocase(struct str s, struct str prefix);
bool str_ends_with_nocase(struct str s, struct str suffix);

/* Index of the first c, or -1. */
ptrdiff_t str_find_char(struct str s, char c);
ptrdiff_t str_find_last_char(struct str s, char c);
size_t str_count_char(struct str s, char c);
/* Index of the first occurrence of needle, or -1. */
ptrdiff_t str_find(struct str s, struct str needle);
ptrdiff_t str_find_nocase(struct str s, struct str needle);

/* Without space, tab, CR and LF at both ends. */
struct str str_trim(struct str s);
/* From `from` on; past the end gives the empty string. */
struct str str_skip(struct str s, size_t from);
/* At most the first n bytes. */
struct str str_head(struct str s, size_t n);
/* What stands behind the last c; all of it when there is none. */
struct str str_after_last(struct str s, char c);
/* Cuts *rest at the first separator: returns what is before it and moves *rest behind it. Without a
 * separator returns all and leaves *rest empty with p == NULL; called again then returns p == NULL.
 */
struct str str_split(struct str *rest, char separator);
/* Next word separated by runs of spaces and tabs; p == NULL when there is none. */
struct str str_word(struct str *rest);

/* Decimal digits only, whole string, no sign; false on anything else or overflow. */
bool str_to_u64(struct str s, uint64_t *value);
bool str_to_u32(struct str s, uint32_t *value);

/* FNV-1a style hash for tables in memory; not for untrusted keys in unbounded tables. */
uint64_t str_hash(struct str s);

bool str_is_ascii(struct str s);
/* Bytes of the character that s begins with; 0: it is empty, or that is no UTF-8. */
size_t str_character(struct str s);
/* How many characters of UTF-8 it has: what it takes on a line. */
size_t str_count_characters(struct str s);
/* Well-formed UTF-8 (RFC 3629) without NUL. */
bool str_is_utf8(struct str s);

static inline char char_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static inline bool char_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Space, tab, CR or LF. */
static inline bool char_is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Of a hexadecimal digit in either case; -1: it is none. */
static inline int char_hex_value(char c)
{
    if (char_is_digit(c))
        return c - '0';
    c = char_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}
