#pragma once
/*
 * Between entries of LDIF and records of the directory (ctl_record.h).
 */
#include "mailctl/ldif.h"

#include <jansson.h>

/* All records of the text, as an array; *passed: entries that are none of users, groups, addresses
 * and domains. NULL with *e, which names the line. */
json_t *ldif_to_records(struct str text, size_t *passed, struct err *e);

/* One record as an entry. */
void ldif_add_record(struct buf *b, const json_t *record);
