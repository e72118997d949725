#pragma once
/*
 * Object identifiers (RFC 8474): "F..." is a mailbox, "M..." the content of a message, "T..." a
 * thread; the letter and lower-case hex digits.
 */
#include "store/summary.h"

/* "(F0123...)" */
void object_id_write_mailbox(struct buf *out, struct str id);
/* kind: 'M' or 'T'. Without parentheses. */
void object_id_write(struct buf *out, char kind, const uint8_t id[SUMMARY_HASH_SIZE]);
/* False: no object of that kind can have the identifier. */
bool object_id_parse(struct str text, char kind, uint8_t id[SUMMARY_HASH_SIZE]);
