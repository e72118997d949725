#pragma once
/*
 * The columns of a record: its fields by name, for who writes, reads or compares them one after the
 * other.
 */
#include "auth/directory_record.h"

/* As the field's text is to be understood; a list has several. */
enum column_type { COLUMN_TEXT, COLUMN_FLAG, COLUMN_NUMBER, COLUMN_LIST };

struct record_column {
    const char *name;
    enum column_type type;
    bool is_verbatim; /* spaces at its ends belong to it */
    bool is_secret;
    size_t offset, count; /* private */
};
#define RECORD_COLUMNS_MAX 32
/* In their order, the address first, kind and line left out; the last one has no name. */
extern const struct record_column record_columns[];

/* NULL: there is none of that name (any case). */
const struct record_column *record_column_find(struct str name);
/* The field's texts: none when it is not given. */
const struct str *record_column_get(const struct directory_record *r, const struct record_column *c,
                                    size_t *count);
/* Only a list can have several; borrowed. */
void record_column_set(struct directory_record *r, const struct record_column *c,
                       const struct str *texts, size_t count);
