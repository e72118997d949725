#pragma once
/*
 * Comma-separated values (RFC 4180), with line ends of either kind and UTF-8.
 */
#include "core/arena.h"
#include "core/buf.h"
#include "core/err.h"

struct csv_reader {
    struct str rest;
    int64_t line; /* that comes next; the first is 1 */
    bool begun;
};

/* The next record that is not empty; fields in a. *end: there is none. ERR_SYNTAX names the line.
 */
bool csv_read(struct csv_reader *r, struct arena *a, struct str **fields, size_t *count,
              int64_t *line, bool *end, struct err *e);

/* A field, quoted where it has to be, with a comma in front unless it is the first. */
void csv_add(struct buf *b, bool first, struct str field);
void csv_end(struct buf *b);
