/*
 * Positions of a term's bits come from its hash by double hashing (Kirsch and Mitzenmacher), and
 * into the range of the filter by a multiplication.
 */
#include "trace/filter.h"

#define BITS_PER_TERM 12
#define PROBES        7

void term_set_clear(struct term_set *s)
{
    memset(s, 0, sizeof(*s));
}

bool term_set_add(struct term_set *s, uint64_t term)
{
    size_t at = (size_t)(term >> 20) & (TERM_SLOTS - 1);
    if (term == 0)
        term = 1;
    for (; s->slots[at] != 0; at = (at + 1) & (TERM_SLOTS - 1))
        if (s->slots[at] == term)
            return true;
    if (s->count >= TRACE_BLOCK_TERMS)
        return false;
    s->slots[at] = term;
    s->count++;
    return true;
}

static uint32_t next_bit(uint64_t *state, uint64_t term, uint32_t bits)
{
    *state += term | 1;
    return (uint32_t)(((*state >> 32) * bits) >> 32);
}

void filter_add_bytes(struct buf *out, const struct term_set *s)
{
    size_t bytes = (s->count * BITS_PER_TERM + 7) / 8;
    unsigned char *filter = memset(buf_reserve(out, bytes + 1), 0, bytes + 1);
    for (size_t i = 0; i < TERM_SLOTS; i++) {
        uint64_t term = s->slots[i], state = term << 32 | term >> 32;
        for (int k = 0; term != 0 && k < PROBES; k++) {
            uint32_t bit = next_bit(&state, term, (uint32_t)bytes * 8);
            filter[bit / 8] |= (unsigned char)(1 << bit % 8);
        }
    }
    out->n += bytes;
}

bool filter_may_have(struct str filter, uint64_t term)
{
    if (term == 0)
        term = 1;
    uint64_t state = term << 32 | term >> 32;
    if (filter.n == 0)
        return true;
    for (int k = 0; k < PROBES; k++) {
        uint32_t bit = next_bit(&state, term, (uint32_t)filter.n * 8);
        if (!((unsigned char)filter.p[bit / 8] & 1 << bit % 8))
            return false;
    }
    return true;
}
