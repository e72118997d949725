#pragma once
/*
 * Numbers with units as they stand in the configuration: sizes in powers of 1024, durations.
 */
#include "core/buf.h"
#include "core/clock.h"

/* "-12", whole string. */
bool unit_parse_number(struct str s, int64_t *value);
/* "4096", "10K", "25MB", "1GiB"; no sign. */
bool unit_parse_size(struct str s, int64_t *bytes);
/* "500ms", "30s", "1h30m", "4d", "2w"; without a unit only "0". */
bool unit_parse_duration(struct str s, usec *duration);

/* In the largest units that say it exactly. */
void unit_add_size(struct buf *b, int64_t bytes);
void unit_add_duration(struct buf *b, usec duration);
