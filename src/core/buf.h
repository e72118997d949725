#pragma once
/*
 * Owned, growing byte buffers. Memory that cannot be had ends the process (mem.h): the server is
 * built to be killed at any moment. Sizes from outside are checked against a limit before they
 * get here.
 */
#include "core/str.h"

#include <stdarg.h>

struct buf {
    char *p;
    size_t n;
    size_t capacity;
};

#define BUF_EMPTY ((struct buf){0})

void buf_free(struct buf *b);
/* The same for what held a secret. */
void buf_wipe(struct buf *b);
/* Keeps the memory. */
void buf_clear(struct buf *b);
/* The slow half of buf_reserve. */
char *buf_grow(struct buf *b, size_t more);
/* Room for at least `more` bytes behind p[n]; returns where they go. The caller adds to n. */
static inline char *buf_reserve(struct buf *b, size_t more)
{
    return more > b->capacity - b->n || !b->p ? buf_grow(b, more) : b->p + b->n;
}

static inline void buf_add(struct buf *b, const void *p, size_t n)
{
    if (n == 0)
        return;
    memcpy(buf_reserve(b, n), p, n);
    b->n += n;
}

static inline void buf_add_str(struct buf *b, struct str s)
{
    buf_add(b, s.p, s.n);
}

static inline void buf_add_c(struct buf *b, const char *s)
{
    buf_add(b, s, strlen(s));
}

static inline void buf_add_char(struct buf *b, char c)
{
    *buf_reserve(b, 1) = c;
    b->n++;
}

/* Decimal, for where buf_printf would be the work. */
void buf_add_number(struct buf *b, uint64_t n);
void buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_vprintf(struct buf *b, const char *format, va_list args);
/* Removes the first n bytes (moves the rest). */
void buf_consume(struct buf *b, size_t n);
/* Ensures a NUL behind the bytes (not counted) and returns p. */
const char *buf_c(struct buf *b);

static inline struct str buf_str(const struct buf *b)
{
    return (struct str){b->p ? b->p : "", b->n};
}

/* Standard base64 (RFC 4648) without line breaks. */
void buf_add_base64(struct buf *b, struct str bytes);
/* False on anything but well-formed padded base64; adds nothing then. */
bool buf_add_base64_decoded(struct buf *b, struct str text);
/* A character in UTF-8. */
void buf_add_utf8(struct buf *b, uint32_t c);
/* With a space before it, where something stands already. */
void buf_add_word(struct buf *b, struct str word);
void buf_add_hex(struct buf *b, struct str bytes);

/* Little-endian binary, as in the journal. */
void buf_add_u8(struct buf *b, uint8_t v);
void buf_add_u16(struct buf *b, uint16_t v);
void buf_add_u32(struct buf *b, uint32_t v);
void buf_add_u64(struct buf *b, uint64_t v);
/* u32 length, then the bytes. */
void buf_add_counted(struct buf *b, struct str s);

/* Reads what the functions above wrote. Every call checks the bounds; after the first failure
 * `bad` stays true and all further calls return zero values. */
struct reader {
    const char *p;
    size_t n;
    bool bad;
};

uint8_t read_u8(struct reader *r);
uint16_t read_u16(struct reader *r);
uint32_t read_u32(struct reader *r);
uint64_t read_u64(struct reader *r);
struct str read_counted(struct reader *r);
