#pragma once
/*
 * Lines become blocks: counted, with their times and terms, until there are enough.
 */
#include "trace/block_index.h"
#include "trace/filter.h"
#include "trace/line.h"

struct block {
    uint64_t offset; /* where it begins in the lines */
    uint32_t size, lines, checksum;
    usec first, last;
    struct line_clock clock;
    bool full;  /* of terms */
    usec begin; /* time of the first line of all blocks; 0: there was none */
    struct term_set terms;
};

void block_begin(struct block *b, uint64_t offset);
/* line: with its end. What is no line counts as bytes only. */
void block_add(struct block *b, struct str line);
bool block_is_full(const struct block *b);
/* What the index says of it; its filter is put into `filter`. */
struct index_entry block_entry(const struct block *b, struct buf *filter);
/* The same, appended to an index; the next block begins. */
void block_end(struct block *b, struct buf *index);
