#pragma once
/*
 * Which terms a block may have: a Bloom filter, made of a set of different terms. Twelve bits for
 * each let one block in two hundred pass by mistake.
 */
#include "core/buf.h"
#include "trace/limits.h"

#include <stdint.h>

#define TERM_SLOTS 4096 /* a power of two */

struct term_set {
    size_t count;
    uint64_t slots[TERM_SLOTS]; /* 0: free */
};

void term_set_clear(struct term_set *s);
/* False: there is no room for another one. */
bool term_set_add(struct term_set *s, uint64_t term);

void filter_add_bytes(struct buf *out, const struct term_set *s);
/* An empty one knows nothing. */
bool filter_may_have(struct str filter, uint64_t term);
