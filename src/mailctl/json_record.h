#pragma once
/*
 * Between JSON and records of the directory (ctl_record.h): an object for each, one in a line,
 * whose members are the columns.
 */
#include "core/buf.h"
#include "core/err.h"

#include <jansson.h>

/* All records of the text, as an array. NULL with *e, which names the line. */
json_t *json_to_records(struct str text, struct err *e);

/* One record as a line. */
void json_add_record(struct buf *b, const json_t *record);
