#pragma once
/*
 * The file of the statistics: a head, then a ring of records for each span. A record stands at the
 * place that its time gives it, so nothing else needs to be written down, and an old one is simply
 * written over. Pure.
 */
#include "core/buf.h"
#include "queue/statistics.h"

#define STATISTICS_HEAD   ((size_t)4096)
#define STATISTICS_RECORD ((size_t)64)

uint64_t statistics_file_size(void);
/* The first bytes of the file. */
void statistics_head_write(struct buf *out);
bool statistics_head_is_valid(struct str bytes);
/* Where the ring of a span begins. */
uint64_t statistics_ring_offset(enum statistics_span span);

/* The begin of the step that a time is in. */
int64_t statistics_step_of(enum statistics_span span, int64_t seconds);
uint64_t statistics_record_offset(enum statistics_span span, int64_t time);
void statistics_record_write(char record[STATISTICS_RECORD], const struct statistics_sample *s);
/* False: empty, torn or damaged. */
bool statistics_record_read(const char record[STATISTICS_RECORD], struct statistics_sample *s);
/* Records of a ring that belong to the span that ends at `now`, sorted by time. */
size_t statistics_ring_read(enum statistics_span span, struct str ring, int64_t now,
                            struct statistics_sample *list);
/* One more look; both of the same step. */
void statistics_sample_add(struct statistics_sample *to, const struct statistics_sample *more);
