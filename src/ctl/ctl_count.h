#pragma once
/*
 * Counting by names, which strangers may choose: how many of each, the most first.
 */
#include "core/fiber.h"
#include "core/str.h"

#include <stdint.h>

struct ctl_counts;

struct ctl_counted {
    struct ctl_counted *next; /* private */
    struct str name;
    uint64_t count;
};

struct ctl_counts *ctl_counts_new(void);
/* NULL is allowed. */
void ctl_counts_free(struct ctl_counts *c);
void ctl_counts_add(struct ctl_counts *c, struct str name);
/* Sorted on a worker: by count, then by name. No more can be added. */
SUSPENDS struct ctl_counted *const *ctl_counts_sorted(struct ctl_counts *c, size_t *count);
