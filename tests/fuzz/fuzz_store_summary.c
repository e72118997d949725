/*
 * Any bytes as a message: its summary says what parsing the message says, and survives the way
 * through a block. Any bytes as a block, a column or a tree of parts: nothing is read behind them.
 */
#include "../store/summary_check.h"
#include "store/summary_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void as_message(struct str bytes)
{
    struct arena *a = arena_new();
    struct summary_record *record = summary_record_of(a, bytes, bytes.n);
    struct summary_entry entry = {.uid = 1, .size = bytes.n, .record = record};
    struct summary_record read;
    struct message_summary s;
    struct summary_block block;
    struct buf b = BUF_EMPTY;

    summary_block_format(&b, &entry, 1);
    summary_must(summary_block_parse(buf_str(&b), 64, &block));
    for (unsigned f = 0; f < SUMMARY_FIELDS; f++) {
        struct str column = str_from(b.p + block.columns[f].offset, block.columns[f].length);
        summary_must(summary_column_check(&block, f, column));
        read.fields[f] = summary_column_get(&block, column, 0);
    }
    summary_must(summary_from_record(&read, &s));
    summary_check(&s, bytes);
    buf_free(&b);
    summary_record_unref(record);
    arena_free(a);
}

/* Checksums are right for what a program wrote, but its numbers may be anything. */
static void as_block(struct str bytes)
{
    struct summary_block block;

    if (!summary_block_parse(bytes, 64, &block))
        return;
    for (unsigned f = 0; f < SUMMARY_FIELDS; f++) {
        if (block.columns[f].offset + (uint64_t)block.columns[f].length > bytes.n)
            continue;
        struct str column = str_from(bytes.p + block.columns[f].offset, block.columns[f].length);
        if (!summary_column_check(&block, f, column))
            continue;
        for (uint32_t i = 0; i < block.count; i++) {
            struct str s = summary_column_get(&block, column, i);
            summary_must(s.p >= column.p && s.p + s.n <= column.p + column.n);
        }
    }
}

static void as_parts(struct str bytes)
{
    struct summary_part part;
    unsigned path[3];

    for (unsigned i = 0; i < 27; i++) {
        path[0] = i % 3;
        path[1] = i / 3 % 3;
        path[2] = i / 9;
        summary_part_find(bytes, path, i % 4, &part);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str bytes = {(const char *)data, size};

    if (size > 200000)
        return 0;
    as_message(bytes);
    as_block(bytes);
    as_parts(bytes);
    return 0;
}
