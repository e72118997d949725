#pragma once
/*
 * Between lines of CSV and records of the directory (ctl_record.h).
 */
#include "mailctl/csv.h"

#include <jansson.h>

/* All records below the line with the columns' names, as an array. NULL with *e, which names the
 * line. */
json_t *csv_to_records(struct str text, struct err *e);

/* The line with the columns' names, and one record. */
void csv_add_header(struct buf *b);
void csv_add_record(struct buf *b, const json_t *record);
