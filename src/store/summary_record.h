#pragma once
/*
 * A summary as bytes: one string for each field, in the order of enum summary_field. What is in
 * memory between builder, drafts and the file. Pure.
 */
#include "store/summary.h"

struct summary_record {
    unsigned refs;                     /* of one made by summary_record_copy; only on the loop */
    struct str fields[SUMMARY_FIELDS]; /* by bit; p == NULL: not there */
};

/* hash, thread, sent, zone, header size */
#define SUMMARY_FIXED_SIZE (2 * SUMMARY_HASH_SIZE + 8 + 4 + 8)

/* Strings of the record are those of the summary, and `fixed`. */
void summary_to_record(const struct message_summary *s, char fixed[SUMMARY_FIXED_SIZE],
                       struct summary_record *r);
/* The same back; fields that are not there are empty. False: the fixed part has a wrong size. */
bool summary_from_record(const struct summary_record *r, struct message_summary *s);
/* One piece of memory (malloc) with the record's strings in it, with one reference. */
struct summary_record *summary_record_copy(const struct summary_record *r);
/* Builds the summary of a message (summary_build) as such a copy. For workers. */
struct summary_record *summary_record_of(struct arena *a, struct str message, uint64_t size);
struct summary_record *summary_record_ref(struct summary_record *r);
void summary_record_unref(struct summary_record *r);
size_t summary_record_size(const struct summary_record *r);

/* Numbers of one byte for each 7 bits, least significant first. */
void summary_add_number(struct buf *b, uint64_t n);
uint64_t summary_read_number(struct reader *r);
