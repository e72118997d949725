/*
 * Growing byte buffers, and the little-endian binary form in which the journal keeps its records
 * (written by buf_add_*, read with bounds checked by read_*).
 */
#include "core/buf.h"

#include "core/mem.h"

#include <endian.h>
#include <stdio.h>
#include <stdlib.h>

#define FIRST_CAPACITY 64

void buf_free(struct buf *b)
{
    free(b->p);
    *b = BUF_EMPTY;
}

void buf_wipe(struct buf *b)
{
    if (b->p)
        explicit_bzero(b->p, b->capacity);
    buf_free(b);
}

void buf_clear(struct buf *b)
{
    b->n = 0;
}

char *buf_grow(struct buf *b, size_t more)
{
    size_t wanted;
    if (__builtin_add_overflow(b->n, more, &wanted))
        wanted = SIZE_MAX;
    size_t capacity = b->capacity ? b->capacity : FIRST_CAPACITY;
    while (capacity < wanted)
        if (__builtin_mul_overflow(capacity, 2, &capacity))
            capacity = wanted;
    b->p = mem_resize(b->p, capacity);
    b->capacity = capacity;
    return b->p + b->n;
}

void buf_add_number(struct buf *b, uint64_t n)
{
    char digits[20];
    size_t at = sizeof(digits);
    do {
        digits[--at] = (char)('0' + n % 10);
        n /= 10;
    } while (n > 0);
    buf_add(b, digits + at, sizeof(digits) - at);
}

void buf_printf(struct buf *b, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    buf_vprintf(b, format, args);
    va_end(args);
}

void buf_vprintf(struct buf *b, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    char *at = buf_reserve(b, FIRST_CAPACITY);
    size_t room = b->capacity - b->n;
    int n = vsnprintf(at, room, format, args);
    if (n >= 0 && (size_t)n >= room) {
        at = buf_reserve(b, (size_t)n + 1);
        n = vsnprintf(at, (size_t)n + 1, format, again);
    }
    va_end(again);
    if (n > 0)
        b->n += (size_t)n;
}

void buf_consume(struct buf *b, size_t n)
{
    if (n >= b->n) {
        b->n = 0;
        return;
    }
    if (n > 0)
        memmove(b->p, b->p + n, b->n - n);
    b->n -= n;
}

const char *buf_c(struct buf *b)
{
    *buf_reserve(b, 1) = '\0';
    return b->p;
}

void buf_add_utf8(struct buf *b, uint32_t c)
{
    if (c < 0x80) {
        buf_add_char(b, (char)c);
    } else if (c < 0x800) {
        buf_add_char(b, (char)(0xc0 | c >> 6));
        buf_add_char(b, (char)(0x80 | (c & 0x3f)));
    } else if (c < 0x10000) {
        buf_add_char(b, (char)(0xe0 | c >> 12));
        buf_add_char(b, (char)(0x80 | (c >> 6 & 0x3f)));
        buf_add_char(b, (char)(0x80 | (c & 0x3f)));
    } else {
        buf_add_char(b, (char)(0xf0 | c >> 18));
        buf_add_char(b, (char)(0x80 | (c >> 12 & 0x3f)));
        buf_add_char(b, (char)(0x80 | (c >> 6 & 0x3f)));
        buf_add_char(b, (char)(0x80 | (c & 0x3f)));
    }
}

void buf_add_word(struct buf *b, struct str word)
{
    if (b->n > 0)
        buf_add_char(b, ' ');
    buf_add_str(b, word);
}

void buf_add_hex(struct buf *b, struct str bytes)
{
    static const char digits[] = "0123456789abcdef";
    char *at = buf_reserve(b, bytes.n * 2);
    for (size_t i = 0; i < bytes.n; i++) {
        unsigned char c = (unsigned char)bytes.p[i];
        at[2 * i] = digits[c >> 4];
        at[2 * i + 1] = digits[c & 15];
    }
    b->n += bytes.n * 2;
}

void buf_add_u8(struct buf *b, uint8_t v)
{
    buf_add_char(b, (char)v);
}

void buf_add_u16(struct buf *b, uint16_t v)
{
    v = htole16(v);
    buf_add(b, &v, sizeof v);
}

void buf_add_u32(struct buf *b, uint32_t v)
{
    v = htole32(v);
    buf_add(b, &v, sizeof v);
}

void buf_add_u64(struct buf *b, uint64_t v)
{
    v = htole64(v);
    buf_add(b, &v, sizeof v);
}

void buf_add_counted(struct buf *b, struct str s)
{
    buf_add_u32(b, (uint32_t)s.n);
    buf_add_str(b, s);
}

/* Copies n bytes out, or marks the reader as bad and gives zeros. */
static void read_bytes(struct reader *r, void *p, size_t n)
{
    if (r->bad || r->n < n) {
        r->bad = true;
        memset(p, 0, n);
        return;
    }
    memcpy(p, r->p, n);
    r->p += n;
    r->n -= n;
}

uint8_t read_u8(struct reader *r)
{
    uint8_t v;
    read_bytes(r, &v, sizeof v);
    return v;
}

uint16_t read_u16(struct reader *r)
{
    uint16_t v;
    read_bytes(r, &v, sizeof v);
    return le16toh(v);
}

uint32_t read_u32(struct reader *r)
{
    uint32_t v;
    read_bytes(r, &v, sizeof v);
    return le32toh(v);
}

uint64_t read_u64(struct reader *r)
{
    uint64_t v;
    read_bytes(r, &v, sizeof v);
    return le64toh(v);
}

struct str read_counted(struct reader *r)
{
    uint32_t n = read_u32(r);
    if (r->bad || r->n < n) {
        r->bad = true;
        return STR("");
    }
    struct str s = str_from(r->p, n);
    r->p += n;
    r->n -= n;
    return s;
}
