/*
 * The terms of a block are a set in a table of fixed size; a block ends when it is large enough or
 * the table is nearly full, so that its filter is never worse than promised. The last line may
 * bring more terms than there is room for (it is up to 4 KB of fields): then the block has no
 * filter, and is always looked into.
 */
#include "trace/block.h"

#include "core/crc32c.h"
#include "trace/term.h"

/* Terms of one line, as they are usually at most. */
#define LINE_TERMS 64

void block_begin(struct block *b, uint64_t offset)
{
    b->offset = offset;
    b->size = b->lines = b->checksum = 0;
    b->first = INT64_MAX;
    b->last = INT64_MIN;
    b->full = false;
    term_set_clear(&b->terms);
}

static void add_term(void *arg, uint64_t term)
{
    struct block *b = arg;
    if (!term_set_add(&b->terms, term))
        b->full = true;
}

void block_add(struct block *b, struct str line)
{
    usec when;
    b->size += (uint32_t)line.n;
    b->checksum = crc32c(b->checksum, line.p, line.n);
    struct str text = str_head(line, line.n - 1);
    if (!line_time(text, &b->clock, &when))
        return;
    b->lines++;
    b->begin = b->begin ? b->begin : when;
    b->first = when < b->first ? when : b->first;
    b->last = when > b->last ? when : b->last;
    term_each(text, add_term, b);
}

bool block_is_full(const struct block *b)
{
    return b->size >= TRACE_BLOCK_SIZE || b->terms.count + LINE_TERMS > TRACE_BLOCK_TERMS;
}

struct index_entry block_entry(const struct block *b, struct buf *filter)
{
    if (!b->full)
        filter_add_bytes(filter, &b->terms);
    return (struct index_entry){.offset = b->offset,
                                .size = b->size,
                                .stored = b->size,
                                .checksum = b->checksum,
                                .lines = b->lines,
                                .first = b->lines ? b->first : 0,
                                .last = b->lines ? b->last : 0,
                                .filter = buf_str(filter)};
}

void block_end(struct block *b, struct buf *index)
{
    struct buf filter = BUF_EMPTY;
    struct index_entry entry = block_entry(b, &filter);
    block_index_add_entry(index, &entry);
    buf_free(&filter);
    block_begin(b, b->offset + b->size);
}
