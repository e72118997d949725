/*
 * Summaries as bytes. The fixed part is little-endian, as everything the store writes.
 */
#include "store/summary_record.h"

#include "core/mem.h"

#include <stdlib.h>

enum { FIXED, ENVELOPE, STRUCTURE, PARTS, HEADER, PREVIEW };

static void put_number(char **p, uint64_t value, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        *(*p)++ = (char)(value >> 8 * i);
}

void summary_to_record(const struct message_summary *s, char fixed[SUMMARY_FIXED_SIZE],
                       struct summary_record *r)
{
    char *p = fixed;

    memcpy(p, s->hash, SUMMARY_HASH_SIZE);
    memcpy(p + SUMMARY_HASH_SIZE, s->thread, SUMMARY_HASH_SIZE);
    p += 2 * SUMMARY_HASH_SIZE;
    put_number(&p, (uint64_t)s->sent, 8);
    put_number(&p, (uint32_t)s->sent_zone, 4);
    put_number(&p, s->header_size, 8);
    r->fields[FIXED] = str_from(fixed, SUMMARY_FIXED_SIZE);
    r->fields[ENVELOPE] = s->envelope;
    r->fields[STRUCTURE] = s->structure;
    r->fields[PARTS] = s->parts;
    r->fields[HEADER] = s->header;
    r->fields[PREVIEW] = s->preview;
}

bool summary_from_record(const struct summary_record *r, struct message_summary *s)
{
    struct str fixed = r->fields[FIXED];

    *s = (struct message_summary){.sent = INT64_MIN};
    if (fixed.p) {
        if (fixed.n != SUMMARY_FIXED_SIZE)
            return false;
        memcpy(s->hash, fixed.p, SUMMARY_HASH_SIZE);
        memcpy(s->thread, fixed.p + SUMMARY_HASH_SIZE, SUMMARY_HASH_SIZE);
        struct reader rest = {.p = fixed.p + 2 * SUMMARY_HASH_SIZE,
                              .n = fixed.n - 2 * SUMMARY_HASH_SIZE};
        s->sent = (int64_t)read_u64(&rest);
        s->sent_zone = (int32_t)read_u32(&rest);
        s->header_size = read_u64(&rest);
    }
    s->envelope = r->fields[ENVELOPE];
    s->structure = r->fields[STRUCTURE];
    s->parts = r->fields[PARTS];
    s->header = r->fields[HEADER];
    s->preview = r->fields[PREVIEW];
    return true;
}

size_t summary_record_size(const struct summary_record *r)
{
    size_t n = 0;
    for (size_t i = 0; i < SUMMARY_FIELDS; i++)
        n += r->fields[i].n;
    return n;
}

struct summary_record *summary_record_copy(const struct summary_record *r)
{
    struct summary_record *copy = mem_alloc(sizeof(*copy) + summary_record_size(r) + 1);
    char *p = (char *)(copy + 1);

    copy->refs = 1;
    for (size_t i = 0; i < SUMMARY_FIELDS; i++) {
        struct str field = r->fields[i];
        copy->fields[i] = str_from(field.p ? p : NULL, field.n);
        if (field.n > 0)
            memcpy(p, field.p, field.n);
        p += field.n;
    }
    return copy;
}

struct summary_record *summary_record_of(struct arena *a, struct str message, uint64_t size)
{
    struct message_summary s;
    struct summary_record r;
    char fixed[SUMMARY_FIXED_SIZE];

    summary_build(a, message, size, &s);
    summary_to_record(&s, fixed, &r);
    return summary_record_copy(&r);
}

struct summary_record *summary_record_ref(struct summary_record *r)
{
    r->refs++;
    return r;
}

void summary_record_unref(struct summary_record *r)
{
    if (r && --r->refs == 0)
        free(r);
}

void summary_add_number(struct buf *b, uint64_t n)
{
    for (; n >= 0x80; n >>= 7)
        buf_add_u8(b, (uint8_t)(n | 0x80));
    buf_add_u8(b, (uint8_t)n);
}

uint64_t summary_read_number(struct reader *r)
{
    uint64_t n = 0;

    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t byte = read_u8(r);
        n |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80))
            return n;
    }
    r->bad = true;
    return 0;
}
