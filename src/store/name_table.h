#pragma once
/*
 * A hash table from base names to positions in an array of the caller's. Only grows; sized once.
 */
#include "core/str.h"

struct name_table {
    uint32_t *slots; /* position + 1 */
    size_t mask;
    struct str (*name_at)(const void *array, size_t position);
    const void *array;
};

void name_table_init(struct name_table *t, size_t capacity,
                     struct str (*name_at)(const void *array, size_t position), const void *array);
void name_table_free(struct name_table *t);
/* A name that is there already keeps its position: returns false. */
bool name_table_add(struct name_table *t, size_t position);
/* -1 when there is none. */
ptrdiff_t name_table_find(const struct name_table *t, struct str name);
