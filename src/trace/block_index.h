#pragma once
/*
 * The index of a file of lines: for each block where it is, its time and a filter of its terms.
 * docs/formats.md has the bytes.
 */
#include "core/buf.h"
#include "core/clock.h"
#include "core/err.h"

struct index_entry {
    uint64_t offset; /* in the lines */
    uint32_t size;   /* bytes of lines */
    uint32_t stored; /* bytes that they take in the file: less when it is compressed */
    uint64_t at;     /* in the file; not part of the bytes */
    uint32_t checksum;
    uint32_t lines;
    usec first, last;  /* the earliest and the latest */
    struct str filter; /* empty: nothing is known, it may have everything */
};

/* An index as far as it is whole. */
struct block_index {
    struct buf bytes; /* the filters are in it */
    struct index_entry *entries;
    size_t count;
    uint64_t covered; /* bytes of lines */
    size_t valid;     /* bytes of the index up to which it is right; 0: it is none */
};

void block_index_add_header(struct buf *b, uint32_t number, bool compressed);
void block_index_add_entry(struct buf *b, const struct index_entry *entry);
/* Takes what is in x->bytes apart. Entries that are not whole, do not follow each other, or
 * go beyond the `size` bytes of the file, end it. */
void block_index_parse(struct block_index *x, uint32_t number, bool compressed, uint64_t size);
/* BLOCKING. False: the file cannot be read (e). Any content is fine. */
bool block_index_read(struct block_index *x, const char *path, uint32_t number, bool compressed,
                      uint64_t size, struct err *e);
void block_index_free(struct block_index *x);
