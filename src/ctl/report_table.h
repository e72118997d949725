#pragma once
/*
 * Counters by name, for reports. At most so many names; what has no place is counted as one,
 * "(others)".
 */
#include "core/arena.h"
#include "core/clock.h"

#include <jansson.h>

struct report_row {
    struct str name;
    uint64_t count, bytes, deferred, failed;
    usec delay, delay_max; /* of all that are counted; of the slowest */
};

struct report_table {
    bool keep_case;
    struct arena *arena; /* names */
    struct report_row *rows;
    size_t count, room;
    uint32_t *slots; /* 1 + row; 0: none */
    size_t slot_count;
    uint64_t secret; /* so that nobody can choose names that make it slow */
};

/* The row of a name, in lower case unless keep_case; of a long one its beginning. */
struct report_row *report_table_row(struct report_table *t, struct str name);
void report_table_free(struct report_table *t);
/* The largest by count, at most `top`, as an array; add: writes a row's members beside "name". */
json_t *report_table_json(struct report_table *t, size_t top,
                          void (*add)(json_t *json, const struct report_row *row));
